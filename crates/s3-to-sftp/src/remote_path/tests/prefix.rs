use super::*;

#[test]
fn is_left_out_where_it_is_one() {
    let stripped = |strip, key| resolve("{key}", Some(strip), None, key);
    assert_eq!(stripped("out/", "out/a/b").unwrap().full(), "a/b");
    assert_eq!(stripped("out/", "in/out/b").unwrap().full(), "in/out/b");
    assert_eq!(stripped("out/", "Out/b").unwrap().full(), "Out/b");
    assert_eq!(stripped("out/", "out/out/b").unwrap().full(), "out/b");
    assert_eq!(
        stripped("out/", "out/").unwrap_err().rule(),
        PathRule::NothingLeft
    );
    assert_eq!(
        stripped("out", "out/a").unwrap_err().rule(),
        PathRule::LeadingSlash
    );
}

#[test]
fn nothing_left_is_refused_whatever_the_template() {
    let refused = resolve("{etag}", Some("a"), None, "a").unwrap_err();
    assert_eq!(
        (refused.rule(), refused.path()),
        (PathRule::NothingLeft, "a")
    );
}

#[test]
fn placeholders_are_of_what_it_leaves() {
    let path = resolve("{dir}/{stem}/{name}", Some("out/"), None, "out/x/a.csv").unwrap();
    assert_eq!(path.full(), "x/a/a.csv");
}

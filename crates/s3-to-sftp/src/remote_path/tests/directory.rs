use super::*;

#[test]
fn is_joined_in_front() {
    for (dir, expected) in [
        (None, "a/b"),
        (Some("in"), "in/a/b"),
        (Some("in/"), "in/a/b"),
        (Some("/srv/in//"), "/srv/in/a/b"),
        (Some("/"), "/a/b"),
        (Some("//"), "/a/b"),
        (Some("."), "a/b"),
        (Some("./"), "a/b"),
        (Some("~"), "a/b"),
        (Some("~/"), "a/b"),
        (Some("~/in"), "in/a/b"),
        (Some("./in"), "in/a/b"),
        (Some(".//in"), "in/a/b"),
        (Some("./~"), "./~/a/b"),
        (Some("../in"), "../in/a/b"),
        (Some(""), "a/b"),
    ] {
        assert_eq!(
            resolve("{key}", None, dir, "a/b").unwrap().full(),
            expected,
            "{dir:?}"
        );
    }
}

#[test]
fn its_own_form_is_stable() {
    for dir in ["in", "/in/", "/", "./a", "~/a", "./~/a", "././a/", "~/./a"] {
        let once = target_directory(dir);
        assert_eq!(once.and_then(target_directory), once, "{dir}");
    }
}

#[test]
fn those_below_it_are_listed_outermost_first() {
    let below = |dir, key| {
        let path = resolve("{key}", None, dir, key).unwrap();
        path.directories().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(
        below(Some("/srv/in"), "a/b/c"),
        ["/srv/in/a", "/srv/in/a/b"]
    );
    assert_eq!(below(Some("/"), "a/b"), ["/a"]);
    assert_eq!(below(None, "a/b/c"), ["a", "a/b"]);
    assert_eq!(below(Some("in"), "c"), [""; 0]);
}

#[test]
fn the_name_is_the_last_segment() {
    assert_eq!(
        resolve("{key}", None, Some("in"), "a/b.csv")
            .unwrap()
            .name(),
        "b.csv"
    );
    assert_eq!(
        resolve("{key}", None, None, "b.csv").unwrap().name(),
        "b.csv"
    );
}

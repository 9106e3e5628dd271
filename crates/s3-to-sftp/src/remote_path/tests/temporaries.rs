use proptest::prelude::*;

use super::*;

fn temporary(template: &str, dir: Option<&str>, key: &str) -> TemporaryPath {
    let template = TemporaryTemplate::parse(template).unwrap();
    resolve("{key}", None, dir, key)
        .unwrap()
        .temporary(&template, "0123456789abcdef0123")
}

#[test]
fn lie_beside_the_target() {
    let hidden = temporary(".{name}.{tag}.part", Some("in"), "x/a.csv");
    assert_eq!(hidden.full, "in/x/.a.csv.0123456789abcdef0123.part");
    assert_eq!(hidden.directories, [""; 0]);
    assert_eq!(temporary("{tag}", None, "a").full, "0123456789abcdef0123");
    assert_eq!(
        temporary("{{{tag}}}", Some("/"), "a").full,
        "/{0123456789abcdef0123}"
    );
}

#[test]
fn may_lie_in_a_directory_of_their_own() {
    let nested = temporary("up/loading/{tag}.{name}", Some("/in"), "x/a");
    assert_eq!(nested.full, "/in/x/up/loading/0123456789abcdef0123.a");
    assert_eq!(nested.directories, ["/in/x/up", "/in/x/up/loading"]);
    assert_eq!(temporary("up/{tag}", None, "a").directories, ["up"]);
}

#[test]
fn templates_are_checked() {
    use TemplateError::*;
    let long = format!("{}{{tag}}", "a".repeat(NAME_MAX - TAG_LENGTH + 1));
    let long_directory = format!("{}/{{tag}}", "a".repeat(NAME_MAX + 1));
    for (template, expected) in [
        (".{name}.part", NoTag),
        ("{{tag}}", NoTag),
        ("up/{name}", NoTag),
        ("{tag}/{name}", PlaceholderInDirectory),
        ("{name}/{tag}", PlaceholderInDirectory),
        ("/tmp/{tag}", LeadingSlash),
        ("/{tag}", LeadingSlash),
        ("../{tag}", DotSegment),
        (r"a\../{tag}", DotSegment),
        ("./{tag}", DotSegment),
        ("a//{tag}", EmptySegment),
        ("{tag}/", TrailingSlash),
        ("{tag}\u{7f}", ControlCharacter),
        ("{tag", Unclosed),
        (long.as_str(), LongSegment),
        (long_directory.as_str(), LongSegment),
    ] {
        assert_eq!(
            TemporaryTemplate::parse(template),
            Err(expected),
            "{template}"
        );
    }
    let unknown = TemporaryTemplate::parse("{key}.{tag}")
        .unwrap_err()
        .to_string();
    assert!(unknown.contains("`{name}` `{tag}`"), "{unknown}");
    assert!(TemporaryTemplate::parse(&long[1..]).is_ok());
}

#[test]
fn the_name_is_cut_so_that_all_of_it_fits() {
    let long = "ä".repeat(127);
    let path = temporary(".{name}.{tag}.part", Some("in"), &long);
    let name = path.full.rsplit('/').next().unwrap();
    // 255 − 27 leave 228 bytes: 114 characters of two.
    assert_eq!(
        name,
        format!(".{}.0123456789abcdef0123.part", "ä".repeat(114))
    );
    assert_eq!(name.len(), NAME_MAX);
    let whole = temporary(".{name}.{tag}.part", Some("in"), &"a".repeat(228));
    assert!(whole.full.contains(&"a".repeat(228)));
}

proptest! {
    #[test]
    fn fit_whatever_the_name(key in r"[a-zäß€😀]{1,80}", template in r"[a-z.]{0,3}(\{name\}|[a-zä]){0,40}\{tag\}(\{name\}){0,3}") {
        if let (Ok(template), Ok(path)) =
            (TemporaryTemplate::parse(&template), resolve("{key}", None, Some("in"), &key))
        {
            let temporary = path.temporary(&template, "0123456789abcdef0123");
            prop_assert!(temporary.full.rsplit('/').next().unwrap().len() <= NAME_MAX);
            prop_assert!(temporary.full.contains("0123456789abcdef0123"));
        }
    }
}

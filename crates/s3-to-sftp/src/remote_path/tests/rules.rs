use proptest::prelude::*;

use super::*;

#[test]
fn dot_segments() {
    for key in [
        "..", ".", "../a", "a/../b", "a/..", "./a", r"..\a", r"a\..\b", r"a/..\b", r"a\.", "a/.",
    ] {
        assert_eq!(
            refused(Some("in"), key),
            Some(PathRule::DotSegment),
            "{key}"
        );
    }
    for key in ["...", "..a", "a..", ".a", r"a\b", "a..b/c"] {
        assert_eq!(refused(Some("in"), key), None, "{key}");
    }
}

#[test]
fn slashes_that_make_two_keys_one_file() {
    assert_eq!(refused(Some("in"), "/a"), Some(PathRule::LeadingSlash));
    assert_eq!(refused(Some("in"), "a/"), Some(PathRule::TrailingSlash));
    assert_eq!(refused(Some("in"), "a//b"), Some(PathRule::EmptySegment));
    // The directory of `/a` is not left out as an empty one would be.
    let parts = resolve("{dir}/{name}", None, Some("in"), "/a").unwrap_err();
    assert_eq!(parts.rule(), PathRule::LeadingSlash);
}

#[test]
fn an_empty_path() {
    assert_eq!(
        resolve("{version}", None, None, "a").unwrap_err().rule(),
        PathRule::Empty
    );
}

#[test]
fn control_characters() {
    for key in [
        "a\0b",
        "a\nb",
        "a\tb",
        "\u{1b}[2J",
        "a\u{7f}",
        "a\u{85}b",
        "a\u{9b}b",
    ] {
        assert_eq!(
            refused(Some("in"), key),
            Some(PathRule::ControlCharacter),
            "{key:?}"
        );
    }
    assert_eq!(refused(Some("in"), "Übung 1 + 2\u{a0}€.csv"), None);
}

#[test]
fn segments_above_255_bytes() {
    assert_eq!(refused(Some("in"), &format!("x/{}", "a".repeat(255))), None);
    assert_eq!(
        refused(Some("in"), &"a".repeat(256)),
        Some(PathRule::LongSegment)
    );
    // Bytes, not characters.
    assert_eq!(
        refused(Some("in"), &format!("{}/x", "ä".repeat(128))),
        Some(PathRule::LongSegment)
    );
}

#[test]
fn ssh_of_the_login_directory() {
    for dir in [
        None,
        Some("."),
        Some("~"),
        Some("./"),
        Some("~/"),
        Some("in/.."),
        Some("a/b/../.."),
    ] {
        for key in [
            ".ssh/authorized_keys",
            ".SSH/rc",
            ".Ssh",
            r".ssh\authorized_keys",
            ".ſſh/x",
        ] {
            assert_eq!(
                refused(dir, key),
                Some(PathRule::SshDirectory),
                "{dir:?} {key}"
            );
        }
        assert_eq!(refused(dir, "a/.ssh/x"), None);
        assert_eq!(refused(dir, ".sshx"), None);
    }
    assert_eq!(refused(Some("in"), ".ssh/x"), None);
    assert_eq!(refused(Some("/in"), ".ssh/x"), None);
    let by_prefix = resolve("{key}", Some("out/"), None, "out/.ssh/x").unwrap_err();
    assert_eq!(by_prefix.rule(), PathRule::SshDirectory);
}

#[test]
fn hold_for_what_any_placeholder_brings() {
    let mut hostile = object("a");
    hostile.etag = "\"../../x\"".to_owned();
    hostile.version_id = Some("..".to_owned());
    for template in ["{etag}", "{version}/{name}", "{version}"] {
        let template = FilenameTemplate::parse(template).unwrap();
        let error = RemotePath::resolve(&template, None, None, &hostile).unwrap_err();
        assert_eq!(error.rule(), PathRule::DotSegment);
    }
    // Two harmless parts make a harmful one.
    assert_eq!(
        resolve("{name}.", None, None, ".").unwrap_err().rule(),
        PathRule::DotSegment
    );
    assert_eq!(
        resolve(".{name}/x", None, None, "ssh").unwrap_err().rule(),
        PathRule::SshDirectory
    );
}

#[test]
fn the_error_names_rule_path_and_next_step_without_control_characters() {
    let error = resolve("{key}", None, None, "a\u{1b}\n/x")
        .unwrap_err()
        .to_string();
    assert!(error.contains("control character"), "{error}");
    assert!(error.contains(r#""a\u{1b}\n/x""#), "{error}");
    assert!(error.contains("upload the object under"), "{error}");
}

/// Where a server that knows only `/`, and one that takes `\` as well, would end up.
fn escapes(path: &str, dir: &str, separators: &[char]) -> bool {
    let Some(below) = path.strip_prefix(dir) else {
        return true;
    };
    let mut depth = 0_i32;
    for segment in below.split(separators) {
        match segment {
            "" | "." => {}
            ".." => depth -= 1,
            _ => depth += 1,
        }
        if depth < 0 {
            return true;
        }
    }
    false
}

fn any_key() -> impl Strategy<Value = String> {
    prop_oneof![any::<String>(), r"(\.|\.\.|/|\\|a|~|\.ssh|\x00|\PC){0,12}",]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn no_key_leads_out_of_the_directory(
        key in any_key(), strip in any_key(), version in proptest::option::of(any_key()), etag in any_key(),
        template in "(a|\\.|/|-|\\{key\\}|\\{dir\\}|\\{name\\}|\\{stem\\}|\\{ext\\}|\\{version\\}|\\{etag\\}){1,6}",
    ) {
        let mut object = object(&key);
        object.version_id = version;
        object.etag = etag;
        for template in ["{key}", &template] {
            let Ok(template) = FilenameTemplate::parse(template) else { continue };
            if let Ok(path) = RemotePath::resolve(&template, Some(&strip), Some("/srv/in"), &object) {
                prop_assert!(!escapes(path.full(), "/srv/in/", &['/']));
                prop_assert!(!escapes(path.full(), "/srv/in/", &['/', '\\']));
                prop_assert!(path.directories().all(|dir| dir.starts_with("/srv/in/")));
                prop_assert!(!path.name().is_empty());
            }
            if let Ok(path) = RemotePath::resolve(&template, Some(&strip), None, &object) {
                prop_assert!(!path.full().starts_with('/'));
                prop_assert!(!path.full().to_lowercase().starts_with(".ssh/"));
                prop_assert!(!escapes(path.full(), "", &['/', '\\']));
            }
        }
    }
}

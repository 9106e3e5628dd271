#![expect(
    clippy::unwrap_used,
    reason = "a test that panics has failed, as it should"
)]

use proptest::prelude::*;
use time::macros::datetime;

use super::*;
use crate::object::ObjectName;

pub(super) fn object(key: &str) -> ObjectVersion {
    ObjectVersion {
        name: ObjectName {
            bucket: "acme".to_owned(),
            key: key.to_owned(),
        },
        etag: "\"9b2cf535f27731c974343645a3985328\"".to_owned(),
        version_id: None,
        size: 1,
        last_modified: datetime!(2026-11-22 23:05:09 -10),
    }
}

fn resolve(
    template: &str,
    strip: Option<&str>,
    dir: Option<&str>,
    key: &str,
) -> Result<RemotePath, PathRefused> {
    RemotePath::resolve(
        &FilenameTemplate::parse(template).unwrap(),
        strip,
        dir,
        &object(key),
    )
}

fn full(template: &str, key: &str) -> String {
    resolve(template, None, Some("in"), key)
        .unwrap()
        .full()
        .to_owned()
}

fn refused(dir: Option<&str>, key: &str) -> Option<PathRule> {
    resolve("{key}", None, dir, key)
        .err()
        .map(|error| error.rule())
}

mod templates {
    use super::*;

    #[test]
    fn placeholders_stand_for_the_object() {
        let key = "x/y/report.tar.gz";
        for (template, expected) in [
            ("{bucket}", "in/acme"),
            ("{key}", "in/x/y/report.tar.gz"),
            ("{dir}/_{name}", "in/x/y/_report.tar.gz"),
            ("{stem}_{ext}", "in/report.tar_gz"),
            ("{etag}", "in/9b2cf535f27731c974343645a3985328"),
            ("{current_date}/{current_time}", "in/2026-11-23/090509"),
            ("{{{name}}}", "in/{report.tar.gz}"),
            ("fixed.csv", "in/fixed.csv"),
        ] {
            assert_eq!(full(template, key), expected, "{template}");
        }
        let mut versioned = object("a");
        versioned.version_id = Some("3HL4".to_owned());
        versioned.etag = "W/\"weak-2\"".to_owned();
        let template = FilenameTemplate::parse("{version}/{etag}/{name}").unwrap();
        assert_eq!(
            RemotePath::resolve(&template, None, None, &versioned)
                .unwrap()
                .full(),
            "3HL4/weak-2/a"
        );
    }

    #[test]
    fn an_empty_placeholder_takes_its_following_slash_along() {
        assert_eq!(full("{dir}/{name}", "a"), "in/a");
        assert_eq!(full("{dir}/{version}/{name}", "a"), "in/a");
        assert_eq!(full("{dir}/{version}/{name}", "x/a"), "in/x/a");
        assert_eq!(full("all/{version}/{name}", "x/a"), "in/all/a");
        // One slash, and only the one that follows.
        assert_eq!(full("{version}-/{name}", "a"), "in/-/a");
        let trailing = resolve("{key}/{version}", None, None, "a").unwrap_err();
        assert_eq!(trailing.rule(), PathRule::TrailingSlash);
    }

    #[test]
    fn stem_and_ext_reassemble_the_name() {
        for name in [
            "a.csv", "a.tar.gz", "README", ".bashrc", "a.", "a..b", "...", "..a", ".a.b",
        ] {
            assert_eq!(full("{stem}.{ext}", name), format!("in/{name}"));
        }
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        use TemplateError::*;
        for (template, expected) in [
            ("{key", Unclosed),
            ("{", Unclosed),
            ("{ke{y}", Unclosed),
            ("key}", Unopened),
            ("/{key}", LeadingSlash),
            ("{key}/", TrailingSlash),
            ("a//{key}", EmptySegment),
            ("../{key}", DotSegment),
            ("a/./{key}", DotSegment),
            ("{key}\n", ControlCharacter),
        ] {
            assert_eq!(
                FilenameTemplate::parse(template),
                Err(expected),
                "{template}"
            );
        }
        for template in ["{}", "{Key}", "{ key }", "{date}", "{tag}"] {
            let error = FilenameTemplate::parse(template).unwrap_err();
            assert!(matches!(error, Unknown { .. }), "{template}");
            assert!(error.to_string().contains("`{current_time}`"), "{error}");
        }
    }

    #[test]
    fn templates_that_give_one_name_to_all_are_known() {
        for template in [
            "{key}",
            "x/{etag}",
            "{version}",
            "{dir}/{name}",
            "{dir}/{stem}.{ext}",
        ] {
            assert!(
                FilenameTemplate::parse(template)
                    .unwrap()
                    .tells_objects_apart(),
                "{template}"
            );
        }
        for template in [
            "{name}",
            "{dir}",
            "x",
            "{bucket}/{name}",
            "{dir}/{stem}",
            "{current_date}-{name}",
        ] {
            assert!(
                !FilenameTemplate::parse(template)
                    .unwrap()
                    .tells_objects_apart(),
                "{template}"
            );
        }
    }

    proptest! {
        #[test]
        fn parsing_never_panics(template in r"(\{\{|\}\}|\{|\}|/|key|name|tag|\PC){0,12}") {
            let _ = FilenameTemplate::parse(&template);
            let _ = TemporaryTemplate::parse(&template);
        }

        #[test]
        fn a_key_that_is_taken_is_taken_whole(key in r"[ab./\\]{1,12}") {
            if let Ok(path) = resolve("{key}", None, None, &key) {
                prop_assert_eq!(path.full(), &key);
                let parts = resolve("{dir}/{stem}.{ext}", None, None, &key).unwrap();
                prop_assert_eq!(parts.full(), &key);
            } else {
                let parts = resolve("{dir}/{name}", None, None, &key);
                prop_assert!(parts.is_err());
            }
        }
    }
}

mod prefix {
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
}

mod directory {
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
}

mod rules {
    use super::*;

    #[test]
    fn dot_segments() {
        for key in [
            "..", ".", "../a", "a/../b", "a/..", "./a", r"..\a", r"a\..\b", r"a/..\b", r"a\.",
            "a/.",
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
}

mod temporaries {
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
}

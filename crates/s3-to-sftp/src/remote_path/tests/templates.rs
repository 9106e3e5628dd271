use proptest::prelude::*;

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

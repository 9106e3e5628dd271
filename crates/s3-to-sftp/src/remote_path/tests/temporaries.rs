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
    let long = format!(
        "{}{{tag}}",
        "a".repeat(NAME_MAX - TAG_LENGTH - ".old".len() + 1)
    );
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

/// What a server takes as a temporary it takes aside too: else the file that is there could not be replaced.
#[test]
fn a_template_leaves_room_for_what_is_moved_aside() {
    for template in ["{tag}", "{tag}{tag}", "{name}{tag}"] {
        for length in 0..NAME_MAX {
            let template = format!("{}{template}", "a".repeat(length));
            let Ok(template) = TemporaryTemplate::parse(&template) else {
                continue;
            };
            let path = resolve("{key}", None, None, "b").unwrap();
            let aside = path.aside(&template, TAG).full;
            assert!(aside.len() <= NAME_MAX, "{aside}");
        }
    }
}

const TAG: &str = "0123456789abcdef0123";

fn read<'n>(template: &str, name: &'n str) -> Option<TemporaryName<'n>> {
    TemporaryTemplate::parse(template).unwrap().matches(name)
}

#[test]
fn names_are_read_back() {
    for (template, made, name, is_moved_aside) in [
        (
            ".{name}.{tag}.part",
            ".a.csv.TAG.part",
            Some("a.csv"),
            false,
        ),
        (
            ".{name}.{tag}.part",
            ".a.csv.TAG.old.part",
            Some("a.csv"),
            true,
        ),
        (".{name}.{tag}.part", "..old.TAG.part", Some(".old"), false),
        ("{tag}", "TAG", None, false),
        ("{tag}", "TAG.old", None, true),
        ("up/{tag}", "TAG", None, false),
        ("{name}{tag}{name}", "aTAGa", Some("a"), false),
        ("{tag}{{{tag}", "TAG.old{TAG.old", None, true),
        // Both could be: what may be the only copy goes before.
        ("{tag}.{name}", "TAG.old.csv", Some("csv"), true),
        ("{tag}.{name}", "TAG.a.old", Some("a.old"), false),
    ] {
        let made = made.replace("TAG", TAG);
        let expected = Some(TemporaryName {
            name,
            is_moved_aside,
        });
        assert_eq!(read(template, &made), expected, "{template} {made}");
    }
}

#[test]
fn other_names_are_not() {
    for (template, other) in [
        (".{name}.{tag}.part", ".TAG.part"),
        (".{name}.{tag}.part", "..TAG.part"),
        (".{name}.{tag}.part", "a.TAG.part"),
        (".{name}.{tag}.part", ".a.TAG.part2"),
        (".{name}.{tag}.part", ".a.TAG.olD.part"),
        (".{name}.{tag}.part", ".a.TAG.old.old.part"),
        (".{name}.{tag}.part", ".a\n.TAG.part"),
        (".{name}.{tag}.part", ".a/b.TAG.part"),
        (".{name}.{tag}.part", ".a.0123456789ABCDEF0123.part"),
        (".{name}.{tag}.part", ".a.0123456789abcdeg0123.part"),
        (".{name}.{tag}.part", ""),
        ("{tag}", "TAGa"),
        ("{tag}", "TAG.ol"),
        ("{tag}", "0123456789abcdef012ä"),
        ("{name}{tag}{name}", "aTAGb"),
        ("{name}{tag}{name}", "abTAGc"),
        ("{tag}.{tag}", "TAG.00000000000000000000"),
        ("{tag}.{tag}", "TAG.old.TAG"),
    ] {
        let other = other.replace("TAG", TAG);
        assert_eq!(read(template, &other), None, "{template} {other}");
    }
    // Longer than the server takes is longer than what is made.
    let long = format!(".{}.{TAG}.part", "a".repeat(229));
    assert_eq!(read(".{name}.{tag}.part", &long), None);
}

#[test]
fn a_name_that_may_be_cut_is_not_told() {
    const TEMPLATE: &str = ".{name}.{tag}.part";
    for (length, expected) in [(224, Some("a".repeat(224))), (225, None), (228, None)] {
        let made = temporary(TEMPLATE, None, &"a".repeat(length)).full;
        let found = read(TEMPLATE, &made).unwrap();
        assert_eq!(found.name.map(str::to_owned), expected, "{length}");
    }
    let cut = temporary(TEMPLATE, None, &"😀".repeat(60)).full;
    assert_eq!(read(TEMPLATE, &cut).unwrap().name, None);
}

#[test]
fn the_directory_of_the_final_name() {
    for (template, directory, expected) in [
        ("{tag}", "", Some("")),
        ("{tag}", "a/b/", Some("a/b/")),
        ("up/{tag}", "up/", Some("")),
        ("up/{tag}", "a/up/up/", Some("a/up/")),
        ("up/{tag}", "a/", None),
        ("up/{tag}", "", None),
        ("up/{tag}", "sup/", None),
        ("u/p/{tag}", "a/u/p/", Some("a/")),
    ] {
        let template = TemporaryTemplate::parse(template).unwrap();
        assert_eq!(template.parent_of_final(directory), expected, "{directory}");
    }
}

/// Templates with everything that they may hold; the first one is the default.
const TEMPLATES: [&str; 7] = [
    ".{name}.{tag}.part",
    "{tag}",
    "up/{tag}.{name}",
    "{name}{tag}",
    "{tag}{name}.{name}",
    "ä{tag}{{{tag}}}{name}",
    ".old{name}.old.{tag}.old",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn every_made_name_is_read_back(
        key in r"[a-z.äß€😀]{1,90}|[a-z]{200,255}",
        tag in "[0-9a-f]{20}",
        template in proptest::sample::select(&TEMPLATES[..]),
    ) {
        let template = TemporaryTemplate::parse(template).unwrap();
        if let Ok(path) = resolve("{key}", None, Some("in"), &key) {
            for (made, is_aside) in [(path.temporary(&template, &tag), false), (path.aside(&template, &tag), true)] {
                let (_, name) = made.full.rsplit_once('/').unwrap();
                let found = template.matches(name);
                prop_assert!(found.is_some(), "{}", name);
                let found = found.unwrap();
                // A name is told exactly, or not at all; what was moved aside is never taken for an upload.
                prop_assert!(found.is_moved_aside || !is_aside, "{}", name);
                if found.is_moved_aside == is_aside {
                    prop_assert!(found.name.is_none_or(|it| it == key), "{}", name);
                }
            }
        }
    }

    #[test]
    fn another_tag_is_not_read(
        tag in "[0-9a-f]{20}",
        // Not at its beginning: there a further character may be the end of `{name}`.
        at in 1..TAG_LENGTH,
        other in "[g-zA-F./ ~é]",
        template in proptest::sample::select(&TEMPLATES[..]),
    ) {
        let template = TemporaryTemplate::parse(template).unwrap();
        let path = resolve("{key}", None, Some("in"), "xyz").unwrap();
        let mut odd = vec![tag.clone(), tag.clone(), tag.clone()];
        odd[0].replace_range(at..=at, &other);
        odd[1].remove(at);
        odd[2].insert_str(at, &other);
        for tag in odd {
            for made in [path.temporary(&template, &tag), path.aside(&template, &tag)] {
                let directory = if made.directories.is_empty() { "in/" } else { "in/up/" };
                let name = made.full.strip_prefix(directory).unwrap();
                prop_assert_eq!(template.matches(name), None);
            }
        }
    }
}

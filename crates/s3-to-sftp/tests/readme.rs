//! The README's list of settings is the table that the code reads, and docs/settings.md and docs/servers.md are made of tables of the
//! code. `make readme` rewrites them.

#[path = "settings_page/mod.rs"]
mod settings_page;

use std::{env, fs, path::Path};

use s3_to_sftp::{profile, quirks, settings};

#[test]
fn the_readme_lists_the_settings_as_the_code_has_them() {
    assert_is_written("README.md", "settings", &settings::markdown());
}

#[test]
fn the_page_of_settings_has_them_as_the_code_does() {
    assert_is_written("docs/settings.md", "settings", &settings_page::markdown());
}

#[test]
fn the_page_of_servers_has_the_quirks_as_the_code_does() {
    assert_is_written("docs/servers.md", "quirks", &quirks::markdown());
}

#[test]
fn the_page_of_servers_has_the_names_of_receipts_as_the_code_does() {
    assert_is_written("docs/servers.md", "profile", &profile::markdown());
}

/// Between its marks the page has this text, or gets it.
#[track_caller]
fn assert_is_written(page: &str, mark: &str, text: &str) {
    let (begin, end) = (format!("<!-- {mark} -->\n"), format!("<!-- /{mark} -->"));
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(page);
    let written = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{page}: {error}"));
    let (before, rest) = written
        .split_once(begin.as_str())
        .unwrap_or_else(|| panic!("{page} has no opening mark"));
    let (listed, after) = rest
        .split_once(end.as_str())
        .unwrap_or_else(|| panic!("{page} has no closing mark"));

    // The empty lines make it Markdown between two comments.
    let text = format!("\n{text}\n");
    if env::var_os("WRITE_README").is_some() {
        fs::write(&path, format!("{before}{begin}{text}{end}{after}"))
            .unwrap_or_else(|error| panic!("{page}: {error}"));
    } else {
        assert!(
            listed == text,
            "the {mark} in {page} differ from the code's; run `make readme`"
        );
    }
}

//! The README's list of settings is the table that the code reads. `make readme` rewrites it.

use std::{env, fs, path::Path};

use s3_to_sftp::settings;

const BEGIN: &str = "<!-- settings -->\n";
const END: &str = "<!-- /settings -->";

#[test]
fn the_readme_lists_the_settings_as_the_code_has_them() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md");
    let readme = fs::read_to_string(&path).expect("README.md");
    let (before, rest) = readme
        .split_once(BEGIN)
        .expect("README.md has the opening mark");
    let (listed, after) = rest
        .split_once(END)
        .expect("README.md has the closing mark");

    // The empty lines make it a table of Markdown between two comments.
    let table = format!("\n{}\n", settings::markdown());
    if env::var_os("WRITE_README").is_some() {
        fs::write(&path, format!("{before}{BEGIN}{table}{END}{after}"))
            .expect("README.md is writable");
    } else {
        assert!(
            listed == table,
            "the settings in README.md differ from the code's; run `make readme`"
        );
    }
}

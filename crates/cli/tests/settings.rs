//! `s3-to-sftp settings`, `--env-file`, and what the program says of itself.

use std::fs;
use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use testkit::secrets::PASSWORD;

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_s3-to-sftp"));
    command.args(arguments).env_clear().stdin(Stdio::null());
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A file with this text; it lives as long as what is returned.
fn file(content: &str) -> (tempfile::NamedTempFile, String) {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.write_all(content.as_bytes()).expect("written");
    let path = file.path().to_str().expect("text").to_owned();
    (file, path)
}

fn run(mut command: Command) -> Output {
    command.output().expect("it runs")
}

#[test]
fn what_is_set_is_shown_with_its_origin_and_without_secrets() {
    let (_file, path) = file(&format!(
        "SSH_HOST=sftp.acme.example\nSSH_USERNAME=acme\nSSH_PASSWORD={PASSWORD}\nSSH_DIR=\n"
    ));
    let mut settings = command(&["settings", "--json", "--env-file", &path]);
    // The file goes before the environment, also where it says that something is unset.
    settings
        .env("SSH_HOST", "other.example")
        .env("SSH_DIR", "other")
        .env("SSH_PORT", "2022");
    let output = run(settings);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let stdout = text(&output.stdout);
    let records: Vec<Value> = stdout
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let of = |name: &str| {
        let record = records.iter().find(|record| record["name"] == name);
        let record = record.expect("each setting has one");
        let text = |field: &str| record[field].as_str().expect("text").to_owned();
        (text("value"), text("from"))
    };
    assert_eq!(of("SSH_HOST"), ("sftp.acme.example".into(), path.clone()));
    assert_eq!(of("SSH_PORT"), ("2022".into(), "environment".into()));
    assert_eq!(of("SSH_DIR"), ("login directory".into(), "not set".into()));
    assert_eq!(of("SSH_MAX_FILES"), ("32".into(), "default".into()));
    assert_eq!(of("SSH_PASSWORD").1, path);
    assert!(!stdout.contains(PASSWORD), "{stdout}");
}

#[test]
fn settings_that_are_wrong_are_shown_with_their_problems() {
    let mut settings = command(&["settings"]);
    settings
        .env("SSH_HOST", "sftp://acme.example")
        .env("SSH_PASSWORD", PASSWORD);
    let output = run(settings);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    let line = stdout.lines().find(|line| line.starts_with("SSH_HOST "));
    let line = line.expect("it is shown");
    assert!(
        line.contains("sftp://acme.example") && line.ends_with("environment"),
        "{line}"
    );
    assert!(
        stderr.contains("leave out what stands before `://`"),
        "{stderr}"
    );
    assert!(stderr.contains("SSH_USERNAME"), "{stderr}");
    assert!(!stdout.contains(PASSWORD) && !stderr.contains(PASSWORD));
}

#[test]
fn the_table_is_the_readmes() {
    let output = run(command(&["settings", "--markdown"]));
    assert_eq!(output.status.code(), Some(0));
    let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../README.md"));
    assert!(readme.expect("README.md").contains(&text(&output.stdout)));
}

#[test]
fn a_bad_line_of_a_file_is_named_and_not_shown() {
    let secret = "wr0ng-s3cret";
    let (_file, path) = file(&format!("SSH_HOST=h\n{secret}\n"));
    for command in [&["settings"][..], &["send", "s3://inbox/a"], &["clean"]] {
        let mut arguments = command.to_vec();
        arguments.extend(["--env-file", &path]);
        let output = run(self::command(&arguments));
        assert_eq!(output.status.code(), Some(2), "{command:?}");
        let stderr = text(&output.stderr);
        assert!(
            stderr.starts_with(&format!("{path}:2: expected NAME=VALUE")),
            "{stderr}"
        );
        assert!(!stderr.contains(secret));
        assert_eq!(text(&output.stdout), "");
    }
    let output = run(command(&["settings", "--env-file", "/no/such/file"]));
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).starts_with("/no/such/file: "));
}

#[test]
fn what_a_file_cannot_set_is_told() {
    let (_file, path) =
        file("AWS_REGION=eu-central-1\nSSH_HOST=h\nSSH_USERNAME=u\nSSH_PASSWORD=p\n");
    let output = run(command(&["settings", "--env-file", &path]));
    assert_eq!(output.status.code(), Some(0));
    let stderr = text(&output.stderr);
    assert!(
        stderr.contains("AWS_REGION") && stderr.contains("not looked at"),
        "{stderr}"
    );
}

#[test]
fn help_has_every_setting_and_every_command() {
    let output = run(command(&["--help"]));
    assert_eq!(output.status.code(), Some(0));
    let help = text(&output.stdout);
    for row in s3_to_sftp::settings::TABLE {
        assert!(
            help.contains(&format!("\n  {}\n", row.name)),
            "{}",
            row.name
        );
    }
    for name in [
        "send",
        "clean",
        "settings",
        "completions",
        "man",
        "--env-file",
    ] {
        assert!(help.contains(name), "{name}");
    }
    assert!(
        !help.contains("](") && !help.contains('`'),
        "no Markdown: {help}"
    );
    let output = run(command(&["-h"]));
    assert!(
        text(&output.stdout).lines().count() < 30,
        "the short one is short"
    );
}

#[test]
fn shells_and_man_know_the_program() {
    for shell in ["bash", "zsh", "fish"] {
        let output = run(command(&["completions", shell]));
        assert_eq!(output.status.code(), Some(0), "{shell}");
        assert!(text(&output.stdout).contains("env-file"), "{shell}");
    }
    let output = run(command(&["man"]));
    let page = text(&output.stdout);
    assert!(
        page.contains(".TH s3-to-sftp 1") && page.contains("SSH_HOST"),
        "{page}"
    );
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    let mut settings = command(&["settings", "--markdown"]);
    let mut child = settings.stdout(Stdio::piped()).spawn().expect("it runs");
    drop(child.stdout.take());
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
}

#[test]
fn an_unknown_command_or_flag_could_not_start() {
    for arguments in [
        &["sned", "s3://a/b"][..],
        &["send", "--mvoe", "s3://a/b"],
        &["send", "s3:/typo"],
        &[],
    ] {
        let output = run(command(arguments));
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert_eq!(text(&output.stdout), "", "{arguments:?}");
        assert!(!output.stderr.is_empty(), "{arguments:?}");
    }
}

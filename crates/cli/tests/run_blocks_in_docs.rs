//! Blocks of commands in the docs whose first line is `# run`: they are run as they stand there, against OpenSSH's sshd and an S3 in
//! memory, each in a shell of its own, a page's in one directory. A block of `text` behind one is what it prints, where `…` stands for
//! anything. That every block says whether it is run is seen to by `pages_in_docs.rs` of the library.

#![cfg(feature = "real-servers")]

use std::env;
use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use testkit::payload;
use testkit::s3::S3Server;
use testkit::servers::Sshd;
use tokio::process::Command;
use tokio::time::timeout;

/// Longer than any block takes on a slow machine.
const SOON: Duration = Duration::from_secs(60);

macro_rules! pages {
    ($($test:ident => $page:literal,)*) => {
        const PAGES: &[&str] = &[$($page),*];
        $(
            #[tokio::test]
            async fn $test() {
                run($page).await;
            }
        )*
    };
}

pages! {
    readme => "README.md",
    getting_started => "docs/getting-started.md",
    operate => "docs/operate.md",
    troubleshooting => "docs/troubleshooting.md",
}

#[test]
fn every_page_with_such_a_block_is_run() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut pages = vec!["README.md".to_owned()];
    let docs = fs::read_dir(root.join("docs")).expect("docs");
    let names = docs.map(|entry| entry.expect("readable").file_name());
    pages.extend(names.map(|name| format!("docs/{}", name.to_string_lossy())));
    pages.retain(|page| !blocks(&read(page)).is_empty());
    pages.sort();
    assert_eq!(pages, PAGES);
}

#[derive(Debug, PartialEq, Eq)]
struct Block {
    commands: String,
    exit_status: i32,
    output: Option<String>,
}

fn read(page: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    fs::read_to_string(root.join(page)).unwrap_or_else(|error| panic!("{page}: {error}"))
}

/// The blocks of a page that are run.
fn blocks(text: &str) -> Vec<Block> {
    let begins = text.split("```shell\n# run");
    let blocks = begins.skip(1).filter_map(|rest| {
        let (mark, rest) = rest.split_once('\n')?;
        let exit_status = match mark {
            "" => 0,
            mark => mark.strip_prefix(": exits with ")?.parse().ok()?,
        };
        let (commands, behind) = rest.split_once("```\n")?;
        let output = behind.strip_prefix("\n```text\n");
        let output = output.and_then(|it| it.split_once("```").map(|(output, _)| output));
        Some(Block {
            commands: commands.to_owned(),
            exit_status,
            output: output.map(str::to_owned),
        })
    });
    blocks.collect()
}

async fn run(page: &str) {
    let blocks = blocks(&read(page));
    let sshd = Sshd::start()
        .await
        .unwrap_or_else(|missing| panic!("{missing}"));
    let s3 = S3Server::start().await;
    s3.create_bucket("inbox");
    s3.put("inbox", "acme/orders.csv", payload::ramp(100_000));
    let directory = tempfile::tempdir().expect("a temporary directory");
    for block in blocks {
        let mut command = Command::new("bash");
        command
            .args(["-euo", "pipefail", "-c", &block.commands])
            .current_dir(directory.path());
        configure(&mut command, &s3, &sshd, directory.path());
        let output = timeout(SOON, command.output())
            .await
            .expect("in time")
            .expect("bash");
        testkit::secrets::output("s3-to-sftp", &output);
        let stdout = String::from_utf8_lossy(&output.stdout);
        let stderr = String::from_utf8_lossy(&output.stderr);
        let told = format!("{page}:\n{}\n{stdout}\n{stderr}", block.commands);
        assert_eq!(output.status.code(), Some(block.exit_status), "{told}");
        if let Some(expected) = &block.output {
            assert!(
                matches(&stdout, expected),
                "the page says:\n{expected}\n{told}"
            );
        }
    }
}

/// What the page says that its reader has set.
fn configure(command: &mut Command, s3: &S3Server, sshd: &Sshd, directory: &Path) {
    let bin = directory.join("bin");
    if !bin.exists() {
        fs::create_dir(&bin).expect("a directory in a new one");
        program_of(&bin.join("s3-to-sftp"), env!("CARGO_BIN_EXE_s3-to-sftp"));
        // Else the one on the PATH, which a program of that name would keep from being found.
        if let Ok(aws) = env::var("AWS_CLI") {
            program_of(&bin.join("aws"), &aws);
        }
    }
    let path = env::var("PATH").expect("a PATH");
    let account = sshd.account();
    command
        .env_clear()
        .envs(s3.env())
        .env("PATH", format!("{}:{path}", bin.display()))
        .env("HOME", directory)
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_PAGER", "")
        .env("SSH_HOST", account.host)
        .env("SSH_PORT", account.port.to_string())
        .env("SSH_USERNAME", account.username)
        .env("SSH_PRIVATE_KEY", account.private_key.unwrap_or_default())
        .env("SSH_HOST_KEY", account.host_key)
        .env("SSH_DIR", account.dir.unwrap_or_default())
        .stdin(Stdio::null())
        .kill_on_drop(true);
}

fn program_of(path: &Path, program: &str) {
    use std::os::unix::fs::PermissionsExt;
    fs::write(path, format!("#!/bin/sh\nexec '{program}' \"$@\"\n")).expect("a new file");
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("one's own file");
}

/// Whether this is what the page says, line by line.
fn matches(output: &str, expected: &str) -> bool {
    let lines = output.lines().count() == expected.lines().count();
    lines
        && output
            .lines()
            .zip(expected.lines())
            .all(|(it, said)| line_matches(it, said))
}

fn line_matches(line: &str, said: &str) -> bool {
    let mut rest = line;
    let mut parts = said.split('…');
    let first = parts.next().unwrap_or_default();
    let Some(behind) = rest.strip_prefix(first) else {
        return false;
    };
    rest = behind;
    let mut last = None;
    for part in parts {
        let Some(at) = rest.find(part) else {
            return false;
        };
        rest = &rest[at + part.len()..];
        last = Some(part);
    }
    // Behind the last `…` nothing else may come, unless it ends the line.
    last.map_or(rest.is_empty(), |part| {
        part.is_empty() || line.ends_with(part)
    })
}

/// The checker is checked: one that always agrees is none.
mod checked {
    use super::*;

    #[test]
    fn what_is_printed_is_compared() {
        for (output, said) in [
            ("a b\n", "a b\n"),
            ("a 12 ms\nc\n", "a … ms\nc\n"),
            ("a xyz\n", "a …\n"),
        ] {
            assert!(matches(output, said), "{output} {said}");
        }
        for (output, said) in [
            ("a\n", "b\n"),
            ("a\nb\n", "a\n"),
            ("a\n", "a\nb\n"),
            ("a 12 s\n", "a … ms\n"),
            ("a 12 ms, late\n", "a … ms\n"),
            ("a b\n", "a\n"),
        ] {
            assert!(!matches(output, said), "{output} {said}");
        }
    }

    #[test]
    fn blocks_are_found() {
        let text = "```shell\n# run\nls\n```\n\n```text\nx\n```\n\n```shell\n# run: exits with 1\nfalse\n```\n\n\
                    ```shell\n# not run: it needs AWS\naws\n```\n\n```shell\n# run on an emulator\naws\n```\n";
        let block = |commands: &str, exit_status, output: Option<&str>| Block {
            commands: commands.to_owned(),
            exit_status,
            output: output.map(str::to_owned),
        };
        assert_eq!(
            blocks(text),
            [block("ls\n", 0, Some("x\n")), block("false\n", 1, None)]
        );
    }
}

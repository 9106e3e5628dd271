//! On the server of the test kit, which fails where a test wants it to.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use testkit::sftp::{Action, Operation, SftpServer, closed_port, nth, status};

use crate::world::{OLD, TAG, World, YOUNG, line, old_link, touch};

async fn world() -> World<SftpServer> {
    let server = SftpServer::start().await;
    World::new(server.account(), server)
}

/// Refuses an operation on the name.
fn refuse(server: &SftpServer, operation: Operation, name: &'static str) {
    server.hook(move |request| {
        if request.operation == operation && request.names(name) {
            Action::refuse(status::PERMISSION_DENIED)
        } else {
            Action::Pass
        }
    });
}

#[tokio::test]
async fn what_is_old_is_listed_and_nothing_is_removed() {
    let world = world().await;
    let old = world.temporary("", "a.csv", OLD);
    let nested = world.temporary("x/y/", "b c.csv", OLD);
    world.temporary("", "young.csv", YOUNG);
    let before = world.files();
    let ended = world.clean(&[]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let expected = [line(&old, "would remove"), line(&nested, "would remove")];
    assert_eq!(ended.lines(), expected);
    let last = ended.stderr.lines().last().unwrap_or_default();
    assert!(
        last.contains("2 of them") && last.contains("--yes"),
        "{ended:?}"
    );
    assert_eq!(world.files(), before);
    assert_eq!(world.server.requests_of(Operation::Remove), []);
}

#[tokio::test]
async fn yes_removes_what_is_old_and_ours_and_nothing_else() {
    let mut world = world().await;
    world.set("SSH_DIR", "/in");
    let old = world.temporary("in/", "a.csv", OLD);
    let nested = world.temporary("in/x/y/", "b.csv", OLD);
    world.temporary("in/", "young.csv", YOUNG);
    world.temporary("elsewhere/", "a.csv", OLD);
    for other in [
        "in/a.csv",
        "in/.a.csv.part",
        "in/.a.csv.0123456789ABCDEF0123.part",
        "in/.a.csv.0123456789abcdef012.part",
        "in/.a.csv.0123456789abcdef01234.part",
        "in/a.csv.0123456789abcdef0123.part",
        "in/.a.csv.0123456789abcdef0123.part~",
        "in/.a.csv.0123456789abcdef0123.new.part",
    ] {
        world.file(other, OLD);
    }
    // A directory may have such a name, too.
    world.file(&format!("in/.d.{TAG}.part/readme"), OLD);
    let mut before: BTreeSet<String> = world.files().into_iter().collect();
    let ended = world.clean(&["--yes"]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let removed = |path: &String| line(&format!("/{path}"), "removed");
    assert_eq!(ended.lines(), [removed(&old), removed(&nested)]);
    assert_eq!(ended.stderr, "");
    assert!(before.remove(&old) && before.remove(&nested));
    assert_eq!(world.files(), Vec::from_iter(before));
}

#[tokio::test]
async fn nothing_found_is_said() {
    let world = world().await;
    world.temporary("x/", "young.csv", YOUNG);
    let ended = world.clean(&["--yes"]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(ended.stdout, "");
    for part in [
        "nothing found",
        "older than 1d",
        "2 directories",
        "1 younger",
    ] {
        assert!(ended.stderr.contains(part), "{part}: {ended:?}");
    }
    assert_eq!(world.files().len(), 1);
}

#[tokio::test]
async fn the_age_is_a_choice() {
    let world = world().await;
    let old = world.temporary("", "a", OLD);
    let young = world.temporary("", "b", YOUNG);
    assert_eq!(
        world.clean(&["--yes", "--older-than", "7d"]).await.stdout,
        ""
    );
    assert_eq!(world.files().len(), 2);
    let ended = world.clean(&["--older-than", "22h"]).await;
    assert!(
        ended.stdout.contains(&old) && ended.stdout.contains(&young),
        "{ended:?}"
    );
    for time in ["0", "soon", "1w", ""] {
        let ended = world.clean(&["--older-than", time]).await;
        assert_eq!(ended.code, Some(2), "{ended:?}");
    }
}

/// What was moved aside and never came back is the only copy of what the partner had.
#[tokio::test]
async fn a_file_that_was_moved_aside_goes_only_if_its_name_is_taken_again() {
    let world = world().await;
    let aside = |name: &str| {
        let path = format!("x/.{name}.{TAG}.old.part");
        world.file(&path, OLD);
        path
    };
    let long = "l".repeat(222);
    let [taken, missing, directory, cut] =
        ["taken", "missing", "directory", long.as_str()].map(aside);
    world.file("x/taken", YOUNG);
    world.file("x/directory/readme", YOUNG);
    world.file(&format!("x/{long}"), YOUNG);

    let listed = world.clean(&[]).await;
    assert_eq!(listed.code, Some(0), "{listed:?}");
    let ended = world.clean(&["--yes"]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let by_hand = "it is a file that was moved aside; look at it, and rename or remove it by hand";
    assert_eq!(
        ended.lines(),
        [
            line(
                &directory,
                &format!("not removed: x/directory is a directory: {by_hand}")
            ),
            line(
                &cut,
                &format!("not removed: its own name cannot be told: {by_hand}")
            ),
            line(
                &missing,
                "not removed: nothing has its name; rename it back by hand to x/missing"
            ),
            line(&taken, "removed"),
        ]
    );
    let left = world.files();
    assert!(!left.contains(&taken), "{left:?}");
    for kept in [directory, missing, cut] {
        assert!(left.contains(&kept), "{kept}: {left:?}");
    }
}

#[tokio::test]
async fn a_link_that_leads_nowhere_is_no_copy_of_what_was_moved_aside() {
    let world = world().await;
    let aside = format!(".a.{TAG}.old.part");
    world.file(&aside, OLD);
    symlink("nowhere", world.home.join("a")).expect("a link");
    let ended = world.clean(&["--yes"]).await;
    assert!(ended.stdout.contains("nothing has its name"), "{ended:?}");
    assert!(world.files().contains(&aside));
}

#[tokio::test]
async fn a_final_name_that_cannot_be_looked_at_keeps_what_was_moved_aside() {
    let world = world().await;
    let aside = format!(".a.{TAG}.old.part");
    world.file(&aside, OLD);
    world.file("a", OLD);
    refuse(&world.server, Operation::Stat, "a");
    for arguments in [&[][..], &["--yes"]] {
        let ended = world.clean(arguments).await;
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(
            ended.stdout.contains("not removed: a cannot be looked at"),
            "{ended:?}"
        );
    }
    assert!(world.files().contains(&aside));
}

#[tokio::test]
async fn a_template_without_the_name_tells_no_final_name() {
    let mut world = world().await;
    world.set("SSH_TEMPORARY_NAME", "up/{tag}");
    let old = format!("x/up/{TAG}");
    let aside = format!("up/{TAG}.old");
    for path in [&old, &aside, &format!("x/{TAG}"), &format!("up/x/{TAG}")] {
        world.file(path, OLD);
    }
    let ended = world.clean(&["--yes"]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert_eq!(ended.lines().len(), 2, "{ended:?}");
    assert!(
        ended.lines()[0].contains("its own name cannot be told"),
        "{ended:?}"
    );
    assert_eq!(ended.lines()[1], line(&old, "removed"));
    assert_eq!(world.files().len(), 3);
}

#[tokio::test]
async fn a_directory_of_temporaries_belongs_to_the_one_above_it() {
    let mut world = world().await;
    world.set("SSH_TEMPORARY_NAME", "up/{name}.{tag}");
    let aside = |name: &str| format!("x/up/{name}.{TAG}.old");
    world.file(&aside("taken"), OLD);
    world.file(&aside("missing"), OLD);
    world.file("x/taken", OLD);
    world.file("x/up/missing", OLD);
    let ended = world.clean(&["--yes"]).await;
    assert!(ended.stdout.contains("by hand to x/missing"), "{ended:?}");
    assert_eq!(
        world.files(),
        ["x/taken", "x/up/missing", &aside("missing")]
    );
}

#[tokio::test]
async fn links_are_neither_followed_nor_removed() {
    let mut world = world().await;
    world.set("SSH_DIR", "/in");
    let hidden = world.temporary("elsewhere/", "a", OLD);
    world.file("in/b", OLD);
    symlink("../elsewhere", world.home.join("in/elsewhere")).expect("a link");
    symlink(".", world.home.join("in/again")).expect("a link");
    let link = format!("in/.b.{TAG}.part");
    old_link("b", &world.home.join(&link));
    let before = world.files();
    let ended = world.clean(&["--yes"]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(ended.stdout, "");
    assert!(before.contains(&hidden) && before.contains(&link));
    assert_eq!(world.files(), before);
}

/// Some servers show in a listing what a link leads to. Here the directory becomes one just then.
#[tokio::test]
async fn a_directory_that_turns_out_to_be_a_link_is_not_read() {
    let mut world = world().await;
    world.set("SSH_DIR", "/in");
    let hidden = world.temporary("elsewhere/", "a", OLD);
    fs::create_dir_all(world.home.join("in/x")).expect("a directory");
    let at = world.home.join("in/x");
    world.server.hook(nth(Operation::Lstat, 1, move || {
        let at = at.clone();
        Action::Run(Box::new(move || {
            fs::remove_dir(&at).expect("an empty directory");
            symlink("../elsewhere", &at).expect("a link");
        }))
    }));
    let ended = world.clean(&["--yes"]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(ended.stdout, "");
    assert!(world.files().contains(&hidden));
    assert!(world.home.join("in/x").is_symlink());
}

#[tokio::test]
async fn a_refused_removal_is_exit_status_1_and_the_others_are_removed() {
    let world = world().await;
    let [first, second, third] = ["a", "b", "c"].map(|name| world.temporary("", name, OLD));
    refuse(
        &world.server,
        Operation::Remove,
        ".b.0123456789abcdef0123.part",
    );
    let ended = world.clean(&["--yes"]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let refused = "not removed: Permission denied (SFTP status 3, PERMISSION_DENIED)";
    let expected = [
        line(&first, "removed"),
        line(&second, refused),
        line(&third, "removed"),
    ];
    assert_eq!(ended.lines(), expected);
    assert_eq!(world.files(), [second]);
}

#[tokio::test]
async fn somebody_who_was_faster_is_no_failure() {
    let world = world().await;
    let path = world.temporary("", "a", OLD);
    let on_disk = world.home.join(&path);
    world.server.hook(nth(Operation::Remove, 1, move || {
        let on_disk = on_disk.clone();
        Action::Run(Box::new(move || fs::remove_file(on_disk).expect("a file")))
    }));
    let ended = world.clean(&["--yes"]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(ended.lines(), [line(&path, "gone meanwhile")]);
}

#[tokio::test]
async fn a_directory_that_cannot_be_read_is_told_and_passed_over() {
    let world = world().await;
    world.temporary("secret/", "a", OLD);
    let path = world.temporary("x/", "b", OLD);
    refuse(&world.server, Operation::Opendir, "secret");
    let ended = world.clean(&["--yes"]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert_eq!(ended.lines(), [line(&path, "removed")]);
    assert!(
        ended
            .stderr
            .contains("secret could not be read: Permission denied"),
        "{ended:?}"
    );
}

#[tokio::test]
async fn a_listing_that_breaks_off_is_told_and_what_was_listed_counts() {
    let world = world().await;
    for number in 0..150 {
        world.temporary("", &format!("{number}"), OLD);
    }
    world.server.hook(nth(Operation::Readdir, 2, || {
        Action::refuse(status::FAILURE)
    }));
    let ended = world.clean(&["--yes"]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(
        ended.stderr.contains(". could not be read"),
        "{}",
        ended.stderr
    );
    assert_eq!(world.files().len() + ended.lines().len(), 150);
    assert!(!ended.lines().is_empty());
}

#[tokio::test]
async fn thousands_come_in_several_answers_and_all_are_removed() {
    let world = world().await;
    for number in 0..2500 {
        world.temporary("x/", &format!("{number}"), OLD);
    }
    world.file("x/kept", OLD);
    let ended = world.clean(&["--yes"]).await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(ended.lines().len(), 2500);
    assert!(ended.lines().iter().all(|line| line.ends_with("  removed")));
    assert!(world.server.requests_of(Operation::Readdir).len() > 25);
    assert_eq!(world.files(), ["x/kept"]);
}

#[tokio::test]
async fn a_depth_that_has_no_end_is_cut_and_said_so() {
    let world = world().await;
    let shallow = world.temporary(&"d/".repeat(32), "a", OLD);
    let deep = world.temporary(&"d/".repeat(33), "a", OLD);
    let ended = world.clean(&["--yes"]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert_eq!(ended.lines(), [line(&shallow, "removed")]);
    assert!(
        ended.stderr.contains("more than 32 directories deep"),
        "{ended:?}"
    );
    assert_eq!(world.files(), [deep]);
}

/// Servers that know no time send 0.
#[tokio::test]
async fn a_temporary_without_a_time_is_listed_and_not_removed() {
    let world = world().await;
    let path = world.temporary("", "a", OLD);
    let file = File::open(world.home.join(&path)).expect("a file");
    touch(&file, UNIX_EPOCH);
    let ended = world.clean(&["--yes"]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let expected =
        format!("{path}  3 bytes  age unknown  not removed: the server does not tell its age");
    assert_eq!(ended.lines(), [expected]);
    assert_eq!(world.files(), [path]);
}

/// The clock of a server may be ahead.
#[tokio::test]
async fn a_temporary_of_the_future_is_young() {
    let world = world().await;
    let path = world.temporary("", "a", OLD);
    let file = File::open(world.home.join(&path)).expect("a file");
    touch(&file, SystemTime::now() + OLD);
    let ended = world.clean(&["--yes", "--older-than", "1s"]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(world.files(), [path]);
}

#[tokio::test]
async fn names_that_no_delivery_makes_are_passed_over() {
    let world = world().await;
    // The keys that may log in: nothing is delivered there, and nothing is looked for.
    let keys = world.temporary(".ssh/", "a", OLD);
    let path = world.temporary("x/", "a", OLD);
    let odd = [b".\xff.", TAG.as_bytes(), b".part"].concat();
    let odd = File::create(world.home.join(OsStr::from_bytes(&odd))).expect("a name is bytes");
    touch(&odd, SystemTime::now() - OLD);
    fs::create_dir(world.home.join(OsStr::from_bytes(b"\xff"))).expect("a directory's too");
    fs::create_dir(world.home.join("line\nbreak")).expect("and line breaks");

    let ended = world.clean(&["--yes", "--older-than", "1s"]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(ended.lines(), [line(&path, "removed")]);
    assert!(world.files().contains(&keys));
    assert_eq!(world.files().len(), 2, "{:?}", world.files());
}

#[tokio::test]
async fn json_has_a_line_for_each() {
    let world = world().await;
    let path = world.temporary("", "a", OLD);
    let aside = format!(".b.{TAG}.old.part");
    world.file(&aside, OLD);
    world.temporary("secret/", "c", OLD);
    refuse(&world.server, Operation::Opendir, "secret");
    for (arguments, outcome) in [
        (&["--json"][..], "would_remove"),
        (&["--json", "--yes"], "removed"),
    ] {
        let ended = world.clean(arguments).await;
        assert_eq!(ended.code, Some(1), "{ended:?}");
        let mut lines: Vec<Value> = ended
            .lines()
            .iter()
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect();
        for line in &mut lines[..2] {
            let age = line["age_seconds"].take().as_u64().expect("a number");
            assert!((OLD.as_secs()..OLD.as_secs() + 600).contains(&age), "{age}");
        }
        let denied = "Permission denied (SFTP status 3, PERMISSION_DENIED)";
        let by_hand = "nothing has its name; rename it back by hand to b";
        let expected = [
            json!({ "path": path, "bytes": 3, "age_seconds": null, "outcome": outcome }),
            json!({ "path": aside, "bytes": 3, "age_seconds": null, "outcome": "kept", "reason": by_hand }),
            json!({ "path": "secret", "outcome": "unread", "reason": denied }),
        ];
        assert_eq!(lines, expected);
    }
}

#[tokio::test]
async fn a_directory_that_is_not_there_is_no_success() {
    let mut world = world().await;
    world.set("SSH_DIR", "missing");
    let ended = world.clean(&["--json"]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let line: Value = serde_json::from_str(&ended.stdout).expect("JSON");
    assert_eq!(line["error_type"], "DirectoryMissing");
    for part in [
        "looking for temporaries failed",
        "missing does not exist",
        "next: ",
    ] {
        assert!(ended.stderr.contains(part), "{part}: {ended:?}");
    }
}

#[tokio::test]
async fn a_connection_that_breaks_is_exit_status_1() {
    let world = world().await;
    world.temporary("", "a", OLD);
    world
        .server
        .hook(nth(Operation::Remove, 1, || Action::Disconnect));
    let ended = world.clean(&["--yes"]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("REMOVE of .a."), "{ended:?}");
    assert_eq!(ended.stdout, "");
}

#[tokio::test]
async fn no_connection_is_exit_status_1_and_bad_settings_2() {
    let mut world = world().await;
    let closed = closed_port();
    world.set("SSH_PORT", closed.port().to_string());
    let ended = world.clean(&[]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(
        ended.stderr.contains("connecting to the server failed"),
        "{ended:?}"
    );
    world.set("SSH_PORT", "ssh");
    let ended = world.clean(&[]).await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.stderr.contains("SSH_PORT"), "{ended:?}");
}

/// Help needs no settings, and says whose clock counts.
#[tokio::test]
async fn help_says_what_is_found_and_by_whose_clock() {
    let world = world().await;
    let ended = world.clean(&["--help"]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    for part in [
        "--yes",
        "--older-than",
        "--json",
        "SSH_TEMPORARY_NAME",
        "this machine's clock",
    ] {
        assert!(ended.stdout.contains(part), "{part}: {ended:?}");
    }
}

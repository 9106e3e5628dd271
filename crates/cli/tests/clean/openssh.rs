//! On OpenSSH's sshd, with a private key from S3.

use std::os::unix::fs::symlink;

use testkit::s3::S3Server;
use testkit::servers::Sshd;

use crate::world::{OLD, TAG, World, YOUNG, line, old_link};

async fn world() -> World<(Sshd, S3Server)> {
    let sshd = Sshd::start()
        .await
        .unwrap_or_else(|missing| panic!("{missing}"));
    let s3 = S3Server::start().await;
    let mut account = sshd.account();
    s3.create_bucket("keys");
    s3.put("keys", "id", account.private_key.take().expect("a key"));
    let environment = s3.env();
    let mut world = World::new(account, (sshd, s3));
    world.set("SSH_PRIVATE_KEY", "keys:id");
    for (name, value) in environment {
        world.set(&name, value);
    }
    world
}

#[tokio::test]
async fn what_is_old_and_ours_is_removed_and_nothing_else() {
    let world = world().await;
    let [first, second] = ["a.csv", "ä b.csv"].map(|name| world.temporary("x/", name, OLD));
    let aside = |name: &str| format!("x/.{name}.{TAG}.old.part");
    world.file(&aside("taken"), OLD);
    world.file("x/taken", OLD);
    world.file(&aside("missing"), OLD);
    let young = world.temporary("x/", "young", YOUNG);
    let link = format!("x/.link.{TAG}.part");
    old_link("taken", &world.home.join(&link));
    symlink("..", world.home.join("x/up")).expect("a link");
    let ended = world.clean(&["--yes"]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let path = |below: &str| format!("{}/{below}", world.home.display());
    let by_hand = "not removed: nothing has its name; rename it back by hand to";
    assert_eq!(
        ended.lines(),
        [
            line(&path(&first), "removed"),
            line(
                &path(&aside("missing")),
                &format!("{by_hand} {}", path("x/missing"))
            ),
            line(&path(&aside("taken")), "removed"),
            line(&path(&second), "removed"),
        ]
    );
    let aside = aside("missing");
    let mut left = [aside.as_str(), &young, &link, "x/taken", "x/up"];
    left.sort_unstable();
    assert_eq!(world.files(), left);
}

#[tokio::test]
async fn thousands_are_listed_to_the_last() {
    let world = world().await;
    for number in 0..3000 {
        world.temporary("", &number.to_string(), OLD);
    }
    let listed = world.clean(&[]).await;
    assert_eq!(listed.code, Some(0), "{}", listed.stderr);
    assert_eq!(listed.lines().len(), 3000);
    let ended = world.clean(&["--yes"]).await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(world.files(), [""; 0]);
}

#[tokio::test]
async fn an_ssh_dir_that_is_a_file_is_an_error() {
    let mut world = world().await;
    world.file("in", OLD);
    world.set("SSH_DIR", format!("{}/in", world.home.display()));
    let ended = world.clean(&[]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(
        ended.stderr.contains("looking for temporaries failed"),
        "{ended:?}"
    );
}

//! OpenSSH's sshd. Passwords are those of a user of this machine, made for the test: that takes root.

use std::sync::Arc;

use testkit::servers::Sshd;

use super::{BY_BOTH, BY_KEY, BY_PASSWORD, delivers};
use crate::bad_input::failure;
use crate::world::World;

const PASSWORD: &str = testkit::secret!("correct horse");

async fn sshd(lines: &[&str]) -> (World, Arc<Sshd>) {
    let server = Sshd::start_for_user(PASSWORD, lines).await;
    let server = Arc::new(server.unwrap_or_else(|missing| panic!("{missing}")));
    let world = World::new(server.account(), Arc::clone(&server)).await;
    (world, server)
}

/// How often a line of the log has it.
fn count(server: &Sshd, what: &str) -> usize {
    server.logs().matches(what).count()
}

#[tokio::test]
async fn openssh_lets_in_by_key() {
    let (world, server) = sshd(&["PasswordAuthentication yes"]).await;
    delivers(&world, BY_KEY).await;
    // A password that nobody asks for is not sent.
    delivers(&world, BY_BOTH).await;
    assert_eq!(count(&server, "Accepted publickey"), 2, "{}", server.logs());
    assert_eq!(count(&server, "password for"), 0, "{}", server.logs());
}

#[tokio::test]
async fn openssh_lets_in_by_password() {
    let only = [
        "PasswordAuthentication yes",
        "AuthenticationMethods password",
    ];
    let (world, server) = sshd(&only).await;
    delivers(&world, BY_PASSWORD).await;
    // The key is not judged there, and the password is asked for.
    delivers(&world, BY_BOTH).await;
    assert_eq!(count(&server, "Accepted password"), 2, "{}", server.logs());
}

/// By PAM: a single hidden prompt, on the connection on which the method `password` was not there.
#[tokio::test]
async fn openssh_lets_in_by_keyboard_interactive() {
    let only = [
        "UsePAM yes",
        "KbdInteractiveAuthentication yes",
        "AuthenticationMethods keyboard-interactive",
    ];
    let (world, server) = sshd(&only).await;
    delivers(&world, BY_PASSWORD).await;
    let logs = server.logs();
    assert!(logs.contains("Accepted keyboard-interactive"), "{logs}");
    assert_eq!(count(&server, "Connection from"), 1, "{logs}");
}

/// In any order, each half by itself is not enough.
#[tokio::test]
async fn openssh_lets_in_by_key_and_password() {
    for methods in ["publickey,password", "password,publickey"] {
        let line = format!("AuthenticationMethods {methods}");
        let (world, server) = sshd(&["PasswordAuthentication yes", &line]).await;
        delivers(&world, BY_BOTH).await;
        assert_eq!(
            count(&server, "Partial publickey") + count(&server, "Partial password"),
            1
        );
        std::fs::remove_file(world.home().join("f")).expect("it arrived");
        let asked = if methods.starts_with("publickey") {
            let (name, report) = failure(&world, BY_KEY).await;
            assert_eq!(name, "LoginRefused");
            (report, "SSH_PASSWORD")
        } else {
            let (name, report) = failure(&world, BY_PASSWORD).await;
            assert_eq!(name, "LoginRefused");
            (report, "SSH_PRIVATE_KEY")
        };
        let (report, setting) = asked;
        assert!(report.contains("which it took"), "{report}");
        assert!(
            report.contains(&format!("set {setting}, for which the server asks as well")),
            "{report}"
        );
    }
}

#[tokio::test]
async fn openssh_lets_in_by_key_and_keyboard_interactive() {
    let both = [
        "UsePAM yes",
        "KbdInteractiveAuthentication yes",
        "AuthenticationMethods publickey,keyboard-interactive",
    ];
    let (world, server) = sshd(&both).await;
    delivers(&world, BY_BOTH).await;
    assert_eq!(count(&server, "Connection from"), 1, "{}", server.logs());
}

/// What the server wants is a second factor, and the password is none.
#[tokio::test]
async fn openssh_that_asks_again_behind_the_password_gets_nothing_more() {
    let both = [
        "UsePAM yes",
        "PasswordAuthentication yes",
        "KbdInteractiveAuthentication yes",
        "AuthenticationMethods password,keyboard-interactive",
    ];
    let (world, server) = sshd(&both).await;
    let (name, report) = failure(&world, BY_PASSWORD).await;
    assert_eq!(name, "PromptNotAnswered", "{report}");
    assert!(report.contains("\"Password:\" (hidden)"), "{report}");
    assert!(report.contains("has been sent already"), "{report}");
    assert_eq!(count(&server, "Failed"), 0, "{}", server.logs());
}

/// Both methods would go to the same place, and count twice there.
#[tokio::test]
async fn openssh_is_sent_a_wrong_password_by_one_method_only() {
    let both = [
        "UsePAM yes",
        "PasswordAuthentication yes",
        "KbdInteractiveAuthentication yes",
    ];
    let (world, server) = sshd(&both).await;
    let wrong = [("SSH_PASSWORD", "wr0ng-horse")];
    let (name, report) = failure(&world, &wrong).await;
    assert_eq!(name, "LoginRefused", "{report}");
    assert!(
        report.contains("by password; it offers publickey, password, keyboard-interactive"),
        "{report}"
    );
    assert!(!report.contains("wr0ng-horse"), "{report}");
    let logs = server.logs();
    assert_eq!(count(&server, "Failed password"), 1, "{logs}");
    assert_eq!(count(&server, "Failed keyboard-interactive"), 0, "{logs}");
    assert_eq!(count(&server, "Connection from"), 1, "{logs}");
}

/// It says so, and ends the connection.
#[tokio::test]
async fn openssh_that_has_had_enough_is_quoted() {
    let (world, _server) = sshd(&["PasswordAuthentication yes", "MaxAuthTries 1"]).await;
    let wrong = [("SSH_PASSWORD", "wr0ng-horse")];
    let (name, report) = failure(&world, &wrong).await;
    assert_eq!(name, "LoginRefused", "{report}");
    assert!(
        report.contains("Too many authentication failures"),
        "{report}"
    );
}

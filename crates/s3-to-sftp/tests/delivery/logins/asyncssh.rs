//! AsyncSSH: questions of every kind, and logins in parts.

use std::sync::Arc;

use testkit::servers::AsyncSsh;
use testkit::servers::asyncssh::Logins;

use super::algorithms::rsa_key;
use super::{BY_BOTH, BY_KEY, BY_PASSWORD, delivers};
use crate::bad_input::failure;
use crate::world::World;

async fn asyncssh(logins: Logins<'_>) -> (World, Arc<AsyncSsh>) {
    let server = AsyncSsh::start(logins).await;
    let server = Arc::new(server.unwrap_or_else(|missing| panic!("{missing}")));
    let world = World::new(server.account(), Arc::clone(&server)).await;
    (world, server)
}

async fn asks(questions: &[&[(&str, bool)]]) -> (World, Arc<AsyncSsh>) {
    let logins = Logins {
        methods: &["keyboard-interactive"],
        questions,
        ..Logins::default()
    };
    asyncssh(logins).await
}

async fn wants(methods: &[&str]) -> (World, Arc<AsyncSsh>) {
    let logins = Logins {
        methods,
        all: true,
        ..Logins::default()
    };
    asyncssh(logins).await
}

#[tokio::test]
async fn asyncssh_lets_in_by_key() {
    let (world, server) = asyncssh(Logins::default()).await;
    delivers(&world, BY_KEY).await;
    delivers(&world, BY_BOTH).await;
    assert_eq!(server.passwords_sent(), 0, "{}", server.logs());
}

#[tokio::test]
async fn asyncssh_lets_in_by_password() {
    let logins = Logins {
        methods: &["password"],
        ..Logins::default()
    };
    let (world, server) = asyncssh(logins).await;
    delivers(&world, BY_PASSWORD).await;
    delivers(&world, BY_BOTH).await;
    assert_eq!(server.passwords_sent(), 2, "{}", server.logs());
}

/// One prompt, whatever it is called and whatever else is told before and behind it.
#[tokio::test]
async fn asyncssh_lets_in_by_keyboard_interactive() {
    for questions in [
        &[&[("Password: ", false)][..]][..],
        &[&[("acme's Kennwort:", false)]],
        &[&[], &[("Password: ", false)], &[]],
    ] {
        let (world, server) = asks(questions).await;
        delivers(&world, BY_PASSWORD).await;
        assert_eq!(server.passwords_sent(), 1, "{}", server.logs());
    }
}

#[tokio::test]
async fn asyncssh_lets_in_by_key_and_password() {
    for methods in [["publickey", "password"], ["password", "publickey"]] {
        let (world, server) = wants(&methods).await;
        delivers(&world, BY_BOTH).await;
        assert_eq!(server.passwords_sent(), 1, "{}", server.logs());
    }
}

#[tokio::test]
async fn asyncssh_lets_in_by_key_and_keyboard_interactive() {
    let (world, server) = wants(&["publickey", "keyboard-interactive"]).await;
    delivers(&world, BY_BOTH).await;
    assert_eq!(server.passwords_sent(), 1, "{}", server.logs());
    std::fs::remove_file(world.home().join("f")).expect("it arrived");
    let (name, report) = failure(&world, BY_KEY).await;
    assert_eq!(name, "PromptNotAnswered", "{report}");
    assert!(report.contains("\"Password:\" (hidden)"), "{report}");
    assert!(report.contains("next: set SSH_PASSWORD"), "{report}");
}

/// The questions are in the error, without what would colour a terminal; the password has not left.
#[tokio::test]
async fn asyncssh_that_asks_anything_else_is_refused_with_its_prompts() {
    for (questions, found, next) in [
        (
            &[("Verification\u{1b}[2J code: ", false)][..],
            "\"Verification [2J code:\" (hidden); that is a one-time code",
            "a login without a one-time code",
        ),
        (
            &[("Password: ", false), ("Date of birth: ", true)],
            "\"Password:\" (hidden), \"Date of birth:\" (shown); the password answers a single prompt",
            "a login by private key",
        ),
        (
            &[("Username: ", true)],
            "\"Username:\" (shown); the password answers a hidden prompt",
            "a login by private key",
        ),
        (
            &[("New password: ", false)],
            "the old one has expired",
            "change it, and set SSH_PASSWORD",
        ),
    ] {
        let (world, server) = asks(&[questions]).await;
        let (name, report) = failure(&world, BY_PASSWORD).await;
        assert_eq!(name, "PromptNotAnswered", "{report}");
        assert!(report.contains(found), "{report}");
        assert!(report.contains(next), "{report}");
        assert!(!report.contains("secret;"), "{report}");
        assert_eq!(server.passwords_sent(), 0, "{}", server.logs());
    }
}

/// Behind the password, as for a code that is texted to somebody.
#[tokio::test]
async fn asyncssh_that_asks_for_more_behind_the_password_is_refused() {
    let questions: &[&[(&str, bool)]] = &[&[("Password: ", false)], &[("SMS passcode: ", false)]];
    let (world, server) = asks(questions).await;
    let (name, report) = failure(&world, BY_PASSWORD).await;
    assert_eq!(name, "PromptNotAnswered", "{report}");
    assert!(report.contains("SMS passcode"), "{report}");
    assert_eq!(server.passwords_sent(), 1, "{}", server.logs());
}

/// It offers both methods for the same password.
#[tokio::test]
async fn asyncssh_is_sent_a_wrong_password_by_one_method_only() {
    for methods in [
        &["password", "keyboard-interactive"][..],
        &["keyboard-interactive"],
        &["password"],
    ] {
        let logins = Logins {
            methods,
            ..Logins::default()
        };
        let (world, server) = asyncssh(logins).await;
        let (name, report) = failure(&world, &[("SSH_PASSWORD", "wr0ng")]).await;
        assert_eq!(name, "LoginRefused", "{report}");
        let (_, offered) = report.split_once("it offers ").expect("it tells");
        for method in methods {
            assert!(offered.contains(method), "{report}");
        }
        assert_eq!(server.passwords_sent(), 1, "{}", server.logs());
    }
}

/// A server that takes an RSA key's signature by SHA-1 alone, and says so.
#[tokio::test]
async fn asyncssh_of_long_ago_takes_an_rsa_key_where_that_is_asked_for() {
    let directory = tempfile::tempdir().expect("a directory");
    let (path, public) = rsa_key(directory.path(), "user");
    let logins = Logins {
        user_key: Some(&public),
        signatures: &["ssh-rsa"],
        ..Logins::default()
    };
    let (mut world, server) = asyncssh(logins).await;
    world.account.private_key = Some(std::fs::read_to_string(path).expect("it was made"));
    let (name, report) = failure(&world, BY_KEY).await;
    assert_eq!(name, "NoCommonAlgorithm", "{report}");
    assert!(report.contains("only signatures by ssh-rsa"), "{report}");
    assert!(
        report.contains("SSH_PUBKEY_ALGORITHMS=+ssh-rsa"),
        "{report}"
    );
    delivers(
        &world,
        &[BY_KEY, &[("SSH_PUBKEY_ALGORITHMS", "+ssh-rsa")]].concat(),
    )
    .await;
    assert_eq!(server.passwords_sent(), 0);
}

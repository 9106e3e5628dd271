//! Logins that take more than a password, and servers that take back what they offered.

use s3_to_sftp::receipt::Outcome;
use testkit::sftp::{Method, SftpServer};

use super::{failure, with};
use crate::world::World;

async fn delivers(world: &World, extra: &[(&str, &str)]) {
    world.put("f", "content");
    let outcome = world.deliver_by(&world.deliverer(extra), "f").await;
    match outcome {
        Outcome::Failed(error) => panic!("{}", error.report()),
        Outcome::Delivered(..) => assert_eq!(world.file("f"), b"content"),
        other => panic!("{other:?}"),
    }
}

/// A server that has no method `password` says so by its list. Where the list is known to be whole, the questions are
/// answered on the same connection.
#[tokio::test]
async fn a_server_with_questions_only() {
    let builder = || SftpServer::builder().keyboard_interactive();
    let openssh = builder().identification("SSH-2.0-OpenSSH_9.9");
    for (builder, connections) in [(openssh, 1), (builder().keeps_list(), 2), (builder(), 2)] {
        let (world, server) = with(builder).await;
        delivers(&world, &[]).await;
        assert_eq!(server.connections(), connections);
        let answered = |it: &testkit::sftp::LoginAttempt| it.method == Method::KeyboardInteractive;
        assert_eq!(server.logins().iter().filter(|it| answered(it)).count(), 1);
    }
}

/// Servers on russh take a method off the list when it has failed. To believe that list would be to send the same password by the
/// other method.
#[tokio::test]
async fn a_wrong_password_is_sent_by_one_method_only() {
    for keeps_list in [false, true] {
        let mut builder = SftpServer::builder().also_keyboard_interactive();
        if keeps_list {
            builder = builder.keeps_list();
        }
        let (world, server) = with(builder).await;
        let (name, report) = failure(&world, &[("SSH_PASSWORD", "wr0ng")]).await;
        assert_eq!(name, "LoginRefused", "{report}");
        assert_eq!(server.credentials_sent(), 1, "{:?}", server.logins());
    }
}

/// The round trips of an ordinary login are as few as before: nothing is asked first.
#[tokio::test]
async fn a_right_password_is_the_first_thing_that_is_sent() {
    let (world, server) = with(SftpServer::builder().also_keyboard_interactive()).await;
    delivers(&world, &[]).await;
    assert_eq!(server.connections(), 1);
    let methods: Vec<_> = server.logins().iter().map(|it| it.method).collect();
    assert_eq!(methods, [Method::Password]);
}

#[tokio::test]
async fn rounds_without_a_question_are_answered_with_nothing() {
    let rounds: &[&[(&str, bool)]] = &[&[], &[("Password: ", false)], &[]];
    let builder = SftpServer::builder()
        .keyboard_interactive()
        .questions(rounds);
    let (world, _server) = with(builder).await;
    delivers(&world, &[]).await;
}

#[tokio::test]
async fn a_server_that_never_stops_asking() {
    let nothing: &[(&str, bool)] = &[];
    let builder = SftpServer::builder()
        .keyboard_interactive()
        .questions(&[nothing; 1000]);
    let (world, _server) = with(builder).await;
    let (name, report) = failure(&world, &[]).await;
    assert_eq!(name, "ConnectionBroken", "{report}");
    assert!(report.contains("never ends"), "{report}");
}

#[tokio::test]
async fn a_key_and_questions_are_both_needed() {
    let builder = SftpServer::builder().keyboard_interactive().requires_both();
    let (world, server) = with(builder).await;
    delivers(&world, &[("SSH_PRIVATE_KEY", "secrets:key")]).await;
    assert_eq!(server.connections(), 1);
    assert_eq!(server.credentials_sent(), 2, "{:?}", server.logins());
}

/// With the key changed and the password as it was, the password is not sent again.
#[tokio::test]
async fn a_refused_password_is_not_sent_again_with_a_changed_key() {
    let builder = || SftpServer::builder().host_key_seed(7);
    let server = builder().requires_both().start().await;
    let port = server.port();
    let world = World::new(server.account(), ()).await;
    let deliverer = world.deliverer(&[("SSH_PRIVATE_KEY", "secrets:key")]);
    world.put("one", "content");
    let outcome = world.deliver_by(&deliverer, "one").await;
    assert!(matches!(outcome, Outcome::Delivered(..)), "{outcome:?}");
    drop(server);

    let server = builder().port(port).reject_auth().start().await;
    let another = SftpServer::start().await.account().private_key;
    let another = another.expect("every account has one");
    world.s3.store().put("secrets", "key", another);
    world.put("two", "content");
    let outcome = world.deliver_by(&deliverer, "two").await;
    let Outcome::Failed(error) = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(error.name(), "LoginRefused", "{}", error.report());
    let sent = |method| {
        let logins = server.logins();
        logins.iter().filter(|it| it.method == method).count()
    };
    assert_eq!(sent(Method::PublicKeyOffer), 2, "{:?}", server.logins());
    assert_eq!(sent(Method::Password), 1, "{:?}", server.logins());
}

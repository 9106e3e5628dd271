//! Passwords that change, and logins that are kept or tried once more.

use super::*;

/// What a rotation does: the stage AWSCURRENT moves on at once, the partner changes the password later.
#[tokio::test]
async fn a_partner_who_is_behind_the_rotation_gets_the_password_before_it() {
    for reference in [("SSH_PASSWORD", SECRET), ("SSH_SECRET", SECRET)] {
        let whole = reference.0 == "SSH_SECRET";
        let stored = move |password: &str| {
            let connector = json!({ "Username": "acme", "Password": password });
            if whole {
                text(&connector.to_string())
            } else {
                text(password)
            }
        };
        let world =
            world(move |call| stored(if is_previous(call) { RIGHT } else { WRONG[0] })).await;
        let bootstrap = world.start(&[("SSH_PASSWORD", ""), reference]);
        assert_delivered(&world, "a").await;
        assert_eq!(world.sftp.credentials_sent(), 2);
        let logs = bootstrap.logs();
        assert!(logs.contains("AWSPREVIOUS"), "{logs}");
        // It goes on with it.
        world.sftp.disconnect_all();
        assert_delivered(&world, "b").await;
        assert_eq!(world.sftp.credentials_sent(), 3);
    }
}

/// Answers one text after the other; the last one again and again.
fn one_after_the_other(
    texts: &[&'static str],
    previous: Option<&'static str>,
) -> impl FnMut(&Call) -> Answer + Send + 'static {
    let mut left = texts.to_vec();
    left.reverse();
    move |call| {
        if is_previous(call) {
            return previous.map_or_else(none, text);
        }
        let last = left.last().copied().unwrap_or_default();
        if left.len() > 1 {
            left.pop();
        }
        text(last)
    }
}

#[tokio::test]
async fn a_password_that_changes_between_its_fetch_and_the_login_is_fetched_again() {
    let world = world(one_after_the_other(&[WRONG[0], RIGHT], Some(WRONG[0]))).await;
    let _bootstrap = world.start(&[("SSH_PASSWORD", SECRET)]);
    assert_delivered(&world, "a").await;
    assert_eq!(world.sftp.credentials_sent(), 2);
    assert_eq!(world.aws.of("GetSecretValue").len(), 2);
}

#[tokio::test]
async fn a_key_that_was_refused_is_not_offered_beside_a_new_password() {
    let world = world(one_after_the_other(&[WRONG[0], RIGHT], None)).await;
    let other = SftpServer::start().await.account();
    let other = other.private_key.expect("it takes keys");
    world.s3.create_bucket("secrets");
    world.s3.put("secrets", "other", other);
    let _bootstrap = world.start(&[
        ("SSH_PASSWORD", SECRET),
        ("SSH_PRIVATE_KEY", "secrets:other"),
    ]);
    assert_delivered(&world, "a").await;
    let logins = world.sftp.logins();
    let count = |method| logins.iter().filter(|it| it.method == method).count();
    assert_eq!(count(Method::Password), 2, "{logins:?}");
    assert_eq!(count(Method::PublicKeyOffer), 1, "{logins:?}");
}

#[tokio::test]
async fn a_login_is_kept_and_not_fetched_for_every_connection() {
    let world = world(|_| text(RIGHT)).await;
    let _bootstrap = world.start(&[("SSH_PASSWORD", SECRET), ("SSH_KEEP_CONNECTION", "no")]);
    for key in ["a", "b", "c"] {
        assert_delivered(&world, key).await;
    }
    assert_eq!(world.sftp.connections(), 3);
    assert_eq!(world.aws.of("GetSecretValue").len(), 1);
}

/// The three log-ins: with what an earlier invocation has fetched, with what is stored now, with what was before.
#[tokio::test]
async fn there_are_three_log_ins_at_most() {
    let world = world(one_after_the_other(
        &[RIGHT, WRONG[0], WRONG[1]],
        Some(WRONG[2]),
    ))
    .await;
    let port = world.sftp.port();
    let bootstrap = world.start(&[("SSH_PASSWORD", SECRET)]);
    assert_delivered(&world, "a").await;

    // The partner has a password of which nobody knows.
    let World { s3, sftp, api, aws } = world;
    sftp.disconnect_all();
    drop(sftp);
    let sftp = SftpServer::builder()
        .password(Some(secret!("of nobody")))
        .host_key_seed(7)
        .port(port)
        .start()
        .await;
    let world = World { s3, sftp, api, aws };
    let objects = ["b", "c", "d"].map(|key| world.upload(key, "content"));
    let outcome = world.api.invoke(crate::world::notification(&objects)).await;
    assert_eq!(outcome.error().0, "LoginRefused", "{outcome:?}");
    assert_eq!(world.sftp.credentials_sent(), 3, "{}", bootstrap.logs());
    let (name, _) = assert_failed(&world, "e").await;
    assert_eq!(name, "LoginRefused");
    assert_eq!(world.sftp.credentials_sent(), 3, "the server is left alone");
}

#[tokio::test]
async fn the_same_password_is_offered_once() {
    for (reference, previous) in [
        (SECRET, Some(WRONG[0])),
        (SECRET, None),
        (PARAMETER, None),
        (WRONG[0], None),
    ] {
        let world = world(move |call| {
            if call.action == "GetParameter" {
                Answer::Body(json!({ "Parameter": { "Value": WRONG[0] } }))
            } else if is_previous(call) {
                previous.map_or_else(none, text)
            } else {
                text(WRONG[0])
            }
        })
        .await;
        let _bootstrap = world.start(&[("SSH_PASSWORD", reference)]);
        let (name, _) = assert_failed(&world, "a").await;
        assert_eq!(name, "LoginRefused");
        assert_eq!(world.sftp.credentials_sent(), 1, "{reference} {previous:?}");
    }
}

//! What a store does not give, and what it gives that cannot be used.

use super::*;

const DENIED: &str = "User: arn:aws:sts::123456789012:assumed-role/acme/f is not authorized to perform: \
                      secretsmanager:GetSecretValue because no identity-based policy allows it";

#[tokio::test]
async fn a_store_that_gives_no_value_is_named_with_the_next_step() {
    let field = format!("{SECRET}#Password");
    let denied_parameter = format!("ssm:GetParameter on {PARAMETER}");
    let denied_secret = format!("secretsmanager:GetSecretValue on {SECRET}");
    let said = |code, message| Answer::Said(400, code, message);
    let rows: Vec<(&str, &str, Answer, Vec<&str>)> = vec![
        (
            "access denied",
            SECRET,
            said("AccessDeniedException", DENIED),
            vec!["access was denied", &denied_secret],
        ),
        (
            "access denied to a parameter",
            PARAMETER,
            said("AccessDeniedException", "is not authorized"),
            vec![&denied_parameter],
        ),
        (
            "KMS",
            SECRET,
            said("AccessDeniedException", "Access to KMS is not allowed"),
            vec!["kms:Decrypt"],
        ),
        (
            "KMS of a parameter",
            PARAMETER,
            said(
                "AccessDeniedException",
                "The ciphertext refers to a customer master key that does not exist",
            ),
            vec!["kms:Decrypt"],
        ),
        (
            "a key that is gone",
            SECRET,
            said("DecryptionFailure", "Secrets Manager can't decrypt"),
            vec!["kms:Decrypt"],
        ),
        (
            "not found",
            SECRET,
            said(
                "ResourceNotFoundException",
                "Secrets Manager can't find the specified secret.",
            ),
            vec!["there is none", "region and account"],
        ),
        (
            "no parameter",
            PARAMETER,
            said("ParameterNotFound", ""),
            vec!["there is none"],
        ),
        (
            "pending deletion",
            SECRET,
            said(
                "InvalidRequestException",
                "You can't perform this operation on the secret because it was marked for deletion.",
            ),
            vec!["marked for deletion", "RestoreSecret"],
        ),
        (
            "binary",
            SECRET,
            Answer::Body(json!({ "SecretBinary": "/+8=" })),
            vec!["binary"],
        ),
        ("empty", SECRET, text(""), vec!["it is empty"]),
        (
            "no value",
            SECRET,
            Answer::Body(json!({})),
            vec!["it is empty"],
        ),
        (
            "an empty parameter",
            PARAMETER,
            Answer::Body(json!({ "Parameter": {} })),
            vec!["it is empty"],
        ),
        (
            "no JSON",
            &field,
            text(RIGHT),
            vec!["no JSON object", "\"Password\"", "leave out the `#`"],
        ),
        (
            "another field",
            &field,
            text(&json!({ "password": RIGHT, "user": "x" }).to_string()),
            vec![
                "no field \"Password\"",
                "it has \"password\", \"user\"",
                "capital letters",
            ],
        ),
        (
            "an empty field",
            &field,
            text("{\"Password\":\"\"}"),
            vec!["no field \"Password\", or an empty one"],
        ),
        (
            "a field of another kind",
            &field,
            text(&json!({ "Password": [RIGHT] }).to_string()),
            vec!["\"Password\" is no text", "quotes"],
        ),
        (
            "JSON and no field",
            SECRET,
            text(&json!({ "Password": RIGHT }).to_string()),
            vec!["the fields \"Password\"", "name the field"],
        ),
    ];
    for (what, reference, answer, expected) in rows {
        let world = world(move |_| answer.clone()).await;
        let _bootstrap = world.start(&[("SSH_PASSWORD", reference)]);
        let (name, message) = assert_failed(&world, "a").await;
        assert_eq!(name, "SecretUnavailable", "{what}: {message}");
        for part in [
            "SSH_PASSWORD",
            reference,
            "fetching the credentials",
            "; next: ",
        ] {
            assert!(message.contains(part), "{what}: {part} in {message}");
        }
        for part in expected {
            assert!(message.contains(part), "{what}: {part} in {message}");
        }
        assert_eq!(world.sftp.identifications(), [""; 0], "{what}");
    }
}

#[tokio::test]
async fn a_secret_of_several_fields_that_lacks_one_is_named() {
    for (what, stored, expected) in [
        (
            "no account",
            json!({ "Password": RIGHT }),
            "no field \"Username\"",
        ),
        (
            "other names",
            json!({ "username": "acme", "Password": RIGHT }),
            "it has \"Password\", \"username\"",
        ),
        (
            "no credential",
            json!({ "Username": "acme", "password": RIGHT }),
            "neither \"Password\" nor \"PrivateKey\"; it has \"Username\", \"password\"",
        ),
        (
            "not text",
            json!({ "Username": "acme", "Password": 7 }),
            "\"Password\" is no text",
        ),
        ("no object", json!(RIGHT), "it is no JSON object"),
    ] {
        let world = world(connector(&stored)).await;
        let _bootstrap = world.start(&[
            ("SSH_SECRET", SECRET),
            ("SSH_USERNAME", ""),
            ("SSH_PASSWORD", ""),
        ]);
        let (name, message) = assert_failed(&world, "a").await;
        assert_eq!(name, "SecretUnavailable", "{what}: {message}");
        assert!(message.contains(expected), "{what}: {message}");
        assert!(
            message.contains("SSH_SECRET") && message.contains(SECRET),
            "{message}"
        );
        assert_eq!(world.sftp.identifications(), [""; 0], "{what}");
    }
}

#[tokio::test]
async fn a_secret_that_holds_a_broken_key_says_so() {
    let stored =
        json!({ "Username": "acme", "PrivateKey": "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA" });
    let world = world(connector(&stored)).await;
    let _bootstrap = world.start(&[("SSH_SECRET", SECRET), ("SSH_PASSWORD", "")]);
    let (name, message) = assert_failed(&world, "a").await;
    assert_eq!(name, "PrivateKeyUnusable");
    assert!(message.contains("in SSH_SECRET"), "{message}");
}

/// The SDK tries three times within its time; the function's own goes before.
#[tokio::test]
async fn a_store_that_does_not_answer_costs_no_more_than_the_time_there_is() {
    let world = world(|_| Answer::Silence).await;
    let _bootstrap = world.start(&[("SSH_PASSWORD", SECRET), ("SSH_STALL_TIMEOUT", "2s")]);
    let begin = Instant::now();
    let invocation = Invocation::new(world.uploaded("a", "content")).time(Duration::from_secs(20));
    let outcome = world.api.run(&invocation).await;
    assert!(
        begin.elapsed() < Duration::from_secs(8),
        "{:?}",
        begin.elapsed()
    );
    let (name, message) = outcome.error();
    assert_eq!(name, "SecretUnavailable", "{message}");
    assert!(
        message.contains("did not answer well") && message.contains("endpoint"),
        "{message}"
    );
    assert!(world.has_source("a"));
}

/// A refusal is told as such, whatever the store does after it.
#[tokio::test]
async fn a_store_that_fails_after_a_refused_login_does_not_hide_it() {
    let calls = Arc::new(Mutex::new(0));
    let world = world(move |_| {
        let mut calls = calls.lock().expect("nobody panics");
        *calls += 1;
        if *calls == 1 {
            text(WRONG[0])
        } else {
            Answer::Said(400, "AccessDeniedException", "not any more")
        }
    })
    .await;
    let bootstrap = world.start(&[("SSH_PASSWORD", SECRET)]);
    let (name, _) = assert_failed(&world, "a").await;
    assert_eq!(name, "LoginRefused");
    assert_eq!(world.sftp.credentials_sent(), 1);
    let logs = bootstrap.logs();
    assert!(logs.contains("secretsmanager:GetSecretValue on"), "{logs}");
}

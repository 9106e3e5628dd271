use super::*;

#[test]
fn secrets_are_masked() {
    let shown = describe(lookup(&[
        ("SSH_PRIVATE_KEY", "TOPSECRET"),
        ("SSH_PORT", "2222"),
    ]));
    assert_eq!(shown.len(), TABLE.len());
    let text: Vec<_> = shown.iter().map(Shown::to_string).collect();
    for line in [
        "SSH_HOST=sftp.example.com",
        "SSH_PASSWORD=***",
        "SSH_PRIVATE_KEY=***",
        "SSH_PORT=2222",
    ] {
        assert!(text.iter().any(|shown| shown == line), "{line}: {text:?}");
    }
    assert!(
        text.contains(&"SSH_FILENAME={key} (default)".to_owned()),
        "{text:?}"
    );
    assert!(
        text.contains(&"SSH_DIR=login directory (default)".to_owned()),
        "{text:?}"
    );
    assert_eq!(
        shown
            .iter()
            .filter(|shown| shown.set && shown.row.secret)
            .count(),
        2
    );
}

#[test]
fn the_reference_of_a_key_is_shown_and_the_password_in_a_url_is_not() {
    let shown = describe(lookup(&[
        ("SSH_PRIVATE_KEY", "keys:id"),
        ("SSH_HOST", "acme:s3cret@host\n"),
        ("SWEEP_QUEUE_URL", "https://acme:s3cret@host/1/inbox"),
    ]));
    let text: Vec<_> = shown.iter().map(Shown::to_string).collect();
    assert!(
        text.contains(&"SSH_PRIVATE_KEY=keys:id".to_owned()),
        "{text:?}"
    );
    assert!(
        text.contains(&"SSH_HOST=***@host\\n".to_owned()),
        "{text:?}"
    );
    assert!(
        text.contains(&"SWEEP_QUEUE_URL=***@host/1/inbox".to_owned()),
        "{text:?}"
    );
}

#[test]
fn debugging_settings_shows_no_password() {
    let text = format!("{:?}", load(&[]).unwrap());
    assert!(!text.contains("hunter2") && text.contains("***"), "{text}");
}

#[test]
fn the_readme_lists_every_row() {
    let markdown = markdown();
    assert!(
        markdown.contains("| `SSH_PORT` * | `22` | port |\n"),
        "{markdown}"
    );
    assert!(
        markdown.contains("| `SSH_FILENAME` | `{key}` | "),
        "{markdown}"
    );
    assert_eq!(markdown.lines().count(), TABLE.len() + 2);
    assert!(
        markdown.lines().all(|line| line.matches('|').count() == 4),
        "{markdown}"
    );
}

#[test]
fn the_contract_is_what_it_was() {
    let contract: Vec<_> = TABLE
        .iter()
        .filter(|row| row.contract)
        .map(|row| row.name)
        .collect();
    assert_eq!(
        contract,
        [
            "SSH_HOST",
            "SSH_USERNAME",
            "SSH_PASSWORD",
            "SSH_PRIVATE_KEY",
            "SSH_PORT",
            "SSH_DIR",
        ]
    );
}

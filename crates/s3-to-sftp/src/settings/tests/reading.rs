use std::cell::RefCell;
use std::collections::BTreeSet;

use super::*;

#[test]
fn the_least_takes_every_default() {
    let Loaded { settings, warnings } = load(&[]).unwrap();
    assert_eq!(settings.host, "sftp.example.com");
    assert_eq!(settings.port, 22);
    assert_eq!(settings.username.as_deref(), Some("acme"));
    assert_eq!(here(settings.password), "hunter2");
    assert!(settings.private_key.is_none() && settings.secret.is_none());
    assert!(settings.passphrase.is_none() && settings.certificate.is_none());
    assert_eq!(settings.dir, None);
    assert_eq!(settings.filename, FilenameTemplate::parse("{key}").unwrap());
    assert_eq!(settings.strip_prefix, None);
    assert_eq!(settings.after_delivery, AfterDelivery::Delete);
    assert_eq!(
        settings.temporary_name,
        TemporaryTemplate::parse(".{name}.{tag}.part").unwrap()
    );
    assert_eq!(settings.host_keys, None);
    assert_eq!(settings.on_conflict, OnConflict::Replace);
    assert_eq!(settings.upload, UploadMode::Temporary);
    assert_eq!(settings.file_mode, None);
    assert_eq!(settings.verify, Verify::Size);
    assert_eq!(settings.connect_timeout, Duration::from_secs(10));
    assert_eq!(settings.stall_timeout, Duration::from_secs(30));
    assert_eq!(settings.dead_letter_queue_url, None);
    assert_eq!(settings.log_level, LogLevel::Info);
    assert_eq!(settings.memory, None);
    assert_eq!(warnings, [""; 0]);
}

#[test]
fn empty_is_unset() {
    let all: Vec<_> = TABLE.iter().map(|row| (row.name, "")).collect();
    let problems = Settings::from_lookup(lookup(&all)).unwrap_err();
    let names: Vec<_> = problems.iter().map(|problem| problem.name).collect();
    assert_eq!(names, ["SSH_HOST", "SSH_USERNAME", "SSH_PASSWORD"]);
    assert_eq!(settings(&[("SSH_PORT", ""), ("SSH_DIR", "")]).port, 22);
}

#[test]
fn all_problems_are_in_one_message() {
    let text = load(&[
        ("SSH_HOST", "sftp://acme:s3cret@sftp.example.com:2222/in"),
        ("SSH_USERNAME", ""),
        ("SSH_PASSWORD", ""),
        ("SSH_PORT", "70000"),
        ("SSH_FILENAME", "{date}"),
        ("SSH_CONNECT_TIMEOUT", "0"),
    ])
    .unwrap_err()
    .to_string();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 7, "{text}");
    assert_eq!(lines[0], "6 settings cannot be used:");
    for (line, name) in lines[1..].iter().zip([
        "SSH_HOST=***@sftp.example.com:2222/in: ",
        "SSH_USERNAME: is required",
        "SSH_PORT=70000: ",
        "SSH_FILENAME={date}: ",
        "SSH_CONNECT_TIMEOUT=0: ",
        "SSH_PASSWORD: neither this nor SSH_PRIVATE_KEY",
    ]) {
        assert!(line.trim_start().starts_with(name), "{line}");
    }
    assert!(!text.contains("s3cret"), "{text}");
}

/// The table drives: each row is read, and nothing is read that is no row.
#[test]
fn reads_the_rows_of_the_table() {
    let asked = RefCell::new(BTreeSet::new());
    let _ = Settings::from_lookup(|name| {
        asked.borrow_mut().insert(name.to_owned());
        None
    });
    for row in TABLE {
        assert!(
            asked.borrow().contains(row.name),
            "{} is not read",
            row.name
        );
    }
}

#[test]
fn defaults_of_the_table_are_values_themselves() {
    for row in TABLE {
        if let Fallback::Value(default) = row.fallback {
            assert!(load(&[(row.name, default)]).is_ok(), "{}", row.name);
        }
    }
}

#[test]
fn either_login_is_enough_and_both_are_fine() {
    let key = ("SSH_PRIVATE_KEY", "keys:id_ed25519");
    let by_key = settings(&[("SSH_PASSWORD", ""), key]);
    assert!(by_key.password.is_none() && by_key.private_key.is_some());
    let both = settings(&[key]);
    assert!(both.password.is_some() && both.private_key.is_some());
}

#[test]
fn a_login_that_is_wrong_is_not_missing() {
    let problems = load(&[("SSH_PASSWORD", ""), ("SSH_PRIVATE_KEY", "id_ed25519")]).unwrap_err();
    assert_eq!(
        problems.iter().map(|p| p.name).collect::<Vec<_>>(),
        ["SSH_PRIVATE_KEY"]
    );
}

#[test]
fn the_object_that_the_settings_name_is_known() {
    let settings = settings(&[
        ("SSH_PRIVATE_KEY", "inbox:keys/id"),
        ("SSH_HOST_KEY", "s3://inbox/keys/known_hosts"),
        ("SSH_CERTIFICATE", "inbox:keys/id-cert.pub"),
    ]);
    let object = |key: &str| ObjectName {
        bucket: "inbox".to_owned(),
        key: key.to_owned(),
    };
    let named = settings.names(&object("keys/id")).unwrap();
    assert!(named.contains("SSH_PRIVATE_KEY"), "{named}");
    let named = settings.names(&object("keys/known_hosts")).unwrap();
    assert!(named.contains("SSH_HOST_KEY"), "{named}");
    let named = settings.names(&object("keys/id-cert.pub")).unwrap();
    assert!(named.contains("SSH_CERTIFICATE"), "{named}");
    assert_eq!(settings.names(&object("keys/id2")), None);
}

#[test]
fn what_lies_in_the_archive_is_known() {
    let object = |bucket: &str, key: &str| ObjectName {
        bucket: bucket.to_owned(),
        key: key.to_owned(),
    };
    let within = settings(&[("S3_AFTER_DELIVERY", "move:s3://inbox/done")]);
    assert_eq!(
        within.skip(&object("inbox", "done/f")),
        Some(Skip::Archived)
    );
    assert_eq!(within.names(&object("inbox", "done/f")), None);
    for (bucket, key) in [
        ("inbox", "f"),
        ("inbox", "done2/f"),
        ("inbox", "done"),
        ("other", "done/f"),
    ] {
        assert_eq!(within.skip(&object(bucket, key)), None, "{bucket} {key}");
        assert_eq!(within.names(&object(bucket, key)), None, "{bucket} {key}");
    }
    // Without a prefix, its own bucket is all archive.
    let all = settings(&[("S3_AFTER_DELIVERY", "move:s3://inbox/")]);
    let named = all.names(&object("inbox", "f")).unwrap();
    assert!(named.contains("S3_AFTER_DELIVERY"), "{named}");
    assert_eq!(all.skip(&object("inbox", "f")), None);
    assert_eq!(all.names(&object("other", "f")), None);
}

/// Lambda's own variable, in MiB. It is no setting: nonsense in it must not stop the function.
#[test]
fn the_memory_is_what_lambda_says() {
    for (value, bytes) in [
        ("128", Some(134_217_728)),
        ("10240", Some(10_737_418_240)),
        ("", None),
        ("0", None),
        ("-1", None),
        ("much", None),
        ("18446744073709551615", None),
    ] {
        let Loaded { settings, warnings } =
            load(&[("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", value)]).unwrap();
        assert_eq!(settings.memory, bytes, "{value}");
        assert_eq!(warnings, [""; 0]);
    }
}

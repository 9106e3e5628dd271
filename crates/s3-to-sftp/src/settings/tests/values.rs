use super::*;

#[test]
fn hosts() {
    for (value, expected) in [
        ("sftp.example.com", "sftp.example.com"),
        (" sftp.example.com\n", "sftp.example.com"),
        ("192.0.2.1", "192.0.2.1"),
        ("::1", "::1"),
        ("2001:db8::1", "2001:db8::1"),
        ("[::1]", "::1"),
        ("fe80::1%eth0", "fe80::1%eth0"),
    ] {
        assert_eq!(settings(&[("SSH_HOST", value)]).host, expected);
    }
    for (value, hint) in [
        ("sftp.example.com:22", "SSH_PORT"),
        ("192.0.2.1:22", "SSH_PORT"),
        ("[::1]:22", "SSH_PORT"),
        ("acme@sftp.example.com", "SSH_USERNAME"),
        ("sftp.example.com/in", "SSH_DIR"),
        ("sftp://sftp.example.com", "`://`"),
        ("[::1", "brackets"),
        ("[example]", "brackets"),
        ("[::1]x", "brackets"),
        ("a:b:c", "IPv6"),
        ("sftp example", "blanks"),
        ("\"sftp.example.com\"", "quotes"),
        ("fe80::1%[", "IPv6"),
        (":22", "SSH_PORT"),
        (" ", "blank"),
    ] {
        let text = problem("SSH_HOST", value);
        assert!(text.contains(hint), "{value}: {text}");
    }
}

#[test]
fn every_part_of_a_url_is_told_where_it_belongs() {
    let text = problem("SSH_HOST", "sftp://acme:s3cret@sftp.example.com:22/in");
    for hint in ["`://`", "SSH_USERNAME", "SSH_PORT", "SSH_DIR"] {
        assert!(text.contains(hint), "{text}");
    }
    assert!(!text.contains("s3cret"), "{text}");
}

#[test]
fn usernames_without_line_breaks() {
    assert!(problem("SSH_USERNAME", "acme\n").contains("line break"));
    assert_eq!(
        settings(&[("SSH_USERNAME", "Jörg K@x")])
            .username
            .as_deref(),
        Some("Jörg K@x")
    );
}

#[test]
fn ports() {
    assert_eq!(settings(&[("SSH_PORT", "2222")]).port, 2222);
    assert_eq!(settings(&[("SSH_PORT", "65535")]).port, 65535);
    for value in ["0", "65536", "-1", "ssh", "22.0", "0x16"] {
        assert!(problem("SSH_PORT", value).contains("1 to 65535"), "{value}");
    }
}

#[test]
fn channels_are_a_number_or_left_to_the_function() {
    for (value, channels) in [
        ("auto", Channels::Auto),
        ("1", Channels::Number(1)),
        ("16", Channels::Number(16)),
    ] {
        assert_eq!(settings(&[("SSH_CHANNELS", value)]).channels, channels);
    }
    for value in ["0", "17", "100", "-1", "many", "2.5"] {
        assert!(
            problem("SSH_CHANNELS", value).contains("1 to 16"),
            "{value}"
        );
    }
}

#[test]
fn directories() {
    for (value, expected) in [
        ("in", Some("in")),
        ("in//", Some("in")),
        ("/", Some("/")),
        ("/srv/in/", Some("/srv/in")),
        ("../in", Some("../in")),
        ("in/../out", Some("in/../out")),
        (".", None),
        ("~/", None),
        ("~/in", Some("in")),
    ] {
        assert_eq!(
            settings(&[("SSH_DIR", value)]).dir.as_deref(),
            expected,
            "{value}"
        );
    }
    assert!(problem("SSH_DIR", "in\n").contains("line break"));
}

#[test]
fn templates() {
    assert!(problem("SSH_FILENAME", "{date}/{key}").contains("`{date}`"));
    assert!(problem("SSH_FILENAME", "{key").contains("never closed"));
    assert!(problem("SSH_TEMPORARY_NAME", "{name}.part").contains("`{tag}`"));
    assert!(problem("SSH_TEMPORARY_NAME", "{key}.{tag}").contains("`{key}`"));
    assert!(load(&[("SSH_TEMPORARY_NAME", "up/{tag}")]).is_ok());
}

#[test]
fn what_becomes_of_a_source() {
    let after = |value| settings(&[("S3_AFTER_DELIVERY", value)]).after_delivery;
    assert_eq!(after("delete"), AfterDelivery::Delete);
    assert_eq!(after(" keep\n"), AfterDelivery::Keep);
    for (value, bucket, key) in [
        ("move:s3://archive", "archive", "in/f"),
        ("move:s3://archive/", "archive", "in/f"),
        ("move:s3://archive/2026", "archive", "2026/in/f"),
        ("move:s3://archive/a b/c/", "archive", "a b/c/in/f"),
    ] {
        let AfterDelivery::Move(archive) = after(value) else {
            panic!("{value}")
        };
        let object = |bucket: &str, key: &str| ObjectName {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
        };
        assert_eq!(
            archive.place_of(&object("inbox", "in/f")),
            object(bucket, key)
        );
    }
    for value in [
        "remove",
        "Delete",
        "move",
        "move:",
        "move:archive/x",
        "move:s3://",
        "move:s3:///x",
        "move:s3://a b/x",
        "move:s3://archive//x",
        "move:s3://archive/x//",
        "move:s3://archive/\u{7}",
    ] {
        let text = problem("S3_AFTER_DELIVERY", value);
        assert!(text.contains("move:s3://BUCKET/PREFIX"), "{value}: {text}");
    }
}

#[test]
fn durations() {
    for (value, seconds) in [("10", 10), ("10s", 10), ("2m", 120), (" 1s ", 1)] {
        let settings = settings(&[("SSH_CONNECT_TIMEOUT", value), ("SSH_STALL_TIMEOUT", value)]);
        assert_eq!(
            settings.connect_timeout,
            Duration::from_secs(seconds),
            "{value}"
        );
        assert_eq!(
            settings.stall_timeout,
            Duration::from_secs(seconds),
            "{value}"
        );
    }
    let overflowing = format!("{}m", u64::MAX);
    // More than any clock can be ahead: added to now, it would be a panic.
    let endless = u64::MAX.to_string();
    for value in [
        "0",
        "0s",
        "0m",
        "-1",
        "1.5",
        "1h",
        "10 s",
        "s",
        "m",
        "+1",
        "ms",
        "٣",
        &overflowing,
        &endless,
        "86401",
        "1441m",
    ] {
        assert!(
            problem("SSH_STALL_TIMEOUT", value).contains("give"),
            "{value}"
        );
    }
}

#[test]
fn choices() {
    for (value, expected) in [
        ("replace", OnConflict::Replace),
        ("skip", OnConflict::Skip),
        (" Fail\n", OnConflict::Fail),
    ] {
        let settings = settings(&[("SSH_ON_CONFLICT", value)]);
        assert_eq!(settings.on_conflict, expected, "{value}");
    }
    for (value, expected) in [
        ("temporary", UploadMode::Temporary),
        ("DIRECT", UploadMode::Direct),
    ] {
        assert_eq!(settings(&[("SSH_UPLOAD", value)]).upload, expected);
    }
    for (value, expected) in [("size", Verify::Size), ("Readback", Verify::Readback)] {
        assert_eq!(settings(&[("SSH_VERIFY", value)]).verify, expected);
    }
    for (name, hint) in [
        ("SSH_ON_CONFLICT", "replace, skip or fail"),
        ("SSH_UPLOAD", "temporary or direct"),
        ("SSH_VERIFY", "size or readback"),
    ] {
        for value in ["overwrite", "yes", " ", "replace,skip", "temporary direct"] {
            let text = problem(name, value);
            assert!(text.contains(hint), "{value}: {text}");
        }
    }
}

#[test]
fn file_modes_are_octal() {
    for (value, mode) in [
        ("640", 0o640),
        ("0640", 0o640),
        ("0o640", 0o640),
        (" 640\n", 0o640),
        ("7777", 0o7777),
        ("4", 0o4),
    ] {
        let settings = settings(&[("SSH_FILE_MODE", value)]);
        assert_eq!(settings.file_mode, Some(mode), "{value}");
    }
    for value in [
        "648",
        "rw-r-----",
        "u=rw",
        "+640",
        "-1",
        "0x1a0",
        "0o",
        "10000",
        "0o0o640",
        " ",
        "6 40",
        "777777777777",
    ] {
        let text = problem("SSH_FILE_MODE", value);
        assert!(text.contains("octal"), "{value}: {text}");
    }
    for value in ["0", "0o0", "000"] {
        assert!(
            problem("SSH_FILE_MODE", value).contains("nobody"),
            "{value}"
        );
    }
}

#[test]
fn queues_are_urls() {
    for value in [
        "https://sqs.eu-central-1.amazonaws.com/123456789012/dead-letters",
        "https://sqs.cn-north-1.amazonaws.com.cn/123456789012/dead_letters.fifo",
        "http://127.0.0.1:4566/000000000000/dead",
        "http://[::1]:4566/000000000000/dead",
    ] {
        let written = format!(" {value}\n");
        let settings = settings(&[
            ("DEAD_LETTER_QUEUE_URL", &written),
            ("SWEEP_QUEUE_URL", &written),
        ]);
        assert_eq!(settings.dead_letter_queue_url.as_deref(), Some(value));
        assert_eq!(settings.sweep_queue_url.as_deref(), Some(value));
    }
    for (value, hint) in [
        ("arn:aws:sqs:eu-central-1:123456789012:dead", "ARN"),
        ("dead-letters", "neither"),
        ("sqs.eu-central-1.amazonaws.com/1/dead", "neither"),
        ("ftp://host/1/dead", "neither"),
        ("https:///1/dead", "no host"),
        ("https://ho st/1/dead", "no host"),
        ("https://acme:s3cret@host/1/dead", "no host"),
        ("https://host", "no queue"),
        ("https://host/", "no queue"),
        ("https://host/1/", "no queue"),
        ("https://host//dead", "no queue"),
        ("https://host/1/dead?Action=x", "no queue"),
        ("https://host/1/dead#", "no queue"),
        ("https://host/1/de\nad", "no queue"),
        (" ", "neither"),
    ] {
        for name in ["DEAD_LETTER_QUEUE_URL", "SWEEP_QUEUE_URL"] {
            let text = problem(name, value);
            assert!(
                text.contains(hint) && text.contains("give the URL"),
                "{value}: {text}"
            );
            assert!(!text.contains("s3cret"), "{text}");
        }
    }
}

#[test]
fn levels_have_the_names_of_python_and_of_rust() {
    for (value, level) in [
        ("DEBUG", LogLevel::Debug),
        ("info", LogLevel::Info),
        ("Warning", LogLevel::Warn),
        ("WARN", LogLevel::Warn),
        ("ERROR", LogLevel::Error),
        ("CRITICAL", LogLevel::Error),
        ("trace", LogLevel::Trace),
    ] {
        assert_eq!(
            settings(&[("LOGGING_LEVEL", value)]).log_level,
            level,
            "{value}"
        );
    }
    assert!(problem("LOGGING_LEVEL", "loud").contains("WARNING"));
}

#[test]
fn files_at_once() {
    assert_eq!(settings(&[]).max_files, 32);
    for (value, expected) in [("1", 1), (" 256 ", 256)] {
        assert_eq!(settings(&[("SSH_MAX_FILES", value)]).max_files, expected);
    }
    for value in ["0", "257", "-1", "many", "1.5"] {
        let text = problem("SSH_MAX_FILES", value);
        assert!(
            text.contains("1") && text.contains("256"),
            "{value}: {text}"
        );
    }
}

#[test]
fn connections_that_are_kept() {
    assert!(settings(&[]).keep_connection);
    for (value, expected) in [("yes", true), ("NO", false), ("false", false)] {
        let settings = settings(&[("SSH_KEEP_CONNECTION", value)]);
        assert_eq!(settings.keep_connection, expected, "{value}");
    }
    assert!(problem("SSH_KEEP_CONNECTION", "perhaps").contains("yes or no"));
}

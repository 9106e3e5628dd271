#![expect(
    clippy::unwrap_used,
    reason = "a test that panics has failed, as it should"
)]

use std::cell::RefCell;
use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

const LEAST: [(&str, &str); 3] = [
    ("SSH_HOST", "sftp.example.com"),
    ("SSH_USERNAME", "acme"),
    ("SSH_PASSWORD", "hunter2"),
];

/// The least that is needed, and `more`, which goes before it.
fn load(more: &[(&str, &str)]) -> Result<Loaded, Problems> {
    Settings::from_lookup(lookup(more))
}

fn lookup(more: &[(&str, &str)]) -> impl Fn(&str) -> Option<String> {
    move |name| {
        let found = more.iter().chain(&LEAST).find(|(known, _)| *known == name);
        found.map(|(_, value)| (*value).to_owned())
    }
}

fn settings(more: &[(&str, &str)]) -> Settings {
    load(more).unwrap().settings
}

/// The message about the one setting that is wrong.
fn problem(name: &str, value: &str) -> String {
    let problems = load(&[(name, value)]).unwrap_err();
    assert_eq!(
        problems
            .iter()
            .map(|problem| problem.name)
            .collect::<Vec<_>>(),
        [name],
        "{problems}"
    );
    problems.to_string()
}

mod reading {
    use super::*;

    #[test]
    fn the_least_takes_every_default() {
        let Loaded { settings, warnings } = load(&[]).unwrap();
        assert_eq!(settings.host, "sftp.example.com");
        assert_eq!(settings.port, 22);
        assert_eq!(settings.username, "acme");
        assert_eq!(settings.password.unwrap().expose(), "hunter2");
        assert_eq!(settings.private_key, None);
        assert_eq!(settings.dir, None);
        assert_eq!(settings.filename, FilenameTemplate::parse("{key}").unwrap());
        assert_eq!(settings.strip_prefix, None);
        assert_eq!(
            settings.temporary_name,
            TemporaryTemplate::parse(".{name}.{tag}.part").unwrap()
        );
        assert_eq!(settings.host_keys, None);
        assert_eq!(settings.connect_timeout, Duration::from_secs(10));
        assert_eq!(settings.stall_timeout, Duration::from_secs(30));
        assert_eq!(settings.log_level, LogLevel::Info);
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
        let problems =
            load(&[("SSH_PASSWORD", ""), ("SSH_PRIVATE_KEY", "id_ed25519")]).unwrap_err();
        assert_eq!(
            problems.iter().map(|p| p.name).collect::<Vec<_>>(),
            ["SSH_PRIVATE_KEY"]
        );
    }

    #[test]
    fn the_object_that_the_settings_name_is_known() {
        let settings = settings(&[("SSH_PRIVATE_KEY", "inbox:keys/id")]);
        let object = |key: &str| ObjectName {
            bucket: "inbox".to_owned(),
            key: key.to_owned(),
        };
        assert!(settings.names(&object("keys/id")));
        assert!(!settings.names(&object("keys/id2")));
    }
}

mod values {
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
            settings(&[("SSH_USERNAME", "Jörg K@x")]).username,
            "Jörg K@x"
        );
    }

    #[test]
    fn passwords_are_taken_as_they_are() {
        assert_eq!(
            settings(&[("SSH_PASSWORD", " p:w{}\\n ")])
                .password
                .unwrap()
                .expose(),
            " p:w{}\\n "
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
    fn private_keys_are_references_split_at_the_first_colon() {
        for (value, bucket, key) in [
            ("keys:id_ed25519", "keys", "id_ed25519"),
            ("keys:a:b/c:d", "keys", "a:b/c:d"),
            ("s3://keys/a/b", "keys", "a/b"),
        ] {
            let name = ObjectName {
                bucket: bucket.to_owned(),
                key: key.to_owned(),
            };
            assert_eq!(
                settings(&[("SSH_PRIVATE_KEY", value)]).private_key,
                Some(name)
            );
        }
        for (value, hint) in [
            ("keys", "no `:`"),
            ("s3://keys", "no `:`"),
            (":id", "empty"),
            ("keys:", "empty"),
            ("a/b:c", "cannot be a bucket"),
            ("arn:aws:s3:::keys/id", "ARN"),
            (
                "-----BEGIN OPENSSH PRIVATE KEY-----\nProc-Type: 4",
                "the private key itself",
            ),
        ] {
            let text = problem("SSH_PRIVATE_KEY", value);
            assert!(
                text.contains(hint) && text.contains("give `bucket:key`"),
                "{value}: {text}"
            );
        }
    }

    #[test]
    fn a_key_in_the_place_of_its_reference_is_not_shown() {
        for value in [
            "-----BEGIN OPENSSH PRIVATE KEY-----\nTOPSECRET",
            "TOPSECRET",
            "TOP/SECRET:x",
        ] {
            let text = problem("SSH_PRIVATE_KEY", value);
            assert!(
                !text.contains("SECRET") && text.contains("SSH_PRIVATE_KEY=***"),
                "{text}"
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
    fn host_keys() {
        let print = "SHA256:9UKdWn6jiUVBwGWo3gxZJSeFwkIFR1n5GLcGqR0NvDo";
        assert_eq!(
            settings(&[("SSH_HOST_KEY", print)])
                .host_keys
                .unwrap()
                .expected(),
            print
        );
        assert!(problem("SSH_HOST_KEY", "MD5:16:27").contains("ssh-keygen"));
    }

    #[test]
    fn durations() {
        for (value, seconds) in [("10", 10), ("10s", 10), ("2m", 120), (" 1s ", 1)] {
            let settings =
                settings(&[("SSH_CONNECT_TIMEOUT", value), ("SSH_STALL_TIMEOUT", value)]);
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
        ] {
            assert!(
                problem("SSH_STALL_TIMEOUT", value).contains("give"),
                "{value}"
            );
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
}

mod warnings {
    use super::*;

    fn warnings(more: &[(&str, &str)]) -> Vec<String> {
        load(more).unwrap().warnings
    }

    #[test]
    fn near_misses_say_what_was_meant() {
        for (name, meant) in [
            ("SSH_HOSTNAME", "SSH_HOST?"),
            ("SSH_USER", "SSH_USERNAME?"),
            ("SSH_PASS", "SSH_PASSWORD?"),
            ("SSH_KEY", "SSH_PRIVATE_KEY?"),
            ("SSH_DIRECTORY", "SSH_DIR?"),
            ("SSH_FILE_NAME", "SSH_FILENAME?"),
            ("SSH_KNOWN_HOSTS", "SSH_HOST_KEY?"),
            ("S3_PREFIX", "S3_STRIP_PREFIX?"),
            ("LOG_LEVEL", "LOGGING_LEVEL?"),
        ] {
            let warnings = warnings(&[(name, "TOPSECRET")]);
            assert_eq!(warnings.len(), 1, "{name}");
            assert!(
                warnings[0].starts_with(name) && warnings[0].ends_with(meant),
                "{}",
                warnings[0]
            );
            assert!(!warnings[0].contains("TOPSECRET"));
        }
        assert_eq!(warnings(&[("SSH_USER", "")]), [""; 0]);
    }

    #[test]
    fn other_names_are_nobodys_business() {
        let sshd = [
            ("SSH_CONNECTION", "a"),
            ("SSH_TTY", "b"),
            ("SSH_AUTH_SOCK", "c"),
            ("SSH_PASSPHRASE", "d"),
        ];
        assert_eq!(warnings(&sshd), [""; 0]);
    }

    #[test]
    fn a_template_that_gives_all_one_name() {
        let warnings = warnings(&[("SSH_FILENAME", "{name}")]);
        assert!(warnings[0].contains("one name"), "{warnings:?}");
    }
}

mod showing {
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
                "LOGGING_LEVEL"
            ]
        );
    }
}

mod properties {
    use super::*;

    proptest! {
        #[test]
        fn reading_never_panics_and_never_shows_a_secret(
            values in proptest::collection::vec(r"\PC{0,20}|[:@/\[\]{}~.0-9sm]{0,8}|\s|-----BEGIN\n", TABLE.len()),
            password in "[A-Z]{12}",
        ) {
            let pasted = format!("sftp://acme:{password}@host");
            let lookup = |name: &str| match name {
                "SSH_PASSWORD" | "SSH_PASS" => Some(password.clone()),
                "SSH_HOST" if values[0].len() % 2 == 0 => Some(pasted.clone()),
                "SSH_PRIVATE_KEY" if values[1].len() % 2 == 0 => Some(format!("{}{password}", values[1])),
                _ => {
                    let row = TABLE.iter().position(|row| row.name == name)?;
                    values.get(row).cloned()
                }
            };
            // A reference tells where the key lies, which may be shown.
            let is_reference = |shown: &Shown| shown.row.name == "SSH_PRIVATE_KEY" && shown.value.contains(':');
            for shown in describe(lookup) {
                prop_assert!(is_reference(&shown) || !shown.to_string().contains(&password), "{}", shown);
            }
            match Settings::from_lookup(lookup) {
                Ok(loaded) => prop_assert!(!loaded.warnings.concat().contains(&password)),
                Err(problems) => prop_assert!(!problems.to_string().contains(&password), "{}", problems),
            }
        }

        #[test]
        fn hosts_come_out_without_what_is_refused(value in r"[a-z0-9.:@/\[\]%]{1,20}|\PC{1,8}") {
            if let Ok(loaded) = load(&[("SSH_HOST", &value)]) {
                let host = loaded.settings.host;
                let address = host.split('%').next().unwrap_or_default();
                let is_ipv6 = address.parse::<std::net::Ipv6Addr>().is_ok();
                prop_assert!(!host.contains(['/', '@', '[', ']', ' ', '"']), "{}", host);
                prop_assert!(is_ipv6 || !host.contains([':', '%']), "{}", host);
            }
        }
    }
}

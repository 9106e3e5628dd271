//! docs/settings.md: the table of the code by what one wants to do, with an example for each setting. Examples are not shown for
//! their form alone: the code has to accept each of them.

use std::collections::{BTreeMap, BTreeSet};

use s3_to_sftp::settings::{Settings, TABLE};

/// One heading, and the settings below it with an example each.
struct Group {
    title: &'static str,
    settings: &'static [(&'static str, &'static str)],
}

const GROUPS: &[Group] = &[
    Group {
        title: "The server",
        settings: &[
            ("SSH_HOST", "sftp.example.com"),
            ("SSH_PORT", "2222"),
            (
                "SSH_HOST_KEY",
                "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl",
            ),
            ("SSH_CONNECT_TIMEOUT", "20s"),
            ("SSH_STALL_TIMEOUT", "1m"),
            ("SSH_KEEP_CONNECTION", "no"),
        ],
    },
    Group {
        title: "The login",
        settings: &[
            ("SSH_USERNAME", "acme"),
            (
                "SSH_SECRET",
                "arn:aws:secretsmanager:us-east-1:123456789012:secret:acme-a1b2c3",
            ),
            (
                "SSH_PASSWORD",
                "arn:aws:ssm:us-east-1:123456789012:parameter/acme/password",
            ),
            ("SSH_PRIVATE_KEY", "s3://keys/acme"),
            (
                "SSH_PASSPHRASE",
                "arn:aws:secretsmanager:us-east-1:123456789012:secret:acme-a1b2c3#Passphrase",
            ),
            ("SSH_CERTIFICATE", "s3://keys/acme-cert.pub"),
        ],
    },
    Group {
        title: "Names",
        settings: &[
            ("SSH_DIR", "inbox"),
            ("SSH_FILENAME", "{current_date}/{name}"),
            ("S3_STRIP_PREFIX", "acme/"),
            ("SSH_TEMPORARY_NAME", "uploading/{tag}"),
        ],
    },
    Group {
        title: "How a file is written",
        settings: &[
            ("SSH_ON_CONFLICT", "skip"),
            ("SSH_UPLOAD", "direct"),
            ("SSH_VERIFY", "readback"),
            ("SSH_FILE_MODE", "640"),
            ("SSH_CHANNELS", "1"),
            ("SSH_MAX_FILES", "8"),
        ],
    },
    Group {
        title: "The source, and what failed",
        settings: &[
            ("S3_AFTER_DELIVERY", "move:s3://archive/acme/"),
            (
                "DEAD_LETTER_QUEUE_URL",
                "https://sqs.us-east-1.amazonaws.com/123456789012/acme-dead",
            ),
            (
                "SWEEP_QUEUE_URL",
                "https://sqs.us-east-1.amazonaws.com/123456789012/acme",
            ),
        ],
    },
    Group {
        title: "What is told",
        settings: &[
            ("LOGGING_LEVEL", "DEBUG"),
            ("RECEIPT_BUS", "partners"),
            ("RECEIPT_PREFIX", "s3://receipts/acme/"),
            ("POWERTOOLS_METRICS_NAMESPACE", "Partners"),
            ("POWERTOOLS_METRICS_DISABLED", "yes"),
            ("POWERTOOLS_SERVICE_NAME", "payroll"),
        ],
    },
    Group {
        title: "Old servers",
        settings: &[
            ("SSH_CIPHERS", "+aes128-cbc"),
            ("SSH_KEX_ALGORITHMS", "+diffie-hellman-group14-sha1"),
            ("SSH_MACS", "+hmac-sha1"),
            ("SSH_HOST_KEY_ALGORITHMS", "+ssh-rsa"),
            ("SSH_PUBKEY_ALGORITHMS", "+ssh-rsa"),
        ],
    },
];

/// The page's generated part.
pub(super) fn markdown() -> String {
    let mut text = String::new();
    for Group { title, settings } in GROUPS {
        text.push_str(&format!("## {title}\n\n"));
        for (name, example) in *settings {
            text.push_str(&section(name, example));
        }
    }
    text.trim_end().to_owned() + "\n"
}

fn section(name: &str, example: &str) -> String {
    let row = TABLE
        .iter()
        .find(|row| row.name == name)
        .unwrap_or_else(|| panic!("{name} is no setting"));
    // The table is written for the README, which lies above docs/.
    let meaning = row.meaning.replace("](docs/", "](");
    let contract = if row.contract { " *" } else { "" };
    let secret = if row.secret { " Never shown." } else { "" };
    format!(
        "### `{name}`{contract}\n\n{}.{secret}\n\nDefault: {}. Example: `{name}={example}`\n\n",
        capitalised(&meaning).trim_end_matches('.'),
        row.fallback
    )
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().into_iter().flat_map(char::to_uppercase);
    first.chain(chars).collect()
}

#[test]
fn every_setting_is_in_one_group() {
    let in_page: Vec<&str> = GROUPS
        .iter()
        .flat_map(|group| group.settings)
        .map(|(name, _)| *name)
        .collect();
    let names: BTreeSet<&str> = in_page.iter().copied().collect();
    assert_eq!(names.len(), in_page.len(), "one stands twice");
    assert_eq!(names, TABLE.iter().map(|row| row.name).collect());
}

#[test]
fn every_example_is_accepted() {
    for (name, example) in GROUPS.iter().flat_map(|group| group.settings) {
        let mut set = BTreeMap::from([
            ("SSH_HOST", "sftp.example.com"),
            ("SSH_USERNAME", "acme"),
            ("SSH_PASSWORD", "s3://keys/password"),
            ("SSH_PRIVATE_KEY", "s3://keys/id"),
        ]);
        set.insert(name, example);
        let loaded = Settings::from_lookup(|name| set.get(name).map(|it| (*it).to_owned()));
        if let Err(problems) = loaded {
            panic!("{name}={example}: {problems}");
        }
    }
}

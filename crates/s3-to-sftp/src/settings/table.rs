//! The table of all settings. Parsing, the README, help and redaction come from it.

use std::fmt;

use super::place;
use super::reader;
use crate::secret::MASK;
use crate::secrets::SecretValue;

/// One setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// The variable's name.
    pub name: &'static str,
    /// What holds where it is unset.
    pub fallback: Fallback,
    /// What it does, in Markdown.
    pub meaning: &'static str,
    /// Whether its value may never be shown.
    pub secret: bool,
    /// Whether it belongs to the contract of the function that this one replaces: name, meaning and default
    /// of such a row never change.
    pub contract: bool,
}

/// What holds where a setting is unset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fallback {
    /// It has to be set.
    Required,
    /// Nothing, which means what the text says.
    Nothing(&'static str),
    /// This value.
    Value(&'static str),
}

impl fmt::Display for Fallback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Required => f.write_str("required"),
            Self::Nothing(meaning) => f.write_str(meaning),
            Self::Value(value) => write!(f, "`{value}`"),
        }
    }
}

/// All settings, in the order in which they are documented.
pub static TABLE: &[Row] = &[
    Row {
        name: "SSH_HOST",
        fallback: Fallback::Required,
        meaning: "host name, IPv4 or IPv6 address; every address of a name is tried in order",
        secret: false,
        contract: true,
    },
    Row {
        name: "SSH_USERNAME",
        fallback: Fallback::Required,
        meaning: "account on the server; may be left to `SSH_SECRET`",
        secret: false,
        contract: true,
    },
    Row {
        name: "SSH_PASSWORD",
        fallback: Fallback::Nothing("this, `SSH_PRIVATE_KEY`, or both"),
        meaning: "password, or [where it lies](docs/authentication.md#secrets): `s3://bucket/key`, or the ARN of a secret \
                  in Secrets Manager (`#field` of a JSON one) or of a parameter in SSM's Parameter Store",
        secret: true,
        contract: true,
    },
    Row {
        name: "SSH_PRIVATE_KEY",
        fallback: Fallback::Nothing("this, `SSH_PASSWORD`, or both"),
        meaning: "`bucket:key` of a private key in S3, where the first `:` splits; where it lies, as for `SSH_PASSWORD`; or the \
                  key itself. OpenSSH, PEM (PKCS#1, SEC1, PKCS#8) or PuTTY's format; RSA, ECDSA or ed25519",
        secret: true,
        contract: true,
    },
    Row {
        name: "SSH_PASSPHRASE",
        fallback: Fallback::Nothing("none"),
        meaning: "passphrase of the private key, or where it lies, as for `SSH_PASSWORD`; not looked at where the key is not \
                  encrypted",
        secret: true,
        contract: false,
    },
    Row {
        name: "SSH_CERTIFICATE",
        fallback: Fallback::Nothing("none"),
        meaning: "OpenSSH user certificate for the private key: the line `ssh-…-cert-v01@openssh.com AAAA…`, or where it \
                  lies, as for `SSH_PRIVATE_KEY`",
        secret: true,
        contract: false,
    },
    Row {
        name: "SSH_PORT",
        fallback: Fallback::Value("22"),
        meaning: "port",
        secret: false,
        contract: true,
    },
    Row {
        name: "SSH_DIR",
        fallback: Fallback::Nothing("login directory"),
        meaning: "directory to upload to, which has to exist; relative to the login directory unless it begins with `/`",
        secret: false,
        contract: true,
    },
    Row {
        name: "SSH_FILENAME",
        fallback: Fallback::Value("{key}"),
        meaning: "remote name below `SSH_DIR`, of `{bucket}` `{key}` `{dir}` `{name}` `{stem}` `{ext}` `{etag}` \
                  `{version}` `{current_date}` `{current_time}`; a `/` makes directories. Date and time are the \
                  object's LastModified in UTC (`2026-11-22`, `140509`), so that a retry finds the same name. \
                  An empty placeholder takes its following `/` along, an empty `{ext}` the `.` before it; \
                  `{{` and `}}` are braces",
        secret: false,
        contract: false,
    },
    Row {
        name: "S3_STRIP_PREFIX",
        fallback: Fallback::Nothing("none"),
        meaning: "beginning of the key that the remote name leaves out; a key that begins otherwise stays as it is, \
                  one of which nothing is left is refused",
        secret: false,
        contract: false,
    },
    Row {
        name: "S3_AFTER_DELIVERY",
        fallback: Fallback::Value("delete"),
        meaning: "what becomes of a source that is delivered: `delete`, `keep`, or `move:s3://BUCKET/PREFIX`. An object \
                  above 5 GiB is refused with `move` before anything is sent. An archived object is never written over: \
                  another one under its name gets `.` and eight characters of the ETag behind it. A move within one \
                  bucket needs a prefix",
        secret: false,
        contract: false,
    },
    Row {
        name: "SSH_TEMPORARY_NAME",
        fallback: Fallback::Value(".{name}.{tag}.part"),
        meaning: "name of a file until it is complete; `{tag}` is required, and `{name}` is cut so that all of it fits \
                  into 255 bytes. `up/{tag}` is a directory beside the target, on the same file system",
        secret: false,
        contract: false,
    },
    Row {
        name: "SSH_SECRET",
        fallback: Fallback::Nothing("none"),
        meaning: "ARN of a secret in Secrets Manager, in the form that connectors of AWS Transfer Family use: \
                  `{\"Username\",\"Password\",\"PrivateKey\"}`, and `Passphrase` and `HostKey`; what is set otherwise goes before it",
        secret: true,
        contract: false,
    },
    Row {
        name: "SSH_HOST_KEY",
        fallback: Fallback::Nothing("any is accepted, with a warning"),
        meaning: "the server's host keys: `SHA256:…` fingerprints, `ssh-ed25519 AAAA…` keys, or lines of known_hosts \
                  (hashed names, patterns, `@cert-authority`, `@revoked`), several on lines of their own; or \
                  where they lie, as for `SSH_PASSWORD`",
        secret: false,
        contract: false,
    },
    Row {
        name: "SSH_ON_CONFLICT",
        fallback: Fallback::Value("replace"),
        meaning: "what happens where the final name is taken: `replace` the file; `skip` the object, whose source is kept; \
                  or `fail`",
        secret: false,
        contract: false,
    },
    Row {
        name: "SSH_UPLOAD",
        fallback: Fallback::Value("temporary"),
        meaning: "`temporary`: under a name of its own, renamed when it is complete; `direct`: under the final name, for \
                  servers that forbid renaming. A reader may then see half a file, and twins are not harmless",
        secret: false,
        contract: false,
    },
    Row {
        name: "SSH_FILE_MODE",
        fallback: Fallback::Nothing("the server's"),
        meaning: "octal permissions of the file, like `640`; a server that refuses them is a warning",
        secret: false,
        contract: false,
    },
    Row {
        name: "SSH_VERIFY",
        fallback: Fallback::Value("size"),
        meaning: "what is compared before a file is published: its `size`; or `readback`, its bytes too, which are read \
                  back for that",
        secret: false,
        contract: false,
    },
    Row {
        name: "SSH_CHANNELS",
        fallback: Fallback::Value("auto"),
        meaning: "SFTP channels that write to one large file, on the one connection: `1` to `16`, or `auto`: up to 10 where \
                  the server is OpenSSH and the round trip holds one channel back",
        secret: false,
        contract: false,
    },
    Row {
        name: "SSH_MAX_FILES",
        fallback: Fallback::Value("32"),
        meaning: "files of one event that are on their way at once, over one connection: 1 to 256. Fewer where the server \
                  allows fewer open handles; one after the other from a FIFO queue, and with `SSH_UPLOAD=direct`",
        secret: false,
        contract: false,
    },
    Row {
        name: "SSH_KEEP_CONNECTION",
        fallback: Fallback::Value("yes"),
        meaning: "`yes`: a connection is used again by the next invocation of the same environment, which asks first whether \
                  it still lives; `no`: it is closed at the end of each. A frozen environment holds its connection: `no` where \
                  the partner allows few",
        secret: false,
        contract: false,
    },
    Row {
        name: "SSH_CIPHERS",
        fallback: Fallback::Nothing("safe ones"),
        meaning: "ciphers, in OpenSSH's syntax: `a,b` in place of the safe ones, `+a,b` behind them, `^a,b` before them, \
                  `-a,*b` without these. Old servers need `+aes128-cbc` or `+3des-cbc`; \
                  [the names](docs/authentication.md#algorithms)",
        secret: false,
        contract: false,
    },
    Row {
        name: "SSH_KEX_ALGORITHMS",
        fallback: Fallback::Nothing("safe ones"),
        meaning: "key exchange, in the same syntax; old servers need `+diffie-hellman-group14-sha1`. Whoever names a group \
                  exchange accepts groups from 2048 bits on, in place of 3072",
        secret: false,
        contract: false,
    },
    Row {
        name: "SSH_MACS",
        fallback: Fallback::Nothing("safe ones"),
        meaning: "message authentication codes, in the same syntax; old servers need `+hmac-sha1`",
        secret: false,
        contract: false,
    },
    Row {
        name: "SSH_HOST_KEY_ALGORITHMS",
        fallback: Fallback::Nothing("safe ones"),
        meaning: "by what the server's key may sign, in the same syntax; old servers need `+ssh-rsa`. A type that \
                  `SSH_HOST_KEY` pins goes first",
        secret: false,
        contract: false,
    },
    Row {
        name: "SSH_PUBKEY_ALGORITHMS",
        fallback: Fallback::Nothing("safe ones"),
        meaning: "by what the private key may sign a login, in the same syntax; old servers need `+ssh-rsa`",
        secret: false,
        contract: false,
    },
    Row {
        name: "SSH_CONNECT_TIMEOUT",
        fallback: Fallback::Value("10s"),
        meaning: "longest wait for a TCP connection, per address: `10`, `10s` or `2m`",
        secret: false,
        contract: false,
    },
    Row {
        name: "SSH_STALL_TIMEOUT",
        fallback: Fallback::Value("30s"),
        meaning: "a connection on which nothing at all is answered for so long is given up",
        secret: false,
        contract: false,
    },
    Row {
        name: "DEAD_LETTER_QUEUE_URL",
        fallback: Fallback::Nothing("none"),
        meaning: "URL of an SQS queue. A message whose object can never be delivered goes there at once, with the reason \
                  beside it; without, it is tried again until its own queue gives up",
        secret: false,
        contract: false,
    },
    Row {
        name: "SWEEP_QUEUE_URL",
        fallback: Fallback::Nothing("none: sweeps are refused"),
        meaning: "URL of the SQS queue that the function reads from. A [sweep](docs/backfill.md#sweeps) sends there what has lain in \
                  the bucket for too long",
        secret: false,
        contract: false,
    },
    Row {
        name: "RECEIPT_BUS",
        fallback: Fallback::Nothing("none"),
        meaning: "name or ARN of an EventBridge event bus that gets an event for each delivery and each failure: \
                  [receipts](docs/receipts.md)",
        secret: false,
        contract: false,
    },
    Row {
        name: "RECEIPT_PREFIX",
        fallback: Fallback::Nothing("none"),
        meaning: "`s3://BUCKET/PREFIX/`: each delivery's [receipt](docs/receipts.md) becomes an object there. Objects there are never \
                  delivered",
        secret: false,
        contract: false,
    },
    Row {
        name: "POWERTOOLS_METRICS_NAMESPACE",
        fallback: Fallback::Value("s3-to-sftp"),
        meaning: "namespace of the [metrics](docs/receipts.md#metrics) in CloudWatch",
        secret: false,
        contract: false,
    },
    Row {
        name: "POWERTOOLS_METRICS_DISABLED",
        fallback: Fallback::Value("no"),
        meaning: "`yes`: there are none. Each costs a [third of a dollar](docs/cost.md) a month",
        secret: false,
        contract: false,
    },
    Row {
        name: "POWERTOOLS_SERVICE_NAME",
        fallback: Fallback::Nothing("the function's name"),
        meaning: "their dimension `service`",
        secret: false,
        contract: false,
    },
    Row {
        name: "LOGGING_LEVEL",
        fallback: Fallback::Value("INFO"),
        meaning: "`DEBUG`, `INFO`, `WARNING`, `ERROR`, `CRITICAL`, or `TRACE`; `AWS_LAMBDA_LOG_LEVEL` and `RUST_LOG` go \
                  before it",
        secret: false,
        contract: false,
    },
];

/// The table as Markdown, for the README. A `*` marks the contract.
pub fn markdown() -> String {
    let mut text = String::from("| name | default | meaning |\n|---|---|---|\n");
    for Row {
        name,
        fallback,
        meaning,
        contract,
        ..
    } in TABLE
    {
        let star = if *contract { " *" } else { "" };
        text.push_str(&format!("| `{name}`{star} | {fallback} | {meaning} |\n"));
    }
    text
}

/// One setting as it may be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// The setting.
    pub row: &'static Row,
    /// Its value, secrets masked; its default where it is unset.
    pub value: String,
    /// Whether it is set.
    pub set: bool,
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.row.name, self.value)?;
        if self.set {
            Ok(())
        } else {
            f.write_str(" (default)")
        }
    }
}

/// Every setting as it is in effect, secrets masked. Never fails: this is also for settings that are wrong.
pub fn describe(lookup: impl Fn(&str) -> Option<String>) -> Vec<Shown> {
    let shown = |row: &'static Row| match reader::set_value(&lookup, row.name) {
        Some(value) => Shown {
            row,
            value: row.shown(&value),
            set: true,
        },
        None => Shown {
            row,
            value: row.fallback.to_string().replace('`', ""),
            set: false,
        },
    };
    TABLE.iter().map(shown).collect()
}

impl Row {
    /// A value of this setting as it may be shown, on one line.
    pub(super) fn shown(&self, value: &str) -> String {
        if self.secret {
            // Where a secret lies is none, and the first thing to look at when it does not work; but only if it is
            // such a place, and not the secret itself.
            let read = match self.name {
                "SSH_PRIVATE_KEY" => place::private_key,
                "SSH_CERTIFICATE" => place::certificate,
                _ => place::secret,
            };
            return match read(value) {
                Ok(SecretValue::At(_)) => one_line(value),
                Ok(SecretValue::Here(_)) | Err(_) => MASK.to_owned(),
            };
        }
        // Refused, and not to be logged for that.
        if self.name == "SSH_HOST_KEY" && value.contains("PRIVATE KEY") {
            return MASK.to_owned();
        }
        let may_hold_a_login = matches!(
            self.name,
            "SSH_HOST" | "DEAD_LETTER_QUEUE_URL" | "SWEEP_QUEUE_URL"
        );
        match value.rsplit_once('@') {
            // `user:password@host`, which is refused, and must not be logged for that.
            Some((_, host)) if may_hold_a_login => one_line(&format!("{MASK}@{host}")),
            _ => one_line(value),
        }
    }
}

fn one_line(value: &str) -> String {
    const LONGEST: usize = 200;
    let mut text: String = value
        .chars()
        .take(LONGEST)
        .flat_map(|c| {
            let escaped = c.is_control().then(|| c.escape_default());
            let plain = (!c.is_control()).then_some(c);
            escaped.into_iter().flatten().chain(plain)
        })
        .collect();
    if value.chars().nth(LONGEST).is_some() {
        text.push('…');
    }
    text
}

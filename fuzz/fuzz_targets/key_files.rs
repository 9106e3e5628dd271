//! Any text as a private key of whatever format, and as a certificate.

#![no_main]

use std::error::Error;

use libfuzzer_sys::fuzz_target;
use s3_to_sftp::secret::Secret;
use s3_to_sftp::ssh::private_key::{Effort, PrivateKeyError};
use s3_to_sftp::ssh::{Certificate, PrivateKey};

use fuzz::{assert_one_line, assert_one_line_each};

/// That of the seeds.
const PASSPHRASE: &str = "correct horse";

fuzz_target!(|text: &str| {
    for passphrase in [None, Some(PASSPHRASE)] {
        let key = parse(text, passphrase);
        match &key {
            Ok(key) => assert_one_line(format!("{key:?}")),
            Err(error) => check(error),
        }
        // Where a secret store keeps a key on one line.
        if key.is_ok() && !text.contains(['\\', '\r']) {
            assert!(parse(&text.replace('\n', "\\n"), passphrase).is_ok());
        }
        if key.is_ok() && !text.contains('\r') {
            assert!(parse(&text.replace('\n', "\r\n"), passphrase).is_ok());
        }
    }
    match Certificate::parse(text) {
        Ok(certificate) => assert_one_line(certificate.description()),
        Err(error) => assert_one_line_each(&error),
    }
});

fn parse(text: &str, passphrase: Option<&str>) -> Result<PrivateKey, PrivateKeyError> {
    let text = Secret::new(text.to_owned());
    let passphrase = passphrase.map(|it| Secret::new(it.to_owned()));
    PrivateKey::parse_within(&text, passphrase.as_ref(), Effort::LITTLE)
}

fn check(error: &PrivateKeyError) {
    assert_one_line_each(error);
    let mut next: Option<&dyn Error> = Some(error);
    while let Some(error) = next {
        let text = error.to_string();
        assert!(text.len() < 1000, "{text}");
        assert!(!text.contains(PASSPHRASE), "{text}");
        next = error.source();
    }
}

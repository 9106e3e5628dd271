//! Any text as `SSH_HOST_KEY`, or as the file that it points to.

#![no_main]

use libfuzzer_sys::fuzz_target;
use s3_to_sftp::ssh::host_key::HostKeys;

use fuzz::{assert_one_line, assert_one_line_each};

const SERVERS: [(&str, u16); 5] = [
    ("sftp.example.com", 22),
    ("SFTP.example.com", 2222),
    ("192.0.2.7", 22),
    ("2001:db8::1", 2222),
    ("ſftp", 22),
];

fuzz_target!(|text: &str| {
    let keys = HostKeys::parse(text);
    if let Err(error) = &keys {
        assert_one_line_each(error);
        assert!(error.to_string().len() < 4096, "a log takes it");
    }
    // What editors do to a file.
    let with_comment = format!("{text}\n# a comment\n");
    if let (Ok(keys), Ok(again)) = (&keys, HostKeys::parse(&with_comment)) {
        for (host, port) in SERVERS {
            assert_eq!(keys.of(host, port).ok(), again.of(host, port).ok());
        }
    } else {
        assert_eq!(keys.is_ok(), HostKeys::parse(&with_comment).is_ok());
    }
    let Ok(keys) = keys else {
        return;
    };
    for (host, port) in SERVERS {
        match keys.of(host, port) {
            Ok(pinned) => assert_one_line(pinned.expected()),
            Err(error) => {
                assert_one_line_each(&error);
                assert!(error.to_string().len() < 4096, "a log takes it");
            }
        }
    }
});

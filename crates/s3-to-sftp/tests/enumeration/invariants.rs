//! What has to hold whenever one looks, and what in the end. Content is compared, not sizes.

use s3_to_sftp::receipt::Outcome;

use crate::world::{BUCKET, Round, Start, first_content, older_content, second_content};

/// What has to be when all events have been dealt with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The object is on the server, and not in S3.
    Delivered,
    /// The newer one is.
    SecondDelivered,
    /// The user took it back: it is on the server only if that came too late.
    MayBeWithdrawn,
}

/// What may be left of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leftover {
    None,
    /// The partner's old file, under the name that it was moved aside to.
    ReplacedFile,
}

impl Round<'_> {
    /// After every attempt, however it went.
    pub(crate) fn check_now(&self, what: &str, outcome: &Outcome) {
        let file = self.file(&self.key);
        let older = (self.start == Start::OlderFinal).then(older_content);
        let complete = [Some(first_content()), Some(second_content()), older];
        // I1: the final is absent, or some complete version.
        if let Some(file) = &file {
            assert!(
                complete.iter().flatten().any(|version| version == file),
                "{what}: {} bytes that are no version stand under the final name; {outcome:?}",
                file.len()
            );
        }
        // I3: a delivered object is there; and one that is in S3 no more was delivered or withdrawn.
        if let Outcome::Delivered(..) = outcome {
            assert!(
                file.as_ref()
                    .is_some_and(|file| *file == first_content() || *file == second_content()),
                "{what}: delivered, and not there"
            );
        }
        // I5: what is not ours stays.
        if self.start == Start::ForeignTemporary {
            let foreign = self.file(&self.foreign());
            assert_eq!(foreign.as_deref(), Some(b"not ours".as_slice()), "{what}");
        }
    }

    /// When every event has been dealt with, and its retry.
    pub(crate) fn check_end(&self, what: &str, ending: Ending, leftover: Leftover) {
        let file = self.file(&self.key);
        let source = self.world.s3.store().exists(BUCKET, &self.key);
        match ending {
            Ending::Delivered => {
                assert_eq!(
                    file,
                    Some(first_content().to_vec()),
                    "{what}: the object is there"
                );
            }
            // I2: never the older one over the newer.
            Ending::SecondDelivered => {
                assert_eq!(
                    file,
                    Some(second_content().to_vec()),
                    "{what}: the newer one is there"
                );
            }
            Ending::MayBeWithdrawn => {}
        }
        assert!(!source, "{what}: the source is still there");
        // I4: no name of ours is left.
        let mut left = self.names_of_ours();
        if leftover == Leftover::ReplacedFile {
            left.retain(|name| !name.ends_with(".old.part"));
        }
        assert!(left.is_empty(), "{what}: {left:?} are left");
    }

    fn names_of_ours(&self) -> Vec<String> {
        let prefix = format!(".{}.", self.key);
        let entries = std::fs::read_dir(self.world.server.home()).expect("the home is there");
        entries
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter(|name| name.starts_with(&prefix) && *name != self.foreign())
            .collect()
    }
}

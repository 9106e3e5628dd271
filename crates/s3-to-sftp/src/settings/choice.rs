//! Settings that are a choice among words, and what each choice promises.

use super::value::{Unfit, unfit};

/// What happens where the final name is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OnConflict {
    /// The file is replaced, in one step where the server can do that: the partner has the newest object.
    Replace,
    /// The file stays, the object is not delivered and its source is kept: nothing of the partner's is ever
    /// overwritten.
    Skip,
    /// As skip, and the delivery fails: somebody is told.
    Fail,
}

/// Under which name a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UploadMode {
    /// Under a temporary one, which is renamed when the file is complete: nobody sees half a file, and twins
    /// are harmless.
    Temporary,
    /// Under the final one, for servers that forbid renaming: a reader may see half a file, and of two
    /// deliveries at once one may write into the other's.
    Direct,
}

/// What is compared before a file is published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verify {
    /// The size that the server tells: every byte was acknowledged, and all of them are there.
    Size,
    /// The bytes as well: the file is read back, and has the checksum of what was read from S3.
    Readback,
}

/// How many SFTP channels write to one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Channels {
    /// As many as the round trip needs, where the server is known to bear it; else one.
    Auto,
    /// So many, whatever the server is.
    Number(usize),
}

pub(super) fn on_conflict(value: &str) -> Result<OnConflict, Unfit> {
    match word(value).as_str() {
        "replace" => Ok(OnConflict::Replace),
        "skip" => Ok(OnConflict::Skip),
        "fail" => Ok(OnConflict::Fail),
        _ => unfit("is no such choice; give replace, skip or fail"),
    }
}

pub(super) fn channels(value: &str) -> Result<Channels, Unfit> {
    match (word(value).as_str(), value.parse()) {
        ("auto", _) => Ok(Channels::Auto),
        (_, Ok(number @ 1..=16)) => Ok(Channels::Number(number)),
        _ => unfit(
            "is no such number; give auto, or 1 to 16 (OpenSSH takes 10 on a connection, by MaxSessions)",
        ),
    }
}

pub(super) fn upload(value: &str) -> Result<UploadMode, Unfit> {
    match word(value).as_str() {
        "temporary" => Ok(UploadMode::Temporary),
        "direct" => Ok(UploadMode::Direct),
        _ => unfit("is no such choice; give temporary or direct"),
    }
}

pub(super) fn verify(value: &str) -> Result<Verify, Unfit> {
    match word(value).as_str() {
        "size" => Ok(Verify::Size),
        "readback" => Ok(Verify::Readback),
        _ => unfit("is no such choice; give size or readback"),
    }
}

pub(super) fn yes_or_no(value: &str) -> Result<bool, Unfit> {
    match word(value).as_str() {
        "yes" | "true" => Ok(true),
        "no" | "false" => Ok(false),
        _ => unfit("is no such choice; give yes or no"),
    }
}

fn word(value: &str) -> String {
    value.trim().to_ascii_lowercase()
}

/// What choices lose together. One line each.
pub(super) fn warnings(
    on_conflict: Option<OnConflict>,
    upload: Option<UploadMode>,
    verify: Option<Verify>,
) -> Vec<String> {
    let mut warnings = Vec::new();
    if upload != Some(UploadMode::Direct) {
        return warnings;
    }
    warnings.push(
        "SSH_UPLOAD=direct: a reader may see half a file, and twins are not harmless; use it only where \
         the server forbids renaming"
            .to_owned(),
    );
    if matches!(on_conflict, Some(OnConflict::Skip | OnConflict::Fail)) {
        warnings.push(
            "SSH_UPLOAD=direct with SSH_ON_CONFLICT=skip or fail: half a file that a delivery left when it \
             broke off has the final name, and the next one may take it for a conflict"
                .to_owned(),
        );
    }
    if verify == Some(Verify::Readback) {
        warnings.push(
            "SSH_UPLOAD=direct with SSH_VERIFY=readback: the file has its final name before it is read \
             back, so a reader may be faster than the comparison"
                .to_owned(),
        );
    }
    warnings
}

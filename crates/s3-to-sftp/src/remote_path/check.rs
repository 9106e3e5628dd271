//! What a remote path must not be.

use std::fmt;

use super::NAME_MAX;

/// A remote path that nothing is written to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{rule}: {}", Quoted(.path))]
pub struct PathRefused {
    rule: PathRule,
    path: String,
}

impl PathRefused {
    pub(super) fn new(rule: PathRule, path: &str) -> Self {
        Self {
            rule,
            path: path.to_owned(),
        }
    }

    /// The rule that the path breaks.
    pub fn rule(&self) -> PathRule {
        self.rule
    }

    /// The path below `SSH_DIR`; the key, where there is no path.
    pub fn path(&self) -> &str {
        &self.path
    }
}

/// The rules that a remote path keeps. Each prints what is wrong and what to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum PathRule {
    /// The key is `S3_STRIP_PREFIX` and nothing else.
    #[error(
        "S3_STRIP_PREFIX leaves nothing of the key; upload the object under a longer key, or shorten the prefix"
    )]
    NothingLeft,
    /// A path that is empty.
    #[error("the remote name is empty; see whether SSH_FILENAME fits this key")]
    Empty,
    /// A leading `/` would be an absolute path, outside `SSH_DIR`.
    #[error(
        "the remote path begins with `/`; upload the object under a key without it, \
         or, if S3_STRIP_PREFIX left it, let the prefix end with `/`"
    )]
    LeadingSlash,
    /// A trailing `/` is a directory's name, not a file's.
    #[error(
        "the remote path ends with `/`, which names a directory; \
         upload the object under a key that ends with a file name, and see whether SSH_FILENAME does too"
    )]
    TrailingSlash,
    /// `a//b`, which servers take for `a/b`: two keys would be one file.
    #[error(
        "the remote path has an empty segment (`//`); upload the object under a key without it"
    )]
    EmptySegment,
    /// `.` or `..`, `\` counted as a separator since some servers do.
    #[error(
        "the remote path has a segment `.` or `..` (`\\` separates too); upload the object under a key without it"
    )]
    DotSegment,
    /// NUL, line breaks, escape sequences.
    #[error("the remote path holds a control character; upload the object under a key without it")]
    ControlCharacter,
    /// A name that file systems do not take.
    #[error(
        "the remote path has a segment above {NAME_MAX} bytes, which file systems refuse; \
         upload the object under a shorter key, or shorten it by SSH_FILENAME"
    )]
    LongSegment,
    /// `.ssh` of the login directory holds the keys that may log in.
    #[error(
        "the remote path leads into `.ssh` of the login directory, where the account's keys lie; \
         set SSH_DIR to a directory for uploads"
    )]
    SshDirectory,
}

/// Checks a path below `SSH_DIR`.
pub(super) fn check(path: &str, in_login_directory: bool) -> Result<(), PathRefused> {
    match broken_rule(path, in_login_directory) {
        Some(rule) => Err(PathRefused::new(rule, path)),
        None => Ok(()),
    }
}

fn broken_rule(path: &str, in_login_directory: bool) -> Option<PathRule> {
    if path.is_empty() {
        return Some(PathRule::Empty);
    }
    // C0, DEL and C1: a terminal or a log takes any of them for a command.
    if path.chars().any(char::is_control) {
        return Some(PathRule::ControlCharacter);
    }
    // Windows servers take `\` for a separator, so that `..\..\x` leads out there.
    if path
        .split(['/', '\\'])
        .any(|segment| matches!(segment, "." | ".."))
    {
        return Some(PathRule::DotSegment);
    }
    if path.starts_with('/') {
        return Some(PathRule::LeadingSlash);
    }
    if path.ends_with('/') {
        return Some(PathRule::TrailingSlash);
    }
    if path.split('/').any(str::is_empty) {
        return Some(PathRule::EmptySegment);
    }
    if path.split('/').any(|segment| segment.len() > NAME_MAX) {
        return Some(PathRule::LongSegment);
    }
    if in_login_directory && path.split(['/', '\\']).next().is_some_and(is_ssh_directory) {
        return Some(PathRule::SshDirectory);
    }
    None
}

/// `.ssh` as a file system without case sees it. Upper case, since that also folds `ſ` as APFS does.
fn is_ssh_directory(segment: &str) -> bool {
    segment.to_uppercase() == ".SSH"
}

/// A path in an error: what a log or a terminal would obey is escaped.
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

//! Where an object goes: its key → the remote path, checked so that no key leads out of `SSH_DIR`.
//!
//! Whoever may write to the bucket must not be able to write elsewhere on the partner's server. So the check
//! runs on the path that results, whatever its parts came from, and what is not plain is refused, never
//! tidied: two keys that were tidied into one name would overwrite each other.

mod check;
mod tag;
mod template;
mod temporary;

pub use check::{PathRefused, PathRule};
pub use tag::{TAG_LENGTH, tag};
pub use template::{FilenameTemplate, TemplateError};
pub use temporary::{TemporaryName, TemporaryPath, TemporaryTemplate};

use time::OffsetDateTime;

use crate::object::{ObjectName, ObjectVersion};

/// The longest name that common file systems take, in bytes (`NAME_MAX`).
const NAME_MAX: usize = 255;

/// The checked remote path of one object.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RemotePath {
    full: String,
    /// Where the part below `SSH_DIR` begins in `full`.
    below: usize,
}

impl RemotePath {
    /// The path of `object` under `dir`, the directory of `SSH_DIR` (none: the login directory).
    ///
    /// # Errors
    ///
    /// The path is not one that may be written to: the rule that it breaks, and what to do.
    pub fn resolve(
        template: &FilenameTemplate,
        strip_prefix: Option<&str>,
        dir: Option<&str>,
        object: &ObjectVersion,
    ) -> Result<Self, PathRefused> {
        let key = object.name.key.as_str();
        let rest = strip_prefix
            .and_then(|prefix| key.strip_prefix(prefix))
            .unwrap_or(key);
        if rest.is_empty() {
            return Err(PathRefused::new(PathRule::NothingLeft, key));
        }

        let relative = template.expand(rest, object)?;
        let dir = dir.and_then(target_directory);
        check::check(&relative, dir.is_none_or(is_login_directory))?;

        let mut full = String::with_capacity(dir.map_or(0, |d| d.len() + 1) + relative.len());
        if let Some(dir) = dir {
            full.push_str(dir);
            if !dir.ends_with('/') {
                full.push('/');
            }
        }
        let below = full.len();
        full.push_str(&relative);
        Ok(Self { full, below })
    }

    /// The whole path of whatever object has this name; none where it depends on the version, or is refused.
    pub(crate) fn of_name(
        template: &FilenameTemplate,
        strip_prefix: Option<&str>,
        dir: Option<&str>,
        name: &ObjectName,
    ) -> Option<String> {
        if !template.is_of_the_name_alone() {
            return None;
        }
        let any = ObjectVersion {
            name: name.clone(),
            etag: String::new(),
            version_id: None,
            size: 0,
            last_modified: OffsetDateTime::UNIX_EPOCH,
        };
        let path = Self::resolve(template, strip_prefix, dir, &any).ok()?;
        Some(path.full)
    }

    /// The whole path, `SSH_DIR` included. Relative to the login directory unless it begins with `/`.
    pub fn full(&self) -> &str {
        &self.full
    }

    /// The last segment: the file's name.
    pub fn name(&self) -> &str {
        &self.full[self.name_start()..]
    }

    /// The directory that it lies in, as a path that a server can open: `.` for the login directory.
    pub fn directory(&self) -> &str {
        match self.name_start() {
            0 => ".",
            1 => "/",
            start => &self.full[..start - 1],
        }
    }

    /// The directories below `SSH_DIR` that may have to be made, whole paths, outermost first.
    pub fn directories(&self) -> impl Iterator<Item = &str> {
        self.full[self.below..]
            .match_indices('/')
            .map(|(slash, _)| &self.full[..self.below + slash])
    }

    /// The name that the file has until it is complete.
    pub fn temporary(&self, template: &TemporaryTemplate, tag: &str) -> TemporaryPath {
        template.beside(&self.full[..self.name_start()], self.name(), tag)
    }

    /// The name that a file which is replaced is moved aside to, where the server cannot rename over it.
    pub fn aside(&self, template: &TemporaryTemplate, tag: &str) -> TemporaryPath {
        self.temporary(template, &format!("{tag}{}", temporary::ASIDE))
    }

    fn name_start(&self) -> usize {
        self.full.rfind('/').map_or(0, |slash| slash + 1)
    }
}

/// Whether deliveries may lead into this directory below `SSH_DIR`; see [`RemotePath::resolve`].
pub(crate) fn may_hold_deliveries(below: &str, dir: Option<&str>) -> bool {
    let dir = dir.and_then(target_directory);
    check::check(below, dir.is_none_or(is_login_directory)).is_ok()
}

/// `SSH_DIR` as paths are built from it: without trailing slashes, without a leading `./` or `~/`;
/// none where that leaves the login directory.
///
/// SFTP knows no `~`: OpenSSH takes it for a name. Whoever writes it means the directory that a relative path
/// starts from. (A directory that is really called so: `./~`.)
pub(crate) fn target_directory(dir: &str) -> Option<&str> {
    let trimmed = match dir.trim_end_matches('/') {
        "" if dir.starts_with('/') => return Some("/"),
        trimmed => trimmed,
    };
    let mut rest = trimmed.strip_prefix("~/").unwrap_or(trimmed);
    while let Some(tail) = rest
        .strip_prefix("./")
        .filter(|tail| !tail.starts_with('~'))
    {
        rest = tail.trim_start_matches('/');
    }
    (!["", ".", "~"].contains(&rest)).then_some(rest)
}

/// Whether a relative directory leads back to where it starts, like `in/..`.
fn is_login_directory(dir: &str) -> bool {
    let mut depth = 0_usize;
    for segment in dir.split('/') {
        match segment {
            "" | "." => {}
            // Above the login directory: what comes then is not known.
            ".." if depth == 0 => return false,
            ".." => depth -= 1,
            _ => depth += 1,
        }
    }
    depth == 0 && !dir.starts_with('/')
}

#[cfg(test)]
mod tests;

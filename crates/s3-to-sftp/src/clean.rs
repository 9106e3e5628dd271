//! Temporaries that dead deliveries have left on the server: found by their names, and removed where that is
//! asked for.
//!
//! Every delivery takes its own temporary away; what a killed process leaves stays. Nothing here knows whether
//! a delivery still lives, so age decides. A file that was moved aside is another matter: between the two
//! renames of a server that cannot rename over a file it is the only copy of what the partner had. Its age
//! tells nothing, since a rename keeps it; so it goes only if its name is taken again.

mod finding;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sftp::packet::Name;
use sftp::{Attributes, Session, StatusCode};

pub use finding::{Fate, Finding, Kept, Leftover};

use crate::breaker::Breaker;
use crate::error::{Cause, Error, Stage};
use crate::kept;
use crate::link::Link;
use crate::remote_path::{TemporaryName, TemporaryTemplate, may_hold_deliveries};
use crate::secrets::Secrets;
use crate::settings::Settings;
use crate::source::S3;

/// How deep below `SSH_DIR` is looked. A server may show a directory inside itself.
const DEEPEST: usize = 32;

/// Requests in one flight.
const FLIGHT: usize = 64;

/// What is looked for, and what becomes of it.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Younger ones may be a delivery's that is under way, and are left alone.
    pub older_than: Duration,
    /// Removes what is found. Without, it is only told.
    pub remove: bool,
    /// What ages are counted to. The server's clock cannot be read without writing a file.
    pub now: SystemTime,
}

/// How far it was looked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Looked {
    /// Directories that were read.
    pub directories: u64,
    /// Temporaries that are too young.
    pub younger: u64,
}

/// Looks through `SSH_DIR` and all below it. Each temporary is told when its fate is known.
///
/// # Errors
///
/// There is no connection, or none any more, or `SSH_DIR` cannot be read. What cannot be read or removed
/// below it is a [`Finding`].
pub async fn clean(
    settings: &Settings,
    s3: &S3,
    secrets: &Secrets,
    options: &Options,
    tell: impl FnMut(Finding),
) -> Result<Looked, Error> {
    let (breaker, kept) = (Breaker::default(), kept::Kept::default());
    let link = Link::new(settings, s3, secrets, &breaker, &kept);
    let looked = async {
        let connection = link.connect().await?;
        let at_clean = |cause| (Stage::Clean, cause);
        let look = Look {
            sftp: connection.sftp(),
            dir: settings.dir.as_deref(),
            template: &settings.temporary_name,
            options,
            tell,
            looked: Looked::default(),
        };
        look.run().await.map_err(at_clean)
    }
    .await;
    link.spoil();
    link.finish().await;
    looked.map_err(|(stage, cause)| Error {
        stage,
        object: None,
        cause,
    })
}

struct Look<'a, F> {
    sftp: &'a Session,
    dir: Option<&'a str>,
    template: &'a TemporaryTemplate,
    options: &'a Options,
    tell: F,
    looked: Looked,
}

/// A directory, by what follows `SSH_DIR`: empty, or with `/` at its end.
struct Directory {
    below: String,
    depth: usize,
}

/// What a directory holds for us.
#[derive(Default)]
struct Listed {
    directories: Vec<Directory>,
    temporaries: Vec<Temporary>,
    /// Names of which the server does not tell what they are.
    unknown: u64,
}

struct Temporary {
    path: String,
    size: Option<u64>,
    age: Option<Duration>,
    is_file: bool,
    aside: Option<Aside>,
}

/// Where a file that was moved aside belongs; none where that cannot be told.
struct Aside(Option<String>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    File,
    Directory,
    /// A link, or something else that is never followed and never ours.
    Other,
}

impl<F: FnMut(Finding)> Look<'_, F> {
    async fn run(mut self) -> Result<Looked, Cause> {
        let root = Directory {
            below: String::new(),
            depth: 0,
        };
        let mut left = vec![root];
        while let Some(directory) = left.pop() {
            let mut listed = self.list(&directory).await?;
            listed.temporaries.sort_by(|a, b| a.path.cmp(&b.path));
            for flight in listed.temporaries.chunks(FLIGHT) {
                self.deal_with(flight).await?;
            }
            // The last one is taken first.
            listed.directories.sort_by(|a, b| b.below.cmp(&a.below));
            left.append(&mut listed.directories);
        }
        Ok(self.looked)
    }

    /// Reads a directory to its end before anything in it is removed: servers lose their place otherwise.
    async fn list(&mut self, directory: &Directory) -> Result<Listed, Cause> {
        let sftp = self.sftp;
        let path = match directory.below.strip_suffix('/') {
            Some(below) => self.path(below),
            None => self.dir.unwrap_or(".").to_owned(),
        };
        let is_root = directory.depth == 0;
        // Some servers tell in a listing what a link leads to. SSH_DIR itself may be one.
        let lstat = (!is_root).then(|| sftp.lstat(&path));
        let opened = sftp.opendir(&path);
        let is_other = match lstat {
            Some(reply) => match answered(reply.await, "LSTAT", &path)? {
                Ok(attributes) => kind(attributes).is_some_and(|kind| kind != Kind::Directory),
                Err(_) => false,
            },
            None => false,
        };
        let handle = match answered(opened.await, "OPENDIR", &path)? {
            Ok(handle) => handle,
            Err(error) if is_root => {
                return Err(match self.dir {
                    Some(dir) if error.is(StatusCode::NO_SUCH_FILE) => {
                        Cause::NoDirectory(dir.to_owned())
                    }
                    _ => Cause::sftp(format!("OPENDIR of {path}"))(error),
                });
            }
            Err(error) => {
                // Gone since it was listed, with all in it.
                if !is_other && !error.is(StatusCode::NO_SUCH_FILE) {
                    self.unread(&path, error.to_string());
                }
                return Ok(Listed::default());
            }
        };
        let mut listed = Listed::default();
        if !is_other {
            self.looked.directories += 1;
            loop {
                match answered(sftp.readdir(&handle).await, "READDIR", &path)? {
                    // Some servers end a listing by an empty answer.
                    Ok(Some(names)) if !names.is_empty() => {
                        self.sort_out(directory, names, &mut listed).await?;
                    }
                    Ok(_) => break,
                    Err(error) => {
                        self.unread(&path, error.to_string());
                        break;
                    }
                }
            }
        }
        // The listing is there, whatever the server thinks of its handle.
        _ = answered(sftp.close(&handle).await, "CLOSE", &path)?;
        if listed.unknown > 0 {
            let names = listed.unknown;
            self.unread(
                &path,
                format!("the server does not tell which of {names} names are directories"),
            );
        }
        Ok(listed)
    }

    /// Takes what is ours, and the directories, out of an answer to READDIR.
    async fn sort_out(
        &mut self,
        directory: &Directory,
        names: Vec<Name>,
        listed: &mut Listed,
    ) -> Result<(), Cause> {
        let below = directory.below.as_str();
        let parent = self.template.parent_of_final(below);
        let mut entries = Vec::new();
        for Name {
            filename,
            attributes,
        } in &names
        {
            // Keys are UTF-8, and so is everything that comes of them.
            let Ok(name) = str::from_utf8(filename) else {
                continue;
            };
            let below = format!("{below}{name}");
            // `.` and `..` among them.
            if name.contains('/') || !may_hold_deliveries(&below, self.dir) {
                continue;
            }
            let path = self.path(&below);
            let ours = parent.and_then(|parent| Some((parent, self.template.matches(name)?)));
            let tells_all =
                kind(*attributes).is_some() && (ours.is_none() || age_known(attributes));
            // All in one flight, where a listing is only names.
            let lstat = (!tells_all).then(|| self.sftp.lstat(&path));
            entries.push((below, path, ours, *attributes, lstat));
        }
        for (below, path, ours, mut attributes, lstat) in entries {
            if let Some(reply) = lstat {
                match answered(reply.await, "LSTAT", &path)? {
                    Ok(told) => attributes = told,
                    Err(error) if error.is(StatusCode::NO_SUCH_FILE) => continue,
                    Err(_) => {}
                }
            }
            match (kind(attributes), ours) {
                (Some(Kind::Directory), _) if directory.depth == DEEPEST => self.unread(
                    &path,
                    format!("it is more than {DEEPEST} directories deep, and is not looked into"),
                ),
                (Some(Kind::Directory), _) => listed.directories.push(Directory {
                    below: below + "/",
                    depth: directory.depth + 1,
                }),
                (Some(Kind::File) | None, Some((parent, name))) => {
                    let temporary = self.temporary(path, parent, name, attributes);
                    listed.temporaries.extend(temporary);
                }
                (None, None) => listed.unknown += 1,
                (Some(Kind::File | Kind::Other), _) => {}
            }
        }
        Ok(())
    }

    /// A temporary, unless it is too young.
    fn temporary(
        &mut self,
        path: String,
        parent: &str,
        name: TemporaryName<'_>,
        attributes: Attributes,
    ) -> Option<Temporary> {
        let age = age_known(&attributes)
            .then(|| age(&attributes, self.options.now))
            .flatten();
        if age.is_some_and(|age| age <= self.options.older_than) {
            self.looked.younger += 1;
            return None;
        }
        let belongs_to = || name.name.map(|name| self.path(&format!("{parent}{name}")));
        Some(Temporary {
            path,
            size: attributes.size,
            age,
            is_file: kind(attributes).is_some(),
            aside: name.is_moved_aside.then(|| Aside(belongs_to())),
        })
    }

    /// Judges and removes some temporaries, in two flights.
    async fn deal_with(&mut self, temporaries: &[Temporary]) -> Result<(), Cause> {
        let mut looks = Vec::new();
        for temporary in temporaries {
            looks.push(match &temporary.aside {
                // What a link leads to counts: one that leads nowhere is no copy.
                Some(Aside(Some(to))) => Some((to, self.sftp.stat(to))),
                _ => None,
            });
        }
        let mut removals = Vec::new();
        for (temporary, look) in temporaries.iter().zip(looks) {
            let found = match look {
                Some((to, reply)) => Some((to, answered(reply.await, "STAT", to)?)),
                None => None,
            };
            let kept = temporary.kept(found);
            let remove = kept.is_none() && self.options.remove;
            let removal = remove.then(|| self.sftp.remove(&temporary.path));
            removals.push((temporary, kept, removal));
        }
        for (temporary, kept, removal) in removals {
            let path = temporary.path.as_str();
            let fate = match (kept, removal) {
                (Some(kept), _) => Fate::Kept(kept),
                (None, None) => Fate::WouldRemove,
                (None, Some(reply)) => match answered(reply.await, "REMOVE", path)? {
                    Ok(()) => Fate::Removed,
                    Err(error) if error.is(StatusCode::NO_SUCH_FILE) => Fate::Gone,
                    Err(error) => Fate::Refused(error),
                },
            };
            (self.tell)(Finding::Temporary(Leftover {
                path: path.to_owned(),
                size: temporary.size,
                age: temporary.age,
                fate,
            }));
        }
        Ok(())
    }

    fn unread(&mut self, path: &str, why: String) {
        (self.tell)(Finding::Unread {
            path: path.to_owned(),
            why,
        });
    }

    /// What follows `SSH_DIR`, as the server is asked for it.
    fn path(&self, below: &str) -> String {
        match self.dir {
            None => below.to_owned(),
            Some(dir) if dir.ends_with('/') => format!("{dir}{below}"),
            Some(dir) => format!("{dir}/{below}"),
        }
    }
}

impl Temporary {
    /// Why it has to stay, if it has to. `found` is what stands under the name that it belongs to.
    fn kept(&self, found: Option<(&String, sftp::Result<Attributes>)>) -> Option<Kept> {
        match (&self.aside, found) {
            (Some(_), None) => return Some(Kept::NameUnknown),
            (Some(_), Some((to, found))) => {
                let to = to.clone();
                match found {
                    Ok(attributes) if attributes.is_directory() => {
                        return Some(Kept::NameIsDirectory { to });
                    }
                    Ok(_) => {}
                    Err(error) if error.is(StatusCode::NO_SUCH_FILE) => {
                        return Some(Kept::NothingHasItsName { to });
                    }
                    Err(error) => return Some(Kept::NameUnread { to, error }),
                }
            }
            (None, _) => {}
        }
        if !self.is_file {
            Some(Kept::NoKind)
        } else if self.age.is_none() {
            Some(Kept::NoAge)
        } else {
            None
        }
    }
}

/// Tells a refusal of the server, which is about one name, from the end of the session.
fn answered<T>(
    result: sftp::Result<T>,
    request: &str,
    path: &str,
) -> Result<sftp::Result<T>, Cause> {
    match result {
        Err(error) if error.status().is_none() => {
            Err(Cause::sftp(format!("{request} of {path}"))(error))
        }
        result => Ok(result),
    }
}

/// POSIX `S_IFMT` and two of its values; none where the server sent no type.
fn kind(attributes: Attributes) -> Option<Kind> {
    const TYPE: u32 = 0o170_000;
    match attributes.permissions? & TYPE {
        0 => None,
        0o100_000 => Some(Kind::File),
        0o040_000 => Some(Kind::Directory),
        _ => Some(Kind::Other),
    }
}

/// Servers that know no time leave it out or send 0.
fn age_known(attributes: &Attributes) -> bool {
    attributes.modified().is_some_and(|seconds| seconds > 0)
}

/// By two clocks, so that a file of the future is one of now.
fn age(attributes: &Attributes, now: SystemTime) -> Option<Duration> {
    let modified = UNIX_EPOCH + Duration::from_secs(attributes.modified()?.into());
    Some(now.duration_since(modified).unwrap_or_default())
}

#[cfg(test)]
mod tests;

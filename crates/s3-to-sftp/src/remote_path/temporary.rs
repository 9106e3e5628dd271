//! `SSH_TEMPORARY_NAME`: what a file is called until it is complete.

use std::str::FromStr;

use super::template::{Piece, TemplateError, pieces, refuse_hopeless_slashes, unknown};
use super::{NAME_MAX, TAG_LENGTH};

/// What follows the tag in the name that a replaced file is moved aside to.
pub(super) const ASIDE: &str = ".old";

/// The longest character of UTF-8, in bytes.
const MAX_CHARACTER: usize = 4;

/// The template of a temporary's name: `{name}` and `{tag}`, in a directory beside the target if it holds `/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemporaryTemplate {
    /// The directory beside the target, without slashes at its ends; empty for the target's own.
    directory: String,
    name: Vec<Piece<Placeholder>>,
}

impl TemporaryTemplate {
    /// Reads a template.
    ///
    /// # Errors
    ///
    /// `{tag}` is missing, or the template cannot be a name beside the target.
    pub fn parse(template: &str) -> Result<Self, TemplateError> {
        let mut name: Vec<Piece<Placeholder>> = pieces(template)?;
        refuse_hopeless_slashes(&name)?;
        let directory = take_directory(&mut name)?;

        if !name.contains(&Piece::Placeholder(Placeholder::Tag)) {
            return Err(TemplateError::NoTag);
        }
        // A file that makes room gets a longer name than a temporary.
        if fixed_length(&name, TAG_LENGTH + ASIDE.len()) > NAME_MAX
            || directory.split('/').any(|s| s.len() > NAME_MAX)
        {
            return Err(TemplateError::LongSegment);
        }
        Ok(Self { directory, name })
    }

    /// The temporary of the file `name` in `parent`, which is empty or ends with `/`.
    pub(crate) fn beside(&self, parent: &str, name: &str, tag: &str) -> TemporaryPath {
        let mut full = parent.to_owned();
        let mut directories = Vec::new();
        for segment in self
            .directory
            .split('/')
            .filter(|segment| !segment.is_empty())
        {
            full.push_str(segment);
            directories.push(full.clone());
            full.push('/');
        }

        let name = &name[..name.floor_char_boundary(self.room_for_name(tag.len()))];
        for piece in &self.name {
            full.push_str(match piece {
                Piece::Literal(text) => text,
                Piece::Placeholder(Placeholder::Name) => name,
                Piece::Placeholder(Placeholder::Tag) => tag,
            });
        }
        TemporaryPath { full, directories }
    }

    /// Whether this template can have made the name `file_name`, of whatever object. Where a name has two
    /// readings, such as `<tag>.old.csv` by `{tag}.{name}`, it is a file that was moved aside: that one may be
    /// the only copy of something.
    pub fn matches<'n>(&self, file_name: &'n str) -> Option<TemporaryName<'n>> {
        // No remote path holds such characters.
        if file_name.contains('/') || file_name.chars().any(char::is_control) {
            return None;
        }
        self.read(file_name, ASIDE)
            .or_else(|| self.read(file_name, ""))
    }

    /// The directory of the final name, `/` at its end, if temporaries that lie in `directory` have one; of
    /// either kind the part below `SSH_DIR`, empty for `SSH_DIR` itself or with `/` at its end.
    pub(crate) fn parent_of_final<'d>(&self, directory: &'d str) -> Option<&'d str> {
        if self.directory.is_empty() {
            return Some(directory);
        }
        let parent = directory.strip_suffix('/')?.strip_suffix(&self.directory)?;
        (parent.is_empty() || parent.ends_with('/')).then_some(parent)
    }

    /// Reads a name backwards, with `suffix` behind its tag. There is one way to do so at most: the length
    /// tells how long `{name}` is.
    fn read<'n>(&self, file_name: &'n str, suffix: &'static str) -> Option<TemporaryName<'n>> {
        let tag_length = TAG_LENGTH + suffix.len();
        let rest = file_name
            .len()
            .checked_sub(fixed_length(&self.name, tag_length))?;
        let length = match self.names() {
            0 if rest == 0 => 0,
            0 => return None,
            names if rest % names == 0 => rest / names,
            _ => return None,
        };
        let room = self.room_for_name(tag_length);
        // A cut takes whole characters: up to three bytes more than has to be.
        let may_be_cut = length + MAX_CHARACTER > room;
        if length > room || (length == 0 && self.names() > 0 && !may_be_cut) {
            return None;
        }

        let (mut left, mut name, mut tag) = (file_name, None, None);
        for piece in &self.name {
            let taken = match piece {
                Piece::Literal(text) => text.len(),
                Piece::Placeholder(Placeholder::Name) => length,
                Piece::Placeholder(Placeholder::Tag) => tag_length,
            };
            let (part, behind) = left.split_at_checked(taken)?;
            let fits = match piece {
                Piece::Literal(text) => part == text,
                Piece::Placeholder(Placeholder::Name) => *name.get_or_insert(part) == part,
                Piece::Placeholder(Placeholder::Tag) => {
                    *tag.get_or_insert(part) == part && is_tag(part, suffix)
                }
            };
            if !fits {
                return None;
            }
            left = behind;
        }
        Some(TemporaryName {
            name: name.filter(|_| !may_be_cut),
            is_moved_aside: !suffix.is_empty(),
        })
    }

    fn names(&self) -> usize {
        let is_name = |piece: &&Piece<_>| **piece == Piece::Placeholder(Placeholder::Name);
        self.name.iter().filter(is_name).count()
    }

    /// How many bytes of `{name}` fit, so that a name that the server takes has a temporary that it takes.
    fn room_for_name(&self, tag: usize) -> usize {
        NAME_MAX.saturating_sub(fixed_length(&self.name, tag)) / self.names().max(1)
    }
}

/// What a file's name tells, if it is a temporary's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TemporaryName<'n> {
    /// The name of the file that it was to become; none where the template leaves it out, or may have cut it.
    pub name: Option<&'n str>,
    /// Whether it is no upload but a file of the partner's, which was moved aside to make room.
    pub is_moved_aside: bool,
}

/// The temporary of one delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemporaryPath {
    /// The whole path, `SSH_DIR` included.
    pub full: String,
    /// The directories that the template adds to the target's own, whole paths, outermost first.
    pub directories: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Placeholder {
    Name,
    Tag,
}

impl FromStr for Placeholder {
    type Err = TemplateError;

    fn from_str(name: &str) -> Result<Self, TemplateError> {
        match name {
            "name" => Ok(Self::Name),
            "tag" => Ok(Self::Tag),
            _ => Err(unknown(name, &["name", "tag"])),
        }
    }
}

/// Cuts the directory off the pieces, which are the last segment's then.
fn take_directory(pieces: &mut [Piece<Placeholder>]) -> Result<String, TemplateError> {
    let last_slash = |piece: &Piece<Placeholder>| match piece {
        Piece::Literal(text) => text.rfind('/'),
        Piece::Placeholder(_) => None,
    };
    let Some((index, slash)) = pieces
        .iter()
        .enumerate()
        .rev()
        .find_map(|(i, piece)| Some((i, last_slash(piece)?)))
    else {
        return Ok(String::new());
    };
    if index > 0 {
        return Err(TemplateError::PlaceholderInDirectory);
    }
    let Some(Piece::Literal(text)) = pieces.first_mut() else {
        return Ok(String::new());
    };
    let name = text.split_off(slash + 1);
    let mut directory = std::mem::replace(text, name);
    directory.pop();

    if directory.is_empty() || directory.starts_with('/') {
        return Err(TemplateError::LeadingSlash);
    }
    if directory
        .split(['/', '\\'])
        .any(|segment| matches!(segment, "." | ".."))
    {
        return Err(TemplateError::DotSegment);
    }
    Ok(directory)
}

/// Whether these characters are a tag's and the suffix; there are as many as there have to be.
fn is_tag(part: &str, suffix: &str) -> bool {
    part.strip_suffix(suffix)
        .is_some_and(|tag| tag.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')))
}

fn fixed_length(name: &[Piece<Placeholder>], tag: usize) -> usize {
    let length = |piece: &Piece<Placeholder>| match piece {
        Piece::Literal(text) => text.len(),
        Piece::Placeholder(Placeholder::Tag) => tag,
        Piece::Placeholder(Placeholder::Name) => 0,
    };
    name.iter().map(length).sum()
}

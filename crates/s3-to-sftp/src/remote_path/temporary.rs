//! `SSH_TEMPORARY_NAME`: what a file is called until it is complete.

use std::str::FromStr;

use super::template::{Piece, TemplateError, pieces, refuse_hopeless_slashes, unknown};
use super::{NAME_MAX, TAG_LENGTH};

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
        if fixed_length(&name, TAG_LENGTH) > NAME_MAX
            || directory.split('/').any(|s| s.len() > NAME_MAX)
        {
            return Err(TemplateError::LongSegment);
        }
        Ok(Self { directory, name })
    }

    /// The temporary of the file `name` in `parent`, which is empty or ends with `/`.
    pub(super) fn beside(&self, parent: &str, name: &str, tag: &str) -> TemporaryPath {
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

    /// How many bytes of `{name}` fit, so that a name that the server takes has a temporary that it takes.
    fn room_for_name(&self, tag: usize) -> usize {
        let names = self
            .name
            .iter()
            .filter(|p| **p == Piece::Placeholder(Placeholder::Name))
            .count();
        NAME_MAX.saturating_sub(fixed_length(&self.name, tag)) / names.max(1)
    }
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

fn fixed_length(name: &[Piece<Placeholder>], tag: usize) -> usize {
    let length = |piece: &Piece<Placeholder>| match piece {
        Piece::Literal(text) => text.len(),
        Piece::Placeholder(Placeholder::Tag) => tag,
        Piece::Placeholder(Placeholder::Name) => 0,
    };
    name.iter().map(length).sum()
}

//! `SSH_FILENAME`: a template with placeholders → a relative path, not checked yet.

use std::str::FromStr;

use time::{OffsetDateTime, UtcOffset};

use super::{PathRefused, PathRule};
use crate::object::ObjectVersion;

/// The template of the remote name.
///
/// | placeholder | for `in/2026/report.tar.gz` in bucket `acme` |
/// |---|---|
/// | `{bucket}` | `acme` |
/// | `{key}` | `in/2026/report.tar.gz` |
/// | `{dir}`, `{name}` | `in/2026`, `report.tar.gz` |
/// | `{stem}`, `{ext}` | `report.tar`, `gz` |
/// | `{etag}` | the ETag without quotes |
/// | `{version}` | the version id; empty where the bucket has no versions |
/// | `{current_date}`, `{current_time}` | the object's LastModified in UTC: `2026-11-22`, `140509` |
///
/// An empty placeholder takes its following `/` along, so that `{dir}/{name}` of a key without
/// directories is its name. An empty `{ext}` takes the `.` before it along, so that `{stem}.{ext}` is always
/// the name: an extension is what follows the last `.`, if there is something before and behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilenameTemplate(Vec<Piece<Placeholder>>);

impl FilenameTemplate {
    /// Reads a template.
    ///
    /// # Errors
    ///
    /// A brace or a placeholder that cannot be read, or a `/` that every path would be refused for.
    pub fn parse(template: &str) -> Result<Self, TemplateError> {
        let pieces = pieces(template)?;
        if let Some(Piece::Literal(text)) = pieces.first()
            && text.starts_with('/')
        {
            return Err(TemplateError::LeadingSlash);
        }
        refuse_hopeless_slashes(&pieces)?;
        if template
            .split('/')
            .any(|segment| matches!(segment, "." | ".."))
        {
            return Err(TemplateError::DotSegment);
        }
        Ok(Self(pieces))
    }

    /// Whether different objects of a bucket get different names by this template.
    ///
    /// A template without is no error, since a feed that keeps one name may be what the partner wants; but the
    /// second object then overwrites the first.
    pub fn tells_objects_apart(&self) -> bool {
        use Placeholder::{Dir, Etag, Ext, Key, Name, Stem, Version};
        let has = |placeholder| self.0.contains(&Piece::Placeholder(placeholder));
        has(Key)
            || has(Etag)
            || has(Version)
            || (has(Dir) && (has(Name) || (has(Stem) && has(Ext))))
    }

    /// Whether a path follows from bucket and key alone.
    pub(crate) fn is_of_the_name_alone(&self) -> bool {
        use Placeholder::{CurrentDate, CurrentTime, Etag, Version};
        [Etag, Version, CurrentDate, CurrentTime]
            .iter()
            .all(|it| !self.0.contains(&Piece::Placeholder(*it)))
    }

    /// The path of an object, of whose key `rest` is what `S3_STRIP_PREFIX` left.
    pub(super) fn expand(&self, rest: &str, object: &ObjectVersion) -> Result<String, PathRefused> {
        let mut path = String::with_capacity(rest.len());
        let mut takes_slash = false;
        for piece in &self.0 {
            match piece {
                Piece::Literal(text) => {
                    let text = match text.strip_prefix('/') {
                        Some(tail) if takes_slash => tail,
                        _ => text,
                    };
                    path.push_str(text);
                    takes_slash = false;
                }
                Piece::Placeholder(placeholder) => {
                    let value = placeholder.value(rest, object)?;
                    takes_slash = value.is_empty();
                    if takes_slash && *placeholder == Placeholder::Ext && path.ends_with('.') {
                        path.pop();
                    }
                    path.push_str(&value);
                }
            }
        }
        Ok(path)
    }
}

/// Why a template cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// No such placeholder.
    #[error(
        "there is no placeholder `{{{found}}}`; there are {known}. A brace of the name itself is written twice"
    )]
    Unknown {
        /// What stands between the braces.
        found: String,
        /// Those that there are.
        known: String,
    },
    /// `{` without `}`.
    #[error(
        "a `{{` is never closed; close the placeholder, or write `{{{{` for a brace of the name itself"
    )]
    Unclosed,
    /// `}` without `{`.
    #[error("a `}}` closes nothing; write `}}}}` for a brace of the name itself")]
    Unopened,
    /// Would be an absolute path.
    #[error("begins with `/`; the name is below the directory it is put in, leave the `/` out")]
    LeadingSlash,
    /// Would name a directory.
    #[error("ends with `/`; end it with the file's name, like `{{name}}`")]
    TrailingSlash,
    /// Every path would have an empty segment.
    #[error("has `//`, an empty segment; leave one `/` out")]
    EmptySegment,
    /// A segment that leads elsewhere.
    #[error("has a segment `.` or `..`; leave it out")]
    DotSegment,
    /// A character that no path may hold.
    #[error("holds a control character; leave it out")]
    ControlCharacter,
    /// Temporaries of different deliveries would have one name.
    #[error(
        "`{{tag}}` is missing: without it two deliveries would write into one file; put it into the file's name"
    )]
    NoTag,
    /// A directory for each delivery, which nobody would remove.
    #[error(
        "placeholders stand in the last segment only: directories made for one file would stay behind"
    )]
    PlaceholderInDirectory,
    /// A name that file systems refuse even without `{name}`.
    #[error(
        "a segment is above 255 bytes, which file systems refuse, a tag of 20 and the `.old` of a file that makes room \
         counted; shorten it"
    )]
    LongSegment,
}

/// A part of a template whose placeholders are of type `P`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece<P> {
    Literal(String),
    Placeholder(P),
}

/// Splits a template into its pieces; no two literals are neighbours.
pub(super) fn pieces<P>(template: &str) -> Result<Vec<Piece<P>>, TemplateError>
where
    P: FromStr<Err = TemplateError>,
{
    if template.chars().any(char::is_control) {
        return Err(TemplateError::ControlCharacter);
    }
    let mut pieces = Vec::new();
    let mut literal = String::new();
    let mut rest = template;
    while let Some(brace) = rest.find(['{', '}']) {
        literal.push_str(&rest[..brace]);
        let (doubled, one, after) = match &rest[brace..] {
            at if at.starts_with("{{") => (true, '{', &at[2..]),
            at if at.starts_with("}}") => (true, '}', &at[2..]),
            at if at.starts_with('{') => (false, '{', &at[1..]),
            _ => return Err(TemplateError::Unopened),
        };
        if doubled {
            literal.push(one);
            rest = after;
            continue;
        }
        let (name, tail) = after.split_once('}').ok_or(TemplateError::Unclosed)?;
        if name.contains('{') {
            return Err(TemplateError::Unclosed);
        }
        if !literal.is_empty() {
            pieces.push(Piece::Literal(std::mem::take(&mut literal)));
        }
        pieces.push(Piece::Placeholder(name.parse()?));
        rest = tail;
    }
    literal.push_str(rest);
    if !literal.is_empty() {
        pieces.push(Piece::Literal(literal));
    }
    Ok(pieces)
}

/// What would refuse every single path is better refused at start.
pub(super) fn refuse_hopeless_slashes<P>(pieces: &[Piece<P>]) -> Result<(), TemplateError> {
    for piece in pieces {
        if let Piece::Literal(text) = piece
            && text.contains("//")
        {
            return Err(TemplateError::EmptySegment);
        }
    }
    match pieces.last() {
        Some(Piece::Literal(text)) if text.ends_with('/') => Err(TemplateError::TrailingSlash),
        _ => Ok(()),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Placeholder {
    Bucket,
    Key,
    Dir,
    Name,
    Stem,
    Ext,
    Etag,
    Version,
    CurrentDate,
    CurrentTime,
}

impl Placeholder {
    const ALL: [(&'static str, Self); 10] = [
        ("bucket", Self::Bucket),
        ("key", Self::Key),
        ("dir", Self::Dir),
        ("name", Self::Name),
        ("stem", Self::Stem),
        ("ext", Self::Ext),
        ("etag", Self::Etag),
        ("version", Self::Version),
        ("current_date", Self::CurrentDate),
        ("current_time", Self::CurrentTime),
    ];

    fn value(self, rest: &str, object: &ObjectVersion) -> Result<String, PathRefused> {
        let (dir, name) = match rest.rsplit_once('/') {
            Some((dir, name)) => (Some(dir), name),
            None => (None, rest),
        };
        let value = match self {
            Self::Bucket => object.name.bucket.clone(),
            Self::Key => rest.to_owned(),
            // The directory of `/a` is the root, not none: left out it would make `/a` and `a` one name.
            Self::Dir if dir == Some("") => {
                return Err(PathRefused::new(PathRule::LeadingSlash, rest));
            }
            Self::Dir => dir.unwrap_or_default().to_owned(),
            Self::Name => name.to_owned(),
            Self::Stem => stem_and_extension(name).0.to_owned(),
            Self::Ext => stem_and_extension(name).1.to_owned(),
            Self::Etag => unquoted(&object.etag).to_owned(),
            Self::Version => object.version_id.clone().unwrap_or_default(),
            Self::CurrentDate => date(object.last_modified),
            Self::CurrentTime => time_of_day(object.last_modified),
        };
        Ok(value)
    }
}

impl FromStr for Placeholder {
    type Err = TemplateError;

    fn from_str(name: &str) -> Result<Self, TemplateError> {
        let found = Self::ALL.iter().find(|(known, _)| *known == name);
        found
            .map(|(_, placeholder)| *placeholder)
            .ok_or_else(|| unknown(name, &Self::ALL.map(|(n, _)| n)))
    }
}

pub(super) fn unknown(name: &str, known: &[&str]) -> TemplateError {
    let known: Vec<String> = known.iter().map(|name| format!("`{{{name}}}`")).collect();
    TemplateError::Unknown {
        found: name.chars().take(40).collect(),
        known: known.join(" "),
    }
}

fn stem_and_extension(name: &str) -> (&str, &str) {
    match name.rsplit_once('.') {
        Some((stem, extension)) if !stem.is_empty() && !extension.is_empty() => (stem, extension),
        _ => (name, ""),
    }
}

/// An ETag without the quotes that HTTP puts around it.
fn unquoted(etag: &str) -> &str {
    etag.strip_prefix("W/").unwrap_or(etag).trim_matches('"')
}

fn date(at: OffsetDateTime) -> String {
    let at = at.to_offset(UtcOffset::UTC);
    format!(
        "{:04}-{:02}-{:02}",
        at.year(),
        u8::from(at.month()),
        at.day()
    )
}

fn time_of_day(at: OffsetDateTime) -> String {
    let at = at.to_offset(UtcOffset::UTC);
    format!("{:02}{:02}{:02}", at.hour(), at.minute(), at.second())
}

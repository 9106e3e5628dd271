//! What the documents say becomes of a key (SECURITY.md, "A key that leads elsewhere on the server"; docs/events.md for
//! folder markers), written down once more and in another way than the code has it.

/// Parts of the sentences that tell them.
pub(super) const REASONS: [&str; 7] = [
    "holds a control character",
    "segment `.` or `..`",
    "begins with `/`",
    "ends with `/`",
    "an empty segment",
    "above 255 bytes",
    "leads into `.ssh`",
];

const CONTROL: &str = REASONS[0];
const DOTS: &str = REASONS[1];
const LEADING: &str = REASONS[2];
const TRAILING: &str = REASONS[3];
const EMPTY: &str = REASONS[4];
const LONG: &str = REASONS[5];
const SSH: &str = REASONS[6];

/// What becomes of it.
#[derive(Debug)]
pub(super) enum Expected {
    /// A file of this name, byte by byte that of the key.
    File(String),
    /// One of these reasons is told.
    Refused(Vec<&'static str>),
    FolderMarker,
}

impl Expected {
    pub(super) fn of(key: &str, is_empty: bool, is_login_directory: bool) -> Self {
        if is_empty && key.as_bytes().last() == Some(&b'/') {
            return Self::FolderMarker;
        }
        let mut reasons = Vec::new();
        let mut because = |is_so: bool, reason| {
            if is_so {
                reasons.push(reason);
            }
        };
        // C0, DEL and C1, by their numbers.
        let is_control = |c| matches!(u32::from(c), 0..=0x1f | 0x7f..=0x9f);
        because(key.chars().any(is_control), CONTROL);
        let slashed = format!("/{}/", key.replace('\\', "/"));
        because(slashed.contains("/./") || slashed.contains("/../"), DOTS);
        because(key.starts_with('/'), LEADING);
        because(key.ends_with('/'), TRAILING);
        because(key.contains("//"), EMPTY);
        let longest = key.split('/').map(str::len).max();
        because(longest > Some(255), LONG);
        let first = key.split('/').next().unwrap_or_default();
        because(is_login_directory && first.to_lowercase() == ".ssh", SSH);
        if reasons.is_empty() {
            Self::File(key.to_owned())
        } else {
            Self::Refused(reasons)
        }
    }
}

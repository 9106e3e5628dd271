//! Keys and names are data: what moves a cursor or turns a line around is shown and not carried out.

use std::fmt::{self, Write as _};

/// A text on one line, its control characters and those that turn the direction of writing escaped as in Rust.
pub(crate) struct Printable<'a>(pub(crate) &'a str);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            if is_shown(character) {
                f.write_char(character)?;
            } else {
                write!(f, "{}", character.escape_default())?;
            }
        }
        Ok(())
    }
}

/// UAX #9 has the marks, embeddings, overrides and isolates; U+2028 and U+2029 end lines.
fn is_shown(character: char) -> bool {
    !character.is_control()
        && !matches!(
            character,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_shown() {
        let shown = |text| Printable(text).to_string();
        assert_eq!(shown("a\nb\r\u{1b}[2J\u{7f}"), r"a\nb\r\u{1b}[2J\u{7f}");
        assert_eq!(shown("gpj\u{202e}.exe\u{2028}"), r"gpj\u{202e}.exe\u{2028}");
        for plain in [
            "",
            "Löhne 2026/März.csv",
            r#"a"b'c\n"#,
            "給与 🎉",
            "e\u{301}",
        ] {
            assert_eq!(shown(plain), plain);
        }
    }
}

//! What a server, a setting or a library says, made fit for a line of a log.

use std::error::Error;

use russh::keys::ssh_encoding;

/// Enough to know it again.
const LONGEST: usize = 60;

/// Of the server's own words; they may be a whole page.
const LONGEST_SAID: usize = 300;

/// Enough of a word to find it again.
pub(super) fn excerpt(word: &str) -> String {
    cut(word, LONGEST)
}

/// What a server said: on one line, without what controls a terminal or turns the direction of writing, and cut.
pub(super) fn said(text: &str) -> String {
    cut(text, LONGEST_SAID)
}

/// What a library says of a text that is nobody else's business. Types and curves that it does not know it quotes: where
/// the text is damaged that may be any part of it.
pub(super) fn unquoted(
    source: impl Into<Box<dyn Error + Send + Sync>>,
) -> Box<dyn Error + Send + Sync> {
    let source = source.into();
    let mut next: Option<&(dyn Error + 'static)> = Some(&*source);
    while let Some(error) = next {
        let is_label = |it: &ssh_encoding::Error| matches!(it, ssh_encoding::Error::Label(_));
        if error.downcast_ref().is_some_and(is_label) {
            return "it holds a type or a curve that is not known".into();
        }
        next = error.source();
    }
    source
}

fn cut(text: &str, longest: usize) -> String {
    let mut kept = String::new();
    // A blank is put before the next word only: none at the ends.
    let mut blank = false;
    let mut left = longest;
    for c in text.chars() {
        if c.is_whitespace() || c.is_control() {
            blank = !kept.is_empty();
            continue;
        }
        if is_invisible(c) {
            continue;
        }
        if left == 0 {
            kept.push('…');
            break;
        }
        left -= 1;
        if std::mem::take(&mut blank) {
            kept.push(' ');
        }
        kept.push(c);
    }
    kept
}

/// Marks of direction and width, and the tags that nobody sees.
fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_server_breaks_a_line_or_colours_it() {
        let text = " \u{1b}[31mEnter\r\nyour\tcode\u{202e}:\0 \u{7}";
        assert_eq!(said(text), "[31mEnter your code:");
        assert_eq!(said(""), "");
    }

    #[test]
    fn a_page_is_cut() {
        let page = "ä ".repeat(10_000);
        let line = said(&page);
        assert!(line.ends_with('…') && line.chars().count() < 2 * LONGEST_SAID + 2);
        assert_eq!(excerpt("short"), "short");
    }
}

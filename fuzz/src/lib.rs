//! What several targets ask of what the library tells.

use std::error::Error;
use std::fmt::Display;

/// A line of a log stays one, and no terminal obeys it: no control characters, whatever the input was.
pub fn assert_one_line(text: impl Display) {
    let text = text.to_string();
    assert!(!text.is_empty());
    assert!(!text.chars().any(char::is_control), "{text:?}");
}

/// The same of an error and all of its causes.
pub fn assert_one_line_each(error: &(dyn Error + 'static)) {
    let mut next = Some(error);
    while let Some(error) = next {
        assert_one_line(error);
        next = error.source();
    }
}

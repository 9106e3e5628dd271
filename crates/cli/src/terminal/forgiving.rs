//! Standard error as a terminal that may disappear: what cannot be drawn is not, and nothing ends for that. indicatif panics at
//! the first error.

use std::env;
use std::io;

use console::Term;
use indicatif::{ProgressDrawTarget, TermLike};

/// As often as indicatif draws by itself.
const HERTZ: u8 = 20;

/// Where bars are drawn: nowhere where standard error is no terminal, or one that cannot move its cursor.
pub(super) fn target() -> ProgressDrawTarget {
    let terminal = Term::buffered_stderr();
    let is_dumb = env::var("TERM").is_ok_and(|term| term.is_empty() || term == "dumb");
    if !terminal.is_term() || is_dumb || env::var_os("TERM").is_none() {
        return ProgressDrawTarget::hidden();
    }
    ProgressDrawTarget::term_like_with_hz(Box::new(Forgiving(terminal)), HERTZ)
}

#[derive(Debug)]
struct Forgiving(Term);

impl TermLike for Forgiving {
    fn width(&self) -> u16 {
        self.0.size().1
    }

    fn height(&self) -> u16 {
        self.0.size().0
    }

    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        _ = self.0.move_cursor_up(n);
        Ok(())
    }

    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        _ = self.0.move_cursor_down(n);
        Ok(())
    }

    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        _ = self.0.move_cursor_right(n);
        Ok(())
    }

    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        _ = self.0.move_cursor_left(n);
        Ok(())
    }

    fn write_line(&self, s: &str) -> io::Result<()> {
        _ = self.0.write_line(s);
        Ok(())
    }

    fn write_str(&self, s: &str) -> io::Result<()> {
        _ = self.0.write_str(s);
        Ok(())
    }

    fn clear_line(&self) -> io::Result<()> {
        _ = self.0.clear_line();
        Ok(())
    }

    fn flush(&self) -> io::Result<()> {
        _ = self.0.flush();
        Ok(())
    }
}

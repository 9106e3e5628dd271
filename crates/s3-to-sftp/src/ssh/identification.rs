//! The line by which a server introduces itself (RFC 4253, section 4.2), read as it passes.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Other lines may come before it; nobody needs more of them than this.
const MOST: usize = 8 * 1024;

/// The beginning of what a server sends.
#[derive(Debug, Default)]
pub(super) struct Identification {
    begun: Vec<u8>,
    is_complete: bool,
}

impl Identification {
    pub(super) fn pass(&mut self, bytes: &[u8]) {
        if self.is_complete {
            return;
        }
        let room = MOST.saturating_sub(self.begun.len());
        self.begun
            .extend_from_slice(&bytes[..bytes.len().min(room)]);
        self.is_complete = self.begun.len() == MOST || self.find().is_some();
    }

    pub(super) fn line(&self) -> String {
        let line = self.find().unwrap_or_default();
        String::from_utf8_lossy(line).trim_end().to_owned()
    }

    fn find(&self) -> Option<&[u8]> {
        let mut lines = self.begun.split_inclusive(|byte| *byte == b'\n');
        lines.find(|line| line.starts_with(b"SSH-") && line.ends_with(b"\n"))
    }
}

pub(super) fn lock(identification: &Mutex<Identification>) -> MutexGuard<'_, Identification> {
    identification
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_the_line_behind_all_others_however_it_comes() {
        let mut identification = Identification::default();
        for piece in [
            "Welcome\r\nSS",
            "H-2.0-Open",
            "SSH_9.2p1 Debian\r",
            "\n\0\0binary",
        ] {
            assert_eq!(identification.line(), "");
            identification.pass(piece.as_bytes());
        }
        assert_eq!(identification.line(), "SSH-2.0-OpenSSH_9.2p1 Debian");
        identification.pass(b"SSH-2.0-another\n");
        assert_eq!(identification.line(), "SSH-2.0-OpenSSH_9.2p1 Debian");
    }
}

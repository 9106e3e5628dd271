//! How long a server may be silent that has been silent for a whole time-out already: no delivery is held much longer than
//! that, over however many connections.

use std::time::Duration;

use tokio::time::Instant;

use crate::error::Cause;
use crate::ssh::Connection;

/// What is left to a server that was silent. Enough to log in at the other end of the world, and to answer.
const REST: Duration = Duration::from_millis(3500);

/// The silences of one delivery.
#[derive(Debug, Default)]
pub(super) struct Silence {
    /// When the server has to have answered.
    until: Option<Instant>,
    /// The most bytes that it has ever acknowledged of the file.
    farthest: u64,
}

impl Silence {
    /// A connection broke, with so many bytes acknowledged. Until when another one has to be made, and the server to answer
    /// there; none where it has the usual time.
    pub(super) fn after(&mut self, cause: &Cause, acknowledged: u64) -> Option<Instant> {
        let has_gone_on = acknowledged > self.farthest;
        self.farthest = self.farthest.max(acknowledged);
        if has_gone_on || self.until.is_none() {
            self.until = cause.is_silence().then(|| Instant::now() + REST);
        }
        self.until
    }

    /// A connection is given up, or gone on with for another attempt. One that has not ended shows that the server answers.
    pub(super) fn behind(&mut self, connection: &Connection) {
        if !connection.is_closed() {
            self.until = None;
        }
    }

    /// Until when the next connection has to be made.
    pub(super) fn until(&self) -> Option<Instant> {
        self.until
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    fn broken(source: sftp::Error) -> Cause {
        Cause::Sftp {
            request: "CLOSE of f".to_owned(),
            source,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_was_silent_has_the_rest_once() {
        let silence = broken(sftp::Error::Stalled(Duration::from_secs(30)));
        let cut = broken(sftp::Error::Closed);
        let mut silences = Silence::default();
        assert_eq!(silences.after(&cut, 10), None, "it was not silent");
        let until = silences.after(&silence, 10);
        assert_eq!(until, Some(Instant::now() + REST));
        advance(REST).await;
        assert_eq!(silences.after(&silence, 10), until, "no more than that");
        assert_eq!(
            silences.after(&cut, 5),
            until,
            "begun anew, it is no farther"
        );

        let until = silences.after(&silence, 11);
        assert_eq!(
            until,
            Some(Instant::now() + REST),
            "it has answered meanwhile"
        );
        assert_eq!(silences.after(&cut, 12), None);
    }
}

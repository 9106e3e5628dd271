//! How many channels write to a file, and when the further ones come in.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use sftp::{Error, Session};

use super::{Temporary, may_be_together, write_failed};
use crate::error::Cause;
use crate::profile::Finding;
use crate::settings::Channels;
use crate::ssh::Connection;

/// What OpenSSH grants an SSH channel, in bytes: 64 packets of 32 KiB. So much is moved in a round trip, at most.
const CHANNEL_WINDOW: usize = 2 * 1024 * 1024;

/// OpenSSH's `MaxSessions`, on one connection.
const MOST: usize = 10;

/// The line that is to be filled, in bytes a second: more than Lambda's network moves.
const LINE: u128 = 512 * 1024 * 1024;

/// Others may have used all channels: so many bytes later there may be some.
const ASK_AGAIN: u64 = 32 * 1024 * 1024;

/// Where further channels come from.
pub(super) struct Further<'a> {
    pub(super) connection: &'a Connection,
    pub(super) setting: Channels,
    /// Of the file.
    pub(super) size: u64,
    /// From which byte on they are asked for, once more.
    pub(super) ask_again_at: u64,
    /// Whether some were opened, or may have been.
    pub(super) are_in_use: bool,
    /// Behind a lock that nobody else knows, so that a delivery can be looked at from everywhere.
    pub(super) opening: Option<Mutex<Opening<'a>>>,
}

/// Some that are on their way, while the first channel writes.
type Opening<'a> = Pin<Box<dyn Future<Output = Vec<Arc<Session>>> + Send + 'a>>;

impl Further<'_> {
    /// Whether they may be why a write failed: nothing but a setting says that this server bears them.
    fn are_blamed(&self) -> bool {
        self.are_in_use && !is_safe(self.connection)
    }
}

impl std::fmt::Debug for Further<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Further")
            .field("setting", &self.setting)
            .finish_non_exhaustive()
    }
}

impl Temporary<'_> {
    /// What a write that failed tells of the server.
    pub(super) fn failed(&self, error: Error) -> Cause {
        let error = match (error, &self.further) {
            // Handles that do not share the file turn up at the first write behind theirs, or at the end of a short
            // file: this server gets one channel from now on.
            (Error::NotShared, Some(further)) => {
                further.connection.limit_further(0);
                Error::NotShared
            }
            (error, Some(further)) if further.are_blamed() => {
                further.connection.limit_further(0);
                match error {
                    Error::Status(status) => Error::SeveralRefused(status),
                    error => error,
                }
            }
            (Error::Status(status), _) if self.has_brought_nothing_to_what_was_there() => {
                Error::NotGoneOnWith(status)
            }
            (error, _) => match &self.upload {
                Some(upload) => may_be_together(upload, error),
                None => error,
            },
        };
        if matches!(error, Error::NotGoneOnWith(_) | Error::Appended { .. }) {
            self.place.profile.saw(Finding::NoResume);
        }
        write_failed(self.name(), error)
    }

    /// Writes; and when the window of one channel has held that back, asks for others, and has them join as soon as
    /// they are there.
    pub(super) async fn write_or_widen(&mut self, bytes: Bytes) -> sftp::Result<()> {
        let name = self.place.name.full.as_str();
        let Some(upload) = &mut self.upload else {
            return Err(Error::Closed);
        };
        let Some(further) = &mut self.further else {
            return upload.write(bytes).await;
        };
        if further.opening.is_none()
            && upload.could_be_wider()
            && upload.acknowledged() >= further.ask_again_at
        {
            let left = further.size.saturating_sub(upload.acknowledged());
            let wanted = wanted(further.setting, further.connection, left, self.place.window);
            further.ask_again_at = upload.acknowledged() + ASK_AGAIN;
            if wanted > 1 {
                upload.expect_others();
                further.are_in_use |= further.connection.most_further() > 0;
                let opening: Opening<'_> = Box::pin(further.connection.further(wanted - 1));
                further.opening = Some(Mutex::new(opening));
            }
        }
        let mut opened = None;
        {
            let mut writing = pin!(upload.write(bytes));
            let opening = &mut further.opening;
            poll_fn(|context| {
                if let Some(some) = opening
                    && let Ok(some) = some.get_mut()
                    && let Poll::Ready(sessions) = some.as_mut().poll(context)
                {
                    *opening = None;
                    opened = Some(sessions);
                }
                writing.as_mut().poll(context)
            })
            .await?;
        }
        match opened {
            Some(sessions) => upload.widen(sessions, name).await,
            None => Ok(()),
        }
    }
}

/// How many channels, the first one included, are worth having for a file of which `left` bytes are still to be
/// written, with `window` bytes on their way at most.
pub(super) fn wanted(
    setting: Channels,
    connection: &Connection,
    left: u64,
    window: usize,
) -> usize {
    let most = match setting {
        Channels::Number(number) => return number,
        Channels::Auto if is_safe(connection) => {
            MOST.min(by_round_trip(connection.sftp().round_trip()))
        }
        Channels::Auto => 1,
    };
    // Each has its own window to fill, twice at least, or it is not worth its two round trips.
    let by_size = usize::try_from(left / (2 * CHANNEL_WINDOW as u64)).unwrap_or(usize::MAX);
    let by_window = window / CHANNEL_WINDOW;
    most.min(by_size).min(by_window).max(1)
}

/// As many as it takes to fill the line.
fn by_round_trip(round_trip: Option<Duration>) -> usize {
    let on_its_way = round_trip.unwrap_or_default().as_micros() * LINE / 1_000_000;
    usize::try_from(on_its_way.div_ceil(CHANNEL_WINDOW as u128)).unwrap_or(usize::MAX)
}

/// Only OpenSSH is known to bear it: servers that stand before an object store want ascending offsets, and others
/// copy its identification, so its SFTP program has to be its own as well.
fn is_safe(connection: &Connection) -> bool {
    connection.identification().starts_with("SSH-2.0-OpenSSH_")
        && connection.sftp().extensions().are_those_of_openssh()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_round_trip_tells_how_many_fill_the_line() {
        let by = |millis| by_round_trip(Some(Duration::from_millis(millis)));
        assert_eq!([by(0), by(2), by(20), by(50)], [0, 1, 6, 13]);
        assert_eq!(by_round_trip(None), 0);
    }
}

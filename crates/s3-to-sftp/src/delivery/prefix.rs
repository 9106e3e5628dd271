//! What an earlier connection has written of a file: read back before it is gone on with.
//!
//! A connection often breaks because the server went down, and what it had acknowledged and not synced is then
//! gone, in a file that may still have its full length: XFS and network file systems come back with zeros. FSTAT
//! does not show that.

use sftp::Session;

use super::Stop;
use super::attempt::{Attempt, Progress};
use crate::destination::{Compared, Place, Temporary, read_back};
use crate::error::{Cause, Stage};
use crate::hand_over::{ReadbackState, Relay};
use crate::rules::Rule;
use crate::settings::Verify;
use crate::source::Body;
use crate::timeline::Timeline;

impl<R: Relay> Attempt<'_, R> {
    /// Makes sure of everything below where `body` goes on. It is synced first, so that no later connection, and
    /// no later invocation, has to read it again. Where it is another, or may not be read, the file is begun anew.
    pub(super) async fn prove(
        &self,
        session: &Session,
        place: &Place<'_>,
        temporary: &mut Temporary<'_>,
        body: &Body,
        progress: &mut Progress,
        timeline: &mut Timeline,
    ) -> Result<(), Stop> {
        let delivery = self.delivery;
        let (name, end) = (place.name.full.as_str(), body.offset());
        let is_read_back_at_the_end =
            end == self.version.size && delivery.settings.verify == Verify::Readback;
        let proven = progress.proven.as_ref().filter(|it| it.offset <= end);
        if !progress.is_suspect
            || is_read_back_at_the_end
            || proven.map_or(0, |it| it.offset) == end
            || !delivery.rules.hold(Rule::ReadBackWhatIsGoneOnWith)
        {
            return Ok(());
        }
        timeline.enter(Stage::Verify);
        temporary.sync().await?;
        let until = delivery.until();
        match read_back(session, name, end, body.own_digest(), proven, &until).await {
            Ok(Compared::Equal) => {}
            Ok(Compared::Until(readback)) if delivery.relay.is_there() => {
                timeline.enter(Stage::HandOver);
                return Err(self.send(body, Some(readback)).await);
            }
            Ok(Compared::Until(_)) => return Err(Cause::Deadline.into()),
            Err(cause) if cause.is_broken_connection() => return Err(cause.into()),
            Err(cause) => {
                tracing::warn!(
                    name, error = %cause,
                    "the connection broke, and what it wrote cannot be gone on with"
                );
                return Err(Stop::Anew);
            }
        }
        progress.proven = Some(ReadbackState {
            offset: end,
            state: body.own_digest().state(),
        });
        progress.is_suspect = false;
        Ok(())
    }
}

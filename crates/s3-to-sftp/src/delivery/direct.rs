//! One version under its final name, for servers that forbid renaming: one connection, one handle, from the
//! beginning, and nothing that could be taken back.

use std::sync::Arc;

use sftp::Session;

use super::Stop;
use super::attempt::{Attempt, Finished};
use crate::destination::{Direct, LastLook as _, Place, file_digest};
use crate::error::{Cause, Stage};
use crate::hand_over::Relay;
use crate::receipt::Published;
use crate::settings::Verify;
use crate::source::Body;
use crate::ssh::Connection;
use crate::timeline::Timeline;
use crate::transfer::{TransferError, transfer};

impl<R: Relay> Attempt<'_, R> {
    pub(super) async fn direct(
        &self,
        place: &Place<'_>,
        body: &mut Body,
        connection: &Arc<Connection>,
        timeline: &mut Timeline,
    ) -> Result<Finished, Stop> {
        let written = self.write_direct(place, body, connection, timeline).await;
        if let Err(stop) = &written
            && !matches!(stop, Stop::Failed(Cause::Conflict(_)))
        {
            // Its handle would stay open, and what is on its way would still be written. No other file is on its
            // way over this connection.
            self.delivery.link.cut(connection).await;
        }
        written
    }

    async fn write_direct(
        &self,
        place: &Place<'_>,
        body: &mut Body,
        connection: &Connection,
        timeline: &mut Timeline,
    ) -> Result<Finished, Stop> {
        let delivery = self.delivery;
        let session = connection.sftp();
        let on_conflict = delivery.settings.on_conflict;
        let writing = async {
            timeline.enter(Stage::OpenFinal);
            let mut file = Direct::open(session, place, on_conflict).await?;
            timeline.enter(Stage::Transfer);
            match transfer(&mut self.watched(body), &mut file).await {
                Ok(_) => {}
                Err(TransferError::Source(error)) => return Err(Stop::from(error)),
                Err(TransferError::Destination(cause)) => return Err(cause.into()),
            }
            timeline.enter(Stage::Verify);
            let mut look = self.look();
            let (written, looked) = tokio::join!(
                file.finish(self.version.size, self.is_old_file_removed),
                look.confirm()
            );
            let written = written?;
            timeline.enter(Stage::LastLook);
            match looked.map_err(Stop::from) {
                // The file is there, and what has the name now is another delivery's matter.
                Ok(()) | Err(Stop::Gone) => {}
                Err(stop) => return Err(stop),
            }
            Ok(Finished {
                published: if self.is_old_file_removed {
                    Published::DirectWithGap
                } else {
                    Published::Direct
                },
                size: written.size,
                is_synced: written.is_synced,
                is_name_synced: false,
                is_read_back: self.read_back_direct(session, place, body).await?,
                channels: 1,
            })
        };
        delivery.deadline.within(writing).await?
    }

    /// Where it is asked for, the file is read once more, under its final name.
    async fn read_back_direct(
        &self,
        session: &Session,
        place: &Place<'_>,
        body: &Body,
    ) -> Result<bool, Stop> {
        if self.delivery.settings.verify != Verify::Readback {
            return Ok(false);
        }
        let (name, size) = (place.path.full(), self.version.size);
        let theirs = file_digest(session, name, size).await?;
        if theirs.is_some_and(|it| it.checksum() == body.own_digest().checksum()) {
            return Ok(true);
        }
        Err(Stop::Failed(Cause::Readback {
            name: name.to_owned(),
        }))
    }
}

//! One version over one connection: the temporary is opened, written, verified and published, or left in
//! a state that the next connection, or the next invocation, can go on from.

use std::sync::Arc;

use sftp::Session;
use tokio::sync::oneshot;

use super::Stop;
use super::attempt::{Attempt, Finished, Phase, Progress};
use super::look::Look;
use super::owned::Left;
use crate::destination::{
    Compared, LastLook as _, Opened, Place, Settled, Temporary, Verified, put_back, read_back,
    refuse_if_taken, remove_old_file, remove_unopened, settle,
};
use crate::error::{Cause, Stage};
use crate::hand_over::{Begun, HandOver, MAX_HOPS, ReadbackState, Relay};
use crate::receipt::Published;
use crate::rules::Rule;
use crate::settings::{OnConflict, Verify};
use crate::source::{Body, LastLook};
use crate::ssh::Connection;
use crate::timeline::Timeline;
use crate::transfer::{TransferError, transfer};

impl<R: Relay> Attempt<'_, R> {
    /// Goes as far as this connection lasts.
    pub(super) async fn upload(
        &self,
        connection: &Connection,
        place: &Place<'_>,
        body: &mut Body,
        progress: &mut Progress,
        timeline: &mut Timeline,
    ) -> Result<Finished, Stop> {
        let delivery = self.delivery;
        let session = connection.sftp();
        if let Phase::Renaming(verified) | Phase::RenamingAgain(verified) = &progress.phase {
            timeline.enter(Stage::Publish);
            let settling = self.settle(session, place, body, verified);
            return delivery.deadline.within(settling).await?;
        }
        timeline.enter(Stage::OpenTemporary);
        let opening = self.open(session, place, body, progress);
        let mut temporary = match delivery.deadline.within(opening).await {
            Ok(opened) => {
                let (channels, size) = (delivery.settings.channels, self.version.size);
                opened?.over_channels(connection, channels, size)
            }
            Err(_) => {
                if self.begun.is_none() {
                    remove_unopened(session, &place.name.full, delivery.end).await;
                }
                return Err(Cause::Deadline.into());
            }
        };
        let proving = self.prove(session, place, &mut temporary, body, progress, timeline);
        let proven = delivery.deadline.within(proving).await;
        let written = match proven.unwrap_or_else(|_| Err(Cause::Deadline.into())) {
            Ok(()) => self.write(&mut temporary, body, progress, timeline).await,
            Err(stop) => Err(stop),
        };
        let result = match written {
            Ok(()) => {
                let finishing =
                    self.finish(session, place, &mut temporary, body, progress, timeline);
                delivery
                    .deadline
                    .within(finishing)
                    .await
                    .unwrap_or_else(|_| Err(Cause::Deadline.into()))
            }
            Err(stop) => Err(stop),
        };
        match result {
            Ok(finished) => Ok(finished),
            Err(stop) if stop.is_broken_connection() => Err(stop),
            Err(stop) => {
                if self.keeps(&stop) {
                    temporary.leave(delivery.end).await;
                } else {
                    temporary.discard(delivery.end).await;
                }
                Err(stop)
            }
        }
    }

    /// Opens the temporary, and sets the source to where writing goes on.
    async fn open<'s>(
        &self,
        session: &'s Session,
        place: &'s Place<'s>,
        body: &mut Body,
        progress: &mut Progress,
    ) -> Result<Temporary<'s>, Stop> {
        if matches!(progress.phase, Phase::Beginning)
            && self.delivery.settings.on_conflict != OnConflict::Replace
        {
            // Before the bytes: publishing asks once more.
            let refused = refuse_if_taken(session, place).await;
            if let Err(Cause::Conflict(_)) = refused {
                let left = &progress.left;
                for left in left.handed_over.iter().chain(&left.others) {
                    remove_unopened(session, &left.full, self.delivery.end).await;
                }
            }
            refused?;
        }
        if matches!(progress.phase, Phase::Beginning) {
            put_back(session, place).await?;
        }
        let opened = match (&progress.phase, self.begun) {
            (Phase::Beginning, None) => {
                Some(Opened::make(session, place, &progress.left.others).await?)
            }
            (Phase::Beginning, Some(begun)) => {
                let offset = begun.from.offset();
                let Left {
                    handed_over,
                    others,
                } = &progress.left;
                Opened::take_over(session, place, handed_over, others, offset).await?
            }
            _ => Opened::again(session, place, progress.acknowledged).await?,
        };
        let opened = opened.ok_or(Stop::Anew)?;
        progress.phase = Phase::Writing;
        let offset = if body.offset() == opened.start {
            opened.start
        } else if self.delivery.rules.hold(Rule::GoOnFromTheFrontier) {
            body.rewind(opened.start)
        } else {
            body.offset()
        };
        Ok(Temporary::write_from(session, place, opened, offset).await)
    }

    /// Moves the bytes, as long as there is time. What does not fit is handed over.
    async fn write(
        &self,
        temporary: &mut Temporary<'_>,
        body: &mut Body,
        progress: &mut Progress,
        timeline: &mut Timeline,
    ) -> Result<(), Stop> {
        timeline.enter(Stage::Transfer);
        let delivery = self.delivery;
        let moved = delivery
            .until()
            .within(transfer(&mut self.watched(body), temporary))
            .await;
        progress.acknowledged = temporary.acknowledged();
        match moved {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(TransferError::Source(error))) => Err(error.into()),
            Ok(Err(TransferError::Destination(cause))) => Err(cause.into()),
            Err(_) if delivery.relay.is_there() => {
                timeline.enter(Stage::HandOver);
                Err(self.hand_over(temporary, body).await)
            }
            Err(_) => Err(Cause::Deadline.into()),
        }
    }

    /// Stops here: everything on its way is acknowledged, synced and closed, and the next invocation is told.
    async fn hand_over(&self, temporary: &mut Temporary<'_>, body: &mut Body) -> Stop {
        let delivery = self.delivery;
        let parking = async {
            temporary.drain().await?;
            let acknowledged = temporary.acknowledged();
            if delivery.rules.hold(Rule::HandOverDurable) {
                temporary.park().await?;
            }
            Ok::<_, Cause>(acknowledged)
        };
        match delivery.deadline.within(parking).await {
            Ok(Ok(acknowledged)) => {
                body.rewind(acknowledged);
            }
            Ok(Err(cause)) => return cause.into(),
            Err(_) => return Cause::Deadline.into(),
        }
        self.send(body, None).await
    }

    /// Tells the next invocation, if this one has got on.
    pub(super) async fn send(&self, body: &Body, readback: Option<ReadbackState>) -> Stop {
        let from = body.checkpoint();
        let size = self.version.size;
        // What was handed over, even if this invocation had to begin anew: each has to get further.
        let before = Reached::of(self.handed_over);
        let now = Reached {
            offset: from.offset(),
            read_back: readback.as_ref().map(|it| it.offset),
        };
        // Less than this from each of them, and the chain would never end.
        let least = (size / u64::from(MAX_HOPS)).max(1);
        if !now.is_further_than(&before, least) || self.hop >= MAX_HOPS {
            let (before, now) = (before.offset, now.offset);
            return Cause::NoProgress { before, now }.into();
        }
        let offset = now.offset;
        let hand_over = HandOver::begun(self.version, self.hop + 1, self.owner(), from, readback)
            .put_at(self.put);
        match self.delivery.send(&hand_over).await {
            Ok(()) => Stop::HandedOver { offset },
            Err(cause) => cause.into(),
        }
    }

    /// Verifies, looks once more, and renames.
    async fn finish(
        &self,
        session: &Session,
        place: &Place<'_>,
        temporary: &mut Temporary<'_>,
        body: &mut Body,
        progress: &mut Progress,
        timeline: &mut Timeline,
    ) -> Result<Finished, Stop> {
        timeline.enter(Stage::Verify);
        let delivery = self.delivery;
        if !delivery.rules.hold(Rule::DeleteAfterPublish) {
            _ = delivery.s3.delete(self.version).await;
        }
        let mut look = self.look();
        let size = self.version.size;
        let (written, is_written) = oneshot::channel();
        let looking = async {
            match is_written.await {
                Ok(()) => look.confirm().await,
                // A write was refused, which is what there is to say.
                Err(_) => Ok(()),
            }
        };
        let (verified, looked) = tokio::join!(temporary.verify(size, timeline, written), looking);
        progress.acknowledged = temporary.acknowledged();
        let verified = verified?;
        timeline.enter(Stage::LastLook);
        looked?;
        timeline.enter(Stage::Verify);
        let is_read_back = delivery.settings.verify == Verify::Readback;
        if is_read_back {
            self.read_back(session, place, body, progress).await?;
        }
        timeline.enter(Stage::Publish);
        let verified = Arc::new(verified);
        progress.phase = Phase::Renaming(Arc::clone(&verified));
        // Each rename asks for a look that is fresh: a server may take its time for the close, and
        // for a rename that it then refuses.
        let on_conflict = delivery.settings.on_conflict;
        let done = temporary.publish(&verified, on_conflict, &mut look).await?;
        Ok(Finished::new(done, &verified, is_read_back))
    }

    async fn read_back(
        &self,
        session: &Session,
        place: &Place<'_>,
        body: &Body,
        progress: &Progress,
    ) -> Result<(), Stop> {
        let (name, size) = (place.name.full.as_str(), self.version.size);
        // An earlier invocation has begun with it, on the complete file.
        let begun = self.begun.filter(|begun| begun.from.offset() == size);
        let from = begun
            .and_then(|begun| begun.readback.as_ref())
            .filter(|_| progress.proven.is_some());
        let until = self.delivery.until();
        match read_back(session, name, size, body.own_digest(), from, &until).await? {
            Compared::Equal => Ok(()),
            Compared::Until(readback) if self.delivery.relay.is_there() => {
                Err(self.send(body, Some(readback)).await)
            }
            Compared::Until(_) => Err(Cause::Deadline.into()),
        }
    }

    /// A connection broke behind a RENAME: whether it has happened, and if not, once more.
    async fn settle(
        &self,
        session: &Session,
        place: &Place<'_>,
        body: &Body,
        verified: &Verified,
    ) -> Result<Finished, Stop> {
        let is_read_back = self.delivery.settings.verify == Verify::Readback;
        let own = body.own_digest();
        let settled = settle(session, place, verified, self.version.size, own).await;
        let mut temporary = Temporary::closed(session, place);
        let published = match settled {
            Err(cause) => Err(cause),
            Ok(Settled::Published) => {
                remove_old_file(session, place).await;
                return Ok(Finished::settled(verified, is_read_back));
            }
            Ok(Settled::NotYet) => {
                let mut look = self.look();
                let on_conflict = self.delivery.settings.on_conflict;
                temporary.publish(verified, on_conflict, &mut look).await
            }
        };
        match published {
            Ok(done) => Ok(Finished::new(done, verified, is_read_back)),
            Err(cause) => {
                let stop = Stop::from(cause);
                if !stop.is_broken_connection() {
                    temporary.discard(self.delivery.end).await;
                }
                Err(stop)
            }
        }
    }

    pub(super) fn look(&self) -> Look<'_> {
        let delivery = self.delivery;
        Look::new(LastLook::new(delivery.s3, self.version), delivery.rules)
    }
}

/// How far a chain of invocations has come.
#[derive(Debug)]
struct Reached {
    offset: u64,
    /// Of the bytes below, which have to be read back; none where they need not.
    read_back: Option<u64>,
}

impl Reached {
    fn of(begun: Option<&Begun>) -> Self {
        Self {
            offset: begun.map_or(0, |begun| begun.from.offset()),
            read_back: begun.and_then(|begun| Some(begun.readback.as_ref()?.offset)),
        }
    }

    /// Whether this is `least` bytes further, written or read back, or is done with reading back.
    fn is_further_than(&self, before: &Self, least: u64) -> bool {
        let (now, then) = (self.read_back.unwrap_or(0), before.read_back.unwrap_or(0));
        let is_read = before.read_back.is_some() && self.read_back.is_none();
        self.offset >= before.offset + least
            || (self.offset >= before.offset && (now >= then + least || is_read))
    }
}

impl Finished {
    /// Published by a rename whose answer was lost.
    fn settled(verified: &Verified, is_read_back: bool) -> Self {
        Self {
            published: Published::Settled,
            size: verified.size,
            is_synced: verified.is_synced,
            is_name_synced: false,
            is_read_back,
            channels: verified.channels,
        }
    }
}

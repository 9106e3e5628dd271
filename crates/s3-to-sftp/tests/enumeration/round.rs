//! One object, the messages about it, and the environments that take them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use s3_to_sftp::event::{self, Event, Item, Job};
use s3_to_sftp::hand_over::{Relay, RelayError};
use s3_to_sftp::invocation::Deliverer;
use s3_to_sftp::object::ObjectName;
use s3_to_sftp::owner::Owner;
use s3_to_sftp::receipt::Outcome;
use s3_to_sftp::secrets::Secrets;
use s3_to_sftp::settings::Settings;
use s3_to_sftp::source::S3;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::checked::Checked;
use crate::ledger::{Ledger, Violation};
use crate::manner::Manner;
use crate::world::{BUCKET, Kind, Start, World};

/// More than any schedule needs, and less than a dead-letter queue's patience.
const RECEIVES: u32 = 8;

/// Nothing changes any more where so many attempts were refused.
const REFUSALS: u32 = 3;

/// How long an invocation lasts that has to hand over: what is left of it behind the stop is half a second.
const SHORT: Duration = Duration::from_millis(650);
const UNTIL_STOP: Duration = Duration::from_millis(160);

/// How environments learn of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trigger {
    /// By a queue: each receive is an owner of its own.
    Queue,
    /// By S3 itself: the retries of an invocation have its request id.
    Direct,
}

#[derive(Debug, Clone)]
struct Message {
    id: String,
    /// None: the event of a put. Otherwise what an invocation has handed over.
    hand_over: Option<String>,
    receives: u32,
    is_done: bool,
    /// Attempts that ended without being able to take back what they did, and no later one has done that.
    abrupt: Vec<Abrupt>,
    /// The attempt that delivered: which receive it was, how many versions there were, and when it began.
    delivered: Option<(u32, usize, SystemTime)>,
}

/// An attempt that died, or lost its connection.
#[derive(Debug, Clone, Copy)]
struct Abrupt {
    receive: u32,
    /// How many versions there were when it began.
    versions: usize,
    /// When a retry began that delivered and was over before this one: what was there then, it has removed. What
    /// is made since is a last request that came late.
    outlived: Option<SystemTime>,
    ended: SystemTime,
}

/// See the module.
pub(crate) struct Round {
    pub(crate) ledger: Ledger,
    pub(crate) manner: Manner,
    pub(crate) kind: Kind,
    pub(crate) trigger: Trigger,
    /// Whether a temporary may not even be left by an attempt that died after its own retry had delivered.
    is_strict: bool,
    settings: Settings,
    s3: S3,
    mail: Mutex<Vec<Message>>,
    /// What came of each receive.
    history: Mutex<Vec<String>>,
    /// Ends the environment that is at work now, as SIGKILL does.
    pub(crate) kill: Notify,
    /// Whether the first attempt is over.
    over: watch::Sender<bool>,
    besides: Mutex<Vec<JoinHandle<()>>>,
    /// When the invocation at work hands over; none where it has time enough.
    stop: Mutex<Option<Instant>>,
}

impl Round {
    pub(crate) fn new(
        world: &World,
        key: String,
        start: Start,
        trigger: Trigger,
        is_strict: bool,
    ) -> Self {
        let home = world.server.home().to_owned();
        let round = Self {
            ledger: Ledger::new(home.clone(), key, world.s3.store(), world.kind, start),
            manner: Manner::new(world.kind, home),
            kind: world.kind,
            trigger,
            is_strict,
            settings: world.settings.clone(),
            s3: S3::with_client(world.s3.client()),
            mail: Mutex::default(),
            history: Mutex::default(),
            kill: Notify::new(),
            over: watch::Sender::new(false),
            besides: Mutex::default(),
            stop: Mutex::default(),
        };
        let ledger = &round.ledger;
        match start {
            Start::OlderFinal => ledger.write_old_file(&ledger.key, &ledger.contents.older),
            Start::ForeignTemporary => {
                for name in ledger.foreign() {
                    ledger.write_file(&name, b"not ours");
                }
            }
            Start::Nothing | Start::OwnPartial | Start::HandedOver => {}
        }
        ledger.put(ledger.contents.first.clone(), false);
        round.post("put", None);
        round
    }

    /// An event, or a hand-over, arrives in the queue.
    pub(crate) fn post(&self, id: &str, hand_over: Option<String>) {
        let mut mail = lock(&self.mail);
        if mail.iter().any(|message| message.id == id) {
            return;
        }
        mail.push(Message {
            id: id.to_owned(),
            hand_over,
            receives: 0,
            is_done: false,
            abrupt: Vec::new(),
            delivered: None,
        });
    }

    /// Whether an invocation has left the rest to another one.
    pub(crate) fn has_handed_over(&self) -> bool {
        let mail = lock(&self.mail);
        mail.iter().any(|message| message.hand_over.is_some())
    }

    /// The message whose turn it is.
    pub(crate) fn next(&self) -> Option<String> {
        let mail = lock(&self.mail);
        let message = mail.iter().find(|message| !message.is_done)?;
        Some(message.id.clone())
    }

    /// One receive of a message, by an environment of its own. None: it was killed.
    pub(crate) async fn receive(self: &Arc<Self>, id: &str, pace: Pace) -> Option<Outcome> {
        let message = {
            let mut mail = lock(&self.mail);
            let message = mail.iter_mut().find(|message| message.id == id)?;
            message.receives += 1;
            message.clone()
        };
        let owner = match self.trigger {
            Trigger::Queue => Owner::attempt(id, message.receives),
            Trigger::Direct => Owner::from(id),
        };
        let deliverer = self.environment();
        let (now, began) = (Instant::now(), SystemTime::now());
        let time = match pace {
            Pace::Short => SHORT,
            Pace::Enough | Pace::Unkillable => Duration::from_secs(60),
        };
        *lock(&self.stop) = (pace == Pace::Short).then(|| now + UNTIL_STOP);
        let relay = Post(Arc::clone(self), format!("{id}.{}", message.receives));
        let versions = self.ledger.versions();
        let delivering = async {
            let invocation = deliverer.invocation(now + time);
            let invocation = invocation.handing_over_to(relay);
            let outcome = invocation.deliver(self.item(&message), owner).await;
            invocation.finish().await;
            outcome
        };
        let outcome = tokio::select! {
            biased;
            () = self.kill.notified(), if pace != Pace::Unkillable => None,
            outcome = delivering => Some(outcome),
        };
        *lock(&self.stop) = None;
        self.ledger.watch();
        let came_of_it = match &outcome {
            None => "killed".to_owned(),
            Some(Outcome::Delivered(receipt, disposal)) => {
                format!("delivered by {:?}, {disposal:?}", receipt.published)
            }
            Some(Outcome::Failed(error)) => error.report(),
            Some(other) => format!("{other:?}"),
        };
        let receive = format!("{id}#{}: {came_of_it}", message.receives);
        lock(&self.history).push(receive);
        self.note(id, outcome.as_ref(), (versions, began), message.receives);
        outcome
    }

    pub(crate) fn history(&self) -> String {
        lock(&self.history).join("\n    ")
    }

    /// What becomes of a message.
    fn note(
        &self,
        id: &str,
        outcome: Option<&Outcome>,
        (versions, began): (usize, SystemTime),
        receive: u32,
    ) {
        let mut mail = lock(&self.mail);
        let Some(message) = mail.iter_mut().find(|message| message.id == id) else {
            return;
        };
        let is_abrupt = match outcome {
            None => true,
            // What was handed over is left for the next attempt.
            Some(Outcome::Failed(_)) if message.hand_over.is_some() => true,
            Some(Outcome::Failed(error)) => [
                "ConnectionBroken",
                "ConnectFailed",
                "ServerSilent",
                "DeadlineReached",
                // The destination was left alone: what an attempt before has left is still there.
                "SourceUnavailable",
            ]
            .contains(&error.name()),
            // It has a connection no more by which it could clean up; the log says so.
            Some(Outcome::Gone(_) | Outcome::Skipped(..)) => self.ledger.was_cut(),
            Some(_) => false,
        };
        let is_late = message.is_done;
        match outcome {
            None | Some(Outcome::Failed(_)) => {}
            Some(Outcome::Delivered(..)) => {
                message.is_done = true;
                // The same version: its attempt has removed what the ones before have left.
                let now = self.ledger.versions();
                message.delivered = Some((receive, now, began));
                // Unless they were still under way when it began: what they sent last may have come behind its removal.
                for before in &mut message.abrupt {
                    if before.ended > began {
                        before.outlived = before.outlived.max(Some(began));
                    }
                }
                let stays =
                    |it: &Abrupt| it.versions != now || it.receive >= receive || it.ended > began;
                message.abrupt.retain(stays);
            }
            Some(_) => message.is_done = true,
        }
        if is_abrupt && !(is_late && self.is_strict) {
            let outlived = message
                .delivered
                .filter(|(by, then, _)| *by > receive && *then == versions);
            message.abrupt.push(Abrupt {
                receive,
                versions,
                outlived: outlived.map(|(_, _, began)| began),
                ended: SystemTime::now(),
            });
        }
    }

    /// Whether the message that is at work now has a second receive meanwhile: its visibility ran out.
    pub(crate) fn working(&self) -> Option<String> {
        let mail = lock(&self.mail);
        let message = mail
            .iter()
            .find(|message| !message.is_done && message.receives > 0)?;
        Some(message.id.clone())
    }

    /// The environment at work on a message was killed.
    pub(crate) fn died(&self, id: &str) {
        self.note(id, None, (0, SystemTime::now()), 0);
    }

    /// All messages, until none is left.
    pub(crate) async fn drain(self: &Arc<Self>) -> Result<(), Violation> {
        while let Some(id) = self.next() {
            let outcome = self.receive(&id, Pace::Enough).await;
            self.release().await;
            let mut mail = lock(&self.mail);
            let Some(message) = mail.iter_mut().find(|message| message.id == id) else {
                break;
            };
            if message.is_done {
                continue;
            }
            let refuses = self.kind.guise == crate::world::Guise::TakesAtClose
                || self.ledger.is_foreign()
                || self.ledger.is_blocked();
            if refuses && message.receives >= REFUSALS {
                message.is_done = true;
            } else if message.receives >= RECEIVES {
                let outcome = match outcome {
                    Some(Outcome::Failed(error)) => error.report(),
                    other => format!("{other:?}"),
                };
                return Err(Violation(format!("{id} is never done: {outcome}")));
            }
        }
        Ok(())
    }

    /// What an attempt has made that died, and that no later one of its message and version could remove, is
    /// `clean`'s.
    pub(crate) fn excuse_what_the_dead_have_left(&self) {
        for message in lock(&self.mail).iter() {
            // One that goes on with another's file may have begun one of its own beside it.
            let names = 1 + usize::from(message.hand_over.is_some());
            for abrupt in &message.abrupt {
                for _ in 0..names {
                    // Without its version nobody can tell its names.
                    let reason = "an attempt died, and no later one was of its version";
                    self.ledger.excuse(reason, abrupt.outlived);
                    self.ledger.excuse_aside(reason);
                }
            }
        }
    }

    /// The first attempt is over: whoever waited for that goes on, until its own end.
    pub(crate) async fn release(&self) {
        self.over.send_replace(true);
        loop {
            let beside = lock(&self.besides).pop();
            let Some(beside) = beside else { break };
            _ = beside.await;
        }
    }

    /// Until the first attempt is over.
    pub(crate) fn is_over(&self) -> impl Future<Output = ()> + Send + 'static {
        let mut over = self.over.subscribe();
        async move {
            _ = over.wait_for(|over| *over).await;
        }
    }

    pub(crate) fn beside(&self, task: JoinHandle<()>) {
        lock(&self.besides).push(task);
    }

    /// When the invocation at work stops.
    pub(crate) fn stop(&self) -> Option<Instant> {
        *lock(&self.stop)
    }

    fn item(&self, message: &Message) -> Item {
        if let Some(hand_over) = &message.hand_over {
            match event::parse(hand_over.as_bytes()) {
                Ok(Event::Notification(mut items)) if items.len() == 1 => {
                    return items.remove(0);
                }
                other => panic!("a hand-over is not read: {other:?}"),
            }
        }
        Item::Job(Job {
            name: ObjectName {
                bucket: BUCKET.to_owned(),
                key: self.ledger.key.clone(),
            },
            etag: None,
            version_id: None,
            size: None,
            sequencer: None,
            time: None,
        })
    }

    /// A process of its own: what one learnt of a server, another does not know.
    fn environment(&self) -> Deliverer {
        let deliverer = Deliverer::new(self.settings.clone(), self.s3.clone(), Secrets::none())
            .with_journal(Checked);
        #[cfg(feature = "take-out-rules")]
        let deliverer = deliverer.with_rules(s3_to_sftp::rules::Rules::without(self.kind.without));
        deliverer
    }
}

/// How much time an invocation has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    Enough,
    /// The same, and no event kills it.
    Unkillable,
    /// It has to hand over.
    Short,
}

/// The queue, as an invocation sees it.
struct Post(Arc<Round>, String);

impl Relay for Post {
    async fn send(&self, message: &str) -> Result<(), RelayError> {
        self.0.post(&self.1, Some(message.to_owned()));
        Ok(())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

//! What happens in the midst of an attempt.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use testkit::s3::{Action, Request};
use tokio::sync::{Notify, watch};
use tokio::time::{sleep, timeout};

use crate::event::Event;
use crate::plan::{Disturbance, Moment, Patience};
use crate::report::Report;
use crate::round::{Object, joined, no_children, until_acknowledged};
use crate::world::{Attempt, BUCKET, Server, World};

/// How often it is looked how far a transfer is.
const LOOK: Duration = Duration::from_millis(1);

/// The server's patience is three seconds.
const MOST_PATIENCE: Duration = Duration::from_secs(10);

/// A look at the source is good for two seconds; nobody promises more of what happens within them.
const LOOK_IS_OLD: Duration = Duration::from_millis(2500);

/// A server stays away as long, if the attempt does not end before.
const AWAY: Duration = Duration::from_secs(15);

/// Delivers `event` once, with something happening meanwhile: whether it was acknowledged.
pub(crate) async fn attempt(
    world: &mut World,
    disturbance: &Disturbance,
    event: &mut Event,
    object: &Object,
    report: &mut Report,
) -> Result<bool, String> {
    report.attempts += 1;
    match *disturbance {
        Disturbance::Kill(moment) => kill(world, moment, event, object, report).await,
        Disturbance::Freeze {
            moment,
            patience,
            is_retry,
            replaced,
        } => {
            let gate = Gate::new(world, object, moment);
            let frozen = Frozen {
                patience,
                is_retry,
                replaced,
                is_delete: moment == Moment::Request("DeleteObject"),
            };
            freeze(world, gate, &frozen, event, object, report).await
        }
        Disturbance::Restart { moment, at_once } => {
            let gate = Gate::new(world, object, moment);
            let mut attempt = world.begin(event.next()).await;
            if reached(world, &gate, &mut attempt).await {
                world.server.kill();
                report.restarts += 1;
                gate.open();
                if !at_once {
                    // A function that is patient gets its server back, too.
                    timeout(AWAY, wait_for(&mut attempt)).await.ok();
                }
                world.server.restart().await;
            }
            end(event, attempt).await
        }
        Disturbance::Cut(bytes) => {
            world.line.cut_after(bytes);
            let attempt = world.begin(event.next()).await;
            let before = attempt.sent_before;
            let ended = end(event, attempt).await;
            if world.line.bytes_sent() - before >= bytes {
                report.cuts += 1;
            }
            world.line.cut_after(u64::MAX);
            ended
        }
        Disturbance::Stall(moment, time) => {
            let gate = Gate::new(world, object, moment);
            let mut attempt = world.begin(event.next()).await;
            if reached(world, &gate, &mut attempt).await {
                world.line.stall();
                report.stalls += 1;
                gate.open();
                timeout(time, wait_for(&mut attempt)).await.ok();
                world.line.go_on();
            }
            end(event, attempt).await
        }
        Disturbance::Slow(rate) => {
            world.line.rate(rate);
            report.stalls += 1;
            let attempt = world.begin(event.next()).await;
            let ended = end(event, attempt).await;
            world.line.rate(0);
            ended
        }
        _ => {
            let faults = Arc::new(AtomicU32::new(0));
            disturb_s3(world, disturbance, object, &faults);
            let attempt = world.begin(event.next()).await;
            let ended = end(event, attempt).await;
            report.s3_faults += faults.load(Ordering::SeqCst);
            ended
        }
    }
}

async fn kill(
    world: &mut World,
    moment: Moment,
    event: &mut Event,
    object: &Object,
    report: &mut Report,
) -> Result<bool, String> {
    let gate = Gate::new(world, object, moment);
    let mut attempt = world.begin(event.next()).await;
    if reached(world, &gate, &mut attempt).await {
        no_children(&attempt.function)?;
        attempt.function.process.kill();
        report.kills += 1;
        gate.open();
    }
    end(event, attempt).await
}

struct Frozen {
    patience: Patience,
    is_retry: bool,
    replaced: bool,
    /// It waits for the answer to its delete.
    is_delete: bool,
}

/// Freezes the process, has another one deliver, and lets the first one go on.
async fn freeze(
    world: &mut World,
    gate: Gate,
    frozen: &Frozen,
    event: &mut Event,
    object: &Object,
    report: &mut Report,
) -> Result<bool, String> {
    let mut attempt = world.begin(event.next()).await;
    let given_up = times_given_up(world);
    if !reached(world, &gate, &mut attempt).await {
        return end(event, attempt).await;
    }
    no_children(&attempt.function)?;
    attempt.function.process.process().freeze();
    let since = Instant::now();
    report.stops += 1;
    if !frozen.is_delete {
        // What it will be told when it goes on is how things were.
        gate.open();
    }
    match frozen.patience {
        Patience::Endless => {}
        Patience::Server if matches!(world.server, Server::Sshd(_)) => {
            while times_given_up(world) == given_up && since.elapsed() < MOST_PATIENCE {
                sleep(LOOK * 50).await;
            }
            // It may have had no connection yet, or none any more.
            world.line.cut();
        }
        Patience::Server | Patience::Cut => {
            world.line.cut();
            report.cuts += 1;
        }
    }

    // Another environment: the next event goes to a new process.
    world.function = None;
    let mut other = Event::new(object.trigger, &object.key, &object.stored);
    if frozen.replaced {
        let version = object.successor();
        object.versions.add(version);
        let stored = world
            .s3
            .put_generated_from(BUCKET, &object.key, version.offset, version.size);
        other = Event::new(object.trigger, &object.key, &stored);
    }
    let overtaken_by = if frozen.is_retry {
        &mut *event
    } else {
        &mut other
    };
    until_acknowledged(world, overtaken_by, report).await?;
    sleep(LOOK_IS_OLD.saturating_sub(since.elapsed())).await;
    // A delete that was on its way for long.
    gate.open();
    attempt.function.process.process().thaw();
    let ended = end(event, attempt).await?;
    // A retry has been acknowledged already.
    Ok(ended || frozen.is_retry)
}

/// How often the server gave up a client that said nothing.
fn times_given_up(world: &World) -> usize {
    world
        .server
        .logs()
        .matches("Timeout, client not responding")
        .count()
}

/// What comes of the attempt.
async fn end(event: &Event, attempt: Attempt) -> Result<bool, String> {
    let outcome = joined(attempt.outcome.await);
    no_children(&attempt.function)?;
    Ok(event.is_acknowledged_by(&outcome))
}

/// Waits for its end, and leaves its outcome where it is.
async fn wait_for(attempt: &mut Attempt) {
    while !attempt.outcome.is_finished() {
        sleep(LOOK).await;
    }
}

/// A moment to come, and for a request of S3 the gate that holds it.
struct Gate {
    moment: Moment,
    reached: Arc<Notify>,
    opened: watch::Sender<bool>,
}

impl Gate {
    fn new(world: &World, object: &Object, moment: Moment) -> Self {
        let reached = Arc::new(Notify::new());
        let opened = watch::Sender::new(false);
        if let Moment::Request(operation) = moment {
            let (reached, open) = (Arc::clone(&reached), opened.subscribe());
            at_requests(world, object, 1, move |request| {
                if request.operation != operation {
                    return None;
                }
                reached.notify_one();
                let mut open = open.clone();
                Some(Action::hold(async move {
                    // A gate that is gone is open.
                    open.wait_for(|open| *open).await.ok();
                }))
            });
        }
        Self {
            moment,
            reached,
            opened,
        }
    }

    fn open(&self) {
        self.opened.send_replace(true);
    }
}

/// Waits for the moment: whether it came before the attempt's end.
async fn reached(world: &World, gate: &Gate, attempt: &mut Attempt) -> bool {
    let (sent_before, began) = (attempt.sent_before, attempt.began);
    let moment = async {
        match gate.moment {
            Moment::Sent(bytes) => {
                while world.line.bytes_sent() - sent_before < bytes {
                    sleep(LOOK).await;
                }
            }
            Moment::Passed(thousandths) => {
                let at = world.whole * thousandths / 1000;
                sleep(at.saturating_sub(began.elapsed())).await;
            }
            Moment::Request(_) => gate.reached.notified().await,
        }
    };
    first(moment, wait_for(attempt)).await
}

/// Whether `one` was done before `other`.
async fn first(one: impl Future<Output = ()>, other: impl Future<Output = ()>) -> bool {
    tokio::select! {
        biased;
        () = other => false,
        () = one => true,
    }
}

/// Lets `answer` decide about requests on the object, until it has done so `times` times.
fn at_requests(
    world: &World,
    object: &Object,
    times: u32,
    mut answer: impl FnMut(&Request) -> Option<Action> + Send + 'static,
) {
    let key = object.key.clone();
    let mut left = times;
    world.s3.hook(move |request| {
        if left == 0 || request.bucket != BUCKET || request.key != key {
            return Action::Pass;
        }
        answer(request).map_or(Action::Pass, |action| {
            left -= 1;
            action
        })
    });
}

fn disturb_s3(world: &World, disturbance: &Disturbance, object: &Object, faults: &Arc<AtomicU32>) {
    let faults = Arc::clone(faults);
    let at =
        |operation: &'static str, times: u32, mut action: Box<dyn FnMut() -> Action + Send>| {
            let faults = Arc::clone(&faults);
            at_requests(world, object, times, move |request| {
                (request.operation == operation).then(|| {
                    faults.fetch_add(1, Ordering::SeqCst);
                    action()
                })
            });
        };
    match *disturbance {
        Disturbance::Refuse {
            operation,
            status,
            times,
        } => {
            let refuse = move || match status {
                503 => Action::slow_down(),
                _ => Action::Fail {
                    status,
                    code: "InternalError",
                    message: "We encountered an internal error. Please try again.",
                },
            };
            at(operation, times, Box::new(refuse));
        }
        Disturbance::CutBody { after, times } => {
            at(
                "GetObject",
                times,
                Box::new(move || Action::CutBody { after }),
            );
        }
        Disturbance::Corrupt(offset) => {
            at("GetObject", 1, Box::new(move || Action::Corrupt { offset }));
        }
        Disturbance::CutAndCorrupt { after, offset } => {
            // The hook that comes last is asked first.
            if !world.known.corrupt_rest {
                at("GetObject", 1, Box::new(move || Action::Corrupt { offset }));
            }
            at("GetObject", 1, Box::new(move || Action::CutBody { after }));
        }
        Disturbance::Replace(offset) => {
            let (store, key) = (world.s3.store(), object.key.clone());
            let (version, versions) = (object.successor(), object.versions.clone());
            let replace = move || {
                let (store, key, versions) = (store.clone(), key.clone(), versions.clone());
                Action::run_at(offset, move || {
                    versions.add(version);
                    store.put_generated_from(BUCKET, &key, version.offset, version.size);
                })
            };
            at("GetObject", 1, Box::new(replace));
        }
        Disturbance::LoseDelete => at("DeleteObject", 1, Box::new(|| Action::LoseAnswer)),
        // These happen to the process, to the server or to the line.
        Disturbance::Kill(_)
        | Disturbance::Freeze { .. }
        | Disturbance::Restart { .. }
        | Disturbance::Cut(_)
        | Disturbance::Stall(..)
        | Disturbance::Slow(_) => {}
    }
}

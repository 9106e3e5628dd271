//! `worker`: the function's handler for a queue, as a program that runs until it is stopped.
//!
//! A message is deleted when its end is one that the function would not name as failed, and not before: killed at any
//! moment, this leaves what it was at in the queue, hidden for [`LONGEST`] at most.
//!
//! # Layout
//!
//! | module | what it does |
//! |---|---|
//! | `inbox` | the queue: receive, hide, delete |
//! | `in_hand` | the messages that are being worked at, and what becomes of each |

mod in_hand;
mod inbox;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::pin::Pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_config::BehaviorVersion;
use clap::builder::RangedU64ValueParser;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use s3_to_sftp::batch;
use s3_to_sftp::event::Message;
use s3_to_sftp::invocation::{Deliverer, Service};
use s3_to_sftp::publisher::Publisher;
use s3_to_sftp::secrets::Secrets;
use s3_to_sftp::settings::Settings;
use s3_to_sftp::source::S3;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::COULD_NOT_START;
use crate::queue::{QueueError, QueueUrl};
use crate::send::NO_DEADLINE;
use crate::signals::Signals;
use in_hand::InHand;
use inbox::{AT_ONCE, Attributes, Inbox};

const AFTER_HELP: &str = "\
SIGTERM and Ctrl-C end it: nothing more is received, what is being delivered has the time of --grace, and what does
not end in it is broken off and in the queue for others at once. A second one ends it on the spot; what it was at is
in the queue again two minutes later at most.

What fails comes again from half a minute on, and goes where the queue's redrive policy says after as many receives
as that allows; what can never be delivered goes to DEAD_LETTER_QUEUE_URL at once, where that is set.

Exit status: 0 stopped, or with --until-empty all is done; 1 with --until-empty something is not, or the queue is
gone, or it was stopped twice; 2 could not start.";

#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Arguments {
    /// The queue that tells of objects, as S3, SNS or EventBridge send to it
    #[arg(long, value_name = "URL")]
    queue: QueueUrl,
    /// Work at so many messages at once, over one connection, in place of `SSH_MAX_FILES`
    #[arg(short, long, value_name = "N", value_parser = RangedU64ValueParser::<usize>::new().range(1..=256))]
    jobs: Option<usize>,
    /// How long what is being delivered may go on after SIGTERM. ECS waits for 30 seconds, unless it is told otherwise
    #[arg(long, value_name = "SECONDS", default_value_t = 20)]
    grace: u32,
    /// End when the queue has nothing to give, rather than wait for more
    #[arg(long)]
    until_empty: bool,
    /// Print a JSON record per object
    #[arg(long)]
    json: bool,
}

/// For how long a message is hidden at most before it is hidden anew. Whatever the queue says: a worker that was killed
/// must not keep from others for an hour what it had in hand.
const LONGEST: Duration = Duration::from_secs(120);
/// A third of less is too little for a request that is tried again.
const SHORTEST: Duration = Duration::from_secs(5);

/// How long a receive waits: the most that SQS does.
const WAIT: Duration = Duration::from_secs(20);
/// Where the end of the queue is waited for. Without any, SQS asks only some of its servers.
const SHORT_WAIT: Duration = Duration::from_secs(1);

/// How long a receive that is under way may take after the stop. Broken off while it is answered, it would leave messages
/// hidden, and a receive of each would be gone.
const LAST_RECEIVE: Duration = Duration::from_secs(1);

/// After the grace: removing what was broken off from the server, and telling the queue.
const CLEAN_UP: Duration = Duration::from_secs(6);

/// The longest pause after receives that failed.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

pub(crate) async fn run(arguments: Arguments, settings: Settings) -> ExitCode {
    let Arguments {
        queue,
        jobs,
        grace,
        until_empty,
        json,
    } = arguments;
    let aws = aws_config::load_defaults(BehaviorVersion::v2026_01_12()).await;
    let inbox = Inbox::new(&aws, queue);
    let attributes = match inbox.attributes().await {
        Ok(attributes) => attributes,
        Err(error) => {
            tracing::error!("{error}");
            return ExitCode::from(COULD_NOT_START);
        }
    };
    let mut signals = match Signals::new() {
        Ok(signals) => signals,
        Err(error) => {
            tracing::error!("signals cannot be waited for: {error}");
            return ExitCode::from(COULD_NOT_START);
        }
    };
    let mut settings = settings;
    if let Some(jobs) = jobs {
        settings.max_files = jobs;
    }
    let gives_up = attributes.gives_up || settings.dead_letter_queue_url.is_some();
    let visibility = attributes.visibility.clamp(SHORTEST, LONGEST);
    let publisher = Publisher::new(&settings, &aws);
    let deliverer =
        Deliverer::new(settings, S3::new(&aws), Secrets::new(&aws)).with_publisher(publisher);
    tracing::info!(
        "works at {}: {} at once, each hidden for {} s and hidden anew",
        inbox.url(),
        deliverer.width(),
        visibility.as_secs(),
    );
    if !gives_up {
        tracing::warn!(
            "the queue has no redrive policy: what fails comes again until its retention is over, and is lost then; \
             next: give it a dead-letter queue"
        );
    }
    let worker = Worker {
        slots: Arc::new(Semaphore::new(deliverer.width())),
        deliverer,
        service: Service::default(),
        in_hand: InHand::new(inbox, visibility, json),
        attributes,
        grace: Duration::from_secs(grace.into()),
        until_empty,
        is_stopping: Cell::new(false),
    };
    let status = worker.work(&mut signals).await;
    // The partner is told, if that takes no time.
    _ = timeout(LAST_RECEIVE, worker.deliverer.hang_up()).await;
    status
}

struct Worker {
    deliverer: Deliverer,
    service: Service,
    in_hand: InHand,
    attributes: Attributes,
    /// One for each message that may be in hand: what waits in memory would have to be hidden anew for nothing.
    slots: Arc<Semaphore>,
    grace: Duration,
    until_empty: bool,
    is_stopping: Cell<bool>,
}

/// What a look into the queue has brought.
enum Received {
    Messages(Vec<Message>),
    Nothing,
    /// The server has failed, and is left alone: what is received meanwhile would fail.
    LeftAlone,
}

type Receiving<'a> = Pin<Box<dyn Future<Output = Result<Received, QueueError>> + 'a>>;

impl Worker {
    /// Until it is stopped, or the queue is empty.
    async fn work(&self, signals: &mut Signals) -> ExitCode {
        let mut batches = FuturesUnordered::new();
        let mut receiving: Option<Receiving<'_>> = Some(Box::pin(self.receive(Duration::ZERO)));
        let mut renewing = std::pin::pin!(self.in_hand.renew());
        let mut status = ExitCode::SUCCESS;
        let mut failures = 0_u32;
        let mut last = None;
        while receiving.is_some() || !batches.is_empty() {
            tokio::select! {
                signal = signals.next() => {
                    if self.is_stopping.replace(true) {
                        tracing::warn!("{signal} once more: ends with {} messages in hand", self.in_hand.count());
                        return ExitCode::FAILURE;
                    }
                    last = Some(self.stop(signal));
                    receiving = receiving.take().map(|receiving| -> Receiving<'_> {
                        Box::pin(async { timeout(LAST_RECEIVE, receiving).await.unwrap_or(Ok(Received::Nothing)) })
                    });
                }
                () = at(last) => {
                    tracing::warn!("{} messages were still in hand, and go back", self.in_hand.count());
                    break;
                }
                received = come(&mut receiving) => {
                    let is_over = self.is_stopping.get();
                    receiving = None;
                    match received {
                        Ok(Received::Messages(messages)) if is_over => self.in_hand.put_back(&messages).await,
                        _ if is_over => {}
                        Ok(Received::Messages(messages)) => {
                            failures = 0;
                            batches.extend(self.together(messages).map(|it| self.deliver(it)));
                            receiving = Some(Box::pin(self.receive(Duration::ZERO)));
                        }
                        Ok(Received::Nothing) => {
                            failures = 0;
                            if batches.is_empty() {
                                // Nobody knows for how long.
                                self.deliverer.hang_up().await;
                            }
                            if !self.until_empty || !batches.is_empty() {
                                receiving = Some(Box::pin(self.receive(Duration::ZERO)));
                            } else if !self.in_hand.is_all_done() {
                                status = ExitCode::FAILURE;
                            }
                        }
                        // There is something in the queue, or nobody knows that there is not.
                        Ok(Received::LeftAlone) => status = ExitCode::FAILURE,
                        Err(error) if error.is_gone() || self.until_empty => {
                            tracing::error!("{error}");
                            status = ExitCode::FAILURE;
                        }
                        Err(error) => {
                            let pause = Duration::from_secs(1 << failures.min(6)).min(LONGEST_PAUSE);
                            failures += 1;
                            tracing::warn!("{error}; tried again in {} s", pause.as_secs());
                            receiving = Some(Box::pin(self.receive(pause)));
                        }
                    }
                }
                Some(()) = batches.next(), if !batches.is_empty() => {}
                never = &mut renewing => match never {},
            }
        }
        // What is broken off here is on no connection any more when others receive it.
        drop(batches);
        self.in_hand.put_all_back().await;
        status
    }

    /// When everything has to be over.
    fn stop(&self, signal: &str) -> Instant {
        let end = Instant::now() + self.grace;
        tracing::info!(
            "{signal}: receives nothing more; {} messages in hand have {} s",
            self.in_hand.count(),
            self.grace.as_secs()
        );
        self.in_hand.stop();
        self.service.end_by(end);
        end + CLEAN_UP
    }

    /// As many messages as there are slots for, where the queue has so many.
    async fn receive(&self, after: Duration) -> Result<Received, QueueError> {
        const NEVER_CLOSED: &str = "nobody closes the slots";
        sleep(after).await;
        let slots = || Arc::clone(&self.slots);
        let first = slots().acquire_owned().await.expect(NEVER_CLOSED);
        while let Some(pause) = self.deliverer.left_alone(SystemTime::now()) {
            if self.until_empty {
                return Ok(Received::LeftAlone);
            }
            tracing::info!(
                "the server has failed: nothing is received for {} s",
                pause.as_secs() + 1
            );
            sleep(pause + Duration::from_secs(1)).await;
        }
        if self.is_stopping.get() {
            return Ok(Received::Nothing);
        }
        let mut free = vec![first];
        free.extend(
            std::iter::from_fn(|| slots().try_acquire_owned().ok()).take(AT_ONCE - free.len()),
        );
        let wait = if self.until_empty { SHORT_WAIT } else { WAIT };
        let inbox = self.in_hand.inbox();
        let (arn, visibility) = (&self.attributes.arn, self.in_hand.visibility());
        let messages = inbox.receive(arn, free.len(), wait, visibility).await?;
        if messages.is_empty() {
            return Ok(Received::Nothing);
        }
        for (message, slot) in messages.iter().zip(free) {
            self.in_hand.take(message, slot);
        }
        Ok(Received::Messages(messages))
    }

    /// What is one batch: everything, or of a FIFO queue each group, for groups need not wait for one another.
    fn together(&self, messages: Vec<Message>) -> impl Iterator<Item = Vec<Message>> {
        let mut groups: BTreeMap<Option<String>, Vec<Message>> = BTreeMap::new();
        let is_fifo = self.attributes.arn.ends_with(".fifo");
        for message in messages {
            // A queue that keeps no order may have groups too, for fairness.
            let group = message.group.clone().filter(|_| is_fifo);
            groups.entry(group).or_default().push(message);
        }
        groups.into_values()
    }

    /// An invocation for each batch, as Lambda would begin one.
    async fn deliver(&self, messages: Vec<Message>) {
        let far = Instant::now() + NO_DEADLINE;
        let invocation = self.deliverer.invocation(far).of(&self.service);
        let request_id = format!("{:032x}", rand::random::<u128>());
        // Each is dealt with as it ends.
        _ = batch::deliver(&invocation, messages, &request_id, far, &self.in_hand).await;
        invocation.finish().await;
    }
}

/// Where nothing is received, nothing comes.
async fn come(receiving: &mut Option<Receiving<'_>>) -> Result<Received, QueueError> {
    match receiving {
        Some(receiving) => receiving.await,
        None => std::future::pending().await,
    }
}

async fn at(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant).await,
        None => std::future::pending().await,
    }
}

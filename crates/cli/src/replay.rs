//! `replay`: what was given up, listed with the reasons; delivered now, where that is asked for.
//!
//! A message is deleted only when everything that it names is delivered, or needs no delivery. Killed at any moment, this
//! leaves a message in its queue, hidden for some minutes at most.

mod letters;

use std::collections::HashSet;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use aws_config::BehaviorVersion;
use s3_to_sftp::invocation::{Deliverer, Invocation};
use s3_to_sftp::publisher::Publisher;
use s3_to_sftp::secrets::Secrets;
use s3_to_sftp::settings::Settings;
use s3_to_sftp::side_by_side::side_by_side;
use s3_to_sftp::source::S3;
use serde_json::json;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use crate::queue::{QueueError, QueueUrl};
use crate::send::{NO_DEADLINE, record};
use letters::{HIDDEN, Letter, Letters};

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The dead-letter queue, or the queue that failed invocations are sent to
    #[arg(value_name = "QUEUE-URL")]
    queue: QueueUrl,
    /// Deliver what the messages name, as the function does, and delete each message that is done
    #[arg(long)]
    yes: bool,
    /// Print a JSON record per message, and per object
    #[arg(long)]
    json: bool,
}

/// How far into the time for which a message is hidden it is hidden anew.
const RENEWAL: Duration = HIDDEN.checked_div(3).expect("not by zero");

pub(crate) async fn run(arguments: Arguments, settings: Settings) -> ExitCode {
    let Arguments { queue, yes, json } = arguments;
    let aws = aws_config::load_defaults(BehaviorVersion::v2026_01_12()).await;
    let letters = Letters::new(&aws, queue);
    let replayed = if yes {
        let mut settings = settings;
        // There is no next invocation.
        settings.keep_connection = false;
        let publisher = Publisher::new(&settings, &aws);
        let deliverer =
            Deliverer::new(settings, S3::new(&aws), Secrets::new(&aws)).with_publisher(publisher);
        let invocation = deliverer.invocation(Instant::now() + NO_DEADLINE);
        let replay = Replay {
            letters: &letters,
            deliverer: &deliverer,
            invocation: &invocation,
            owner: format!("{:032x}", rand::random::<u128>()),
            json,
        };
        let replayed = replay.all().await;
        invocation.finish().await;
        replayed
    } else {
        list(&letters, json).await
    };
    match replayed {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Shows all, and has them shown again at once.
async fn list(letters: &Letters, json: bool) -> Result<bool, QueueError> {
    let (mut seen, mut all) = (HashSet::new(), Vec::new());
    let listed = loop {
        let batch = match letters.receive().await {
            Ok(batch) => batch,
            Err(error) => break Err(error),
        };
        let fresh: Vec<Letter> = batch
            .into_iter()
            .filter(|letter| seen.insert(letter.id.clone()))
            .collect();
        if fresh.is_empty() {
            break Ok(());
        }
        for letter in &fresh {
            // Whoever reads may have left.
            _ = print(letter, json);
        }
        all.extend(fresh);
    };
    letters.show(&all).await;
    listed?;
    match all.len() {
        0 => tracing::warn!("{} is empty", letters.queue()),
        count => tracing::warn!("{count} messages; --yes delivers what they name"),
    }
    Ok(true)
}

struct Replay<'a> {
    letters: &'a Letters,
    deliverer: &'a Deliverer,
    invocation: &'a Invocation<'a>,
    /// Nobody else has this owner, so nobody else's temporary is touched.
    owner: String,
    json: bool,
}

impl Replay<'_> {
    /// Each message once. Whether all of them are done.
    async fn all(&self) -> Result<bool, QueueError> {
        let (mut seen, mut left) = (HashSet::new(), Vec::new());
        let replayed = loop {
            let batch = match self.letters.receive().await {
                Ok(batch) => batch,
                Err(error) => break Err(error),
            };
            let (fresh, again): (Vec<Letter>, Vec<Letter>) = batch
                .into_iter()
                .partition(|letter| seen.insert(letter.id.clone()));
            // One that is shown again has failed, and is shown to others when this is over.
            left.extend(again);
            if fresh.is_empty() {
                break Ok(());
            }
            for letter in fresh {
                if !self.one(&letter).await {
                    left.push(letter);
                }
            }
        };
        self.letters.show(&left).await;
        replayed?;
        if seen.is_empty() {
            tracing::warn!("{} is empty", self.letters.queue());
        }
        Ok(left.is_empty())
    }

    /// Whether it is done, and gone from the queue.
    async fn one(&self, letter: &Letter) -> bool {
        _ = print(letter, self.json);
        // The ones behind it wait for it: they are hidden as well.
        let mut renewal = interval_at(Instant::now() + RENEWAL, RENEWAL);
        renewal.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut delivering = std::pin::pin!(self.deliver(letter));
        let is_done = loop {
            tokio::select! {
                is_done = &mut delivering => break is_done,
                _ = renewal.tick() => self.letters.hide(letter).await,
            }
        };
        if !is_done {
            return false;
        }
        match self.letters.delete(letter).await {
            Ok(()) => true,
            Err(error) => {
                tracing::error!("message {} is done, and comes again: {error}", letter.id);
                false
            }
        }
    }

    async fn deliver(&self, letter: &Letter) -> bool {
        let Some(items) = letter.items() else {
            let id = &letter.id;
            tracing::error!(
                "message {id} holds no upload, but what somebody waits to be answered: invoke the function with it"
            );
            return false;
        };
        let mut is_done = true;
        let deliver = |item| self.invocation.deliver(item, self.owner.as_str());
        let deliveries = items.into_iter().map(deliver);
        side_by_side(self.deliverer.width(), deliveries, |outcome| {
            // What is gone was delivered since, as for the function.
            is_done &= record::needs_nothing_more(&outcome);
            _ = record::print(&outcome, self.json);
        })
        .await;
        is_done
    }
}

fn print(letter: &Letter, json: bool) -> io::Result<()> {
    if json {
        let record = json!({
            "message": letter.id,
            "error_type": letter.error_type,
            "error": letter.reason,
            "objects": letter.objects(),
        });
        return writeln!(io::stdout(), "{record}");
    }
    let objects = letter.objects();
    let objects = if objects.is_empty() {
        "nothing that is understood".to_owned()
    } else {
        objects.join(", ")
    };
    let why = match (&letter.error_type, &letter.reason) {
        (Some(kind), Some(reason)) => format!("{kind}: {reason}"),
        (Some(why), None) | (None, Some(why)) => why.clone(),
        (None, None) => "no reason is told".to_owned(),
    };
    writeln!(io::stdout(), "{} {objects}\n    {why}", letter.id)
}

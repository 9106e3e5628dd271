//! `replay`: what was given up, listed with the reasons; delivered now, where that is asked for.
//!
//! A letter, which is a message of a queue or a record in a bucket, is deleted only when everything that it names is delivered,
//! or needs no delivery. Killed at any moment, this leaves a letter where it lies, hidden for some minutes at most.
//!
//! | module | what it holds |
//! |---|---|
//! | `letter` | what a letter names, and why it was given up |
//! | `letters` | where they lie |
//! | `queue`, `bucket` | either |

mod bucket;
mod letter;
mod letters;
mod queue;

use std::cell::Cell;
use std::collections::HashSet;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use aws_config::{BehaviorVersion, SdkConfig};
use s3_to_sftp::invocation::{Deliverer, Invocation, Service};
use s3_to_sftp::publisher::Publisher;
use s3_to_sftp::secrets::Secrets;
use s3_to_sftp::settings::Settings;
use s3_to_sftp::side_by_side::side_by_side;
use s3_to_sftp::source::S3;
use serde_json::json;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use crate::COULD_NOT_START;
use crate::send::{NO_DEADLINE, record};
use crate::signals::{self, Signals};
use letter::Letter;
use letters::{GivenUp, Letters};
use queue::HIDDEN;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The dead-letter queue, or where failed invocations are sent to: a queue's URL, or s3://BUCKET/PREFIX/
    #[arg(value_name = "PLACE")]
    place: GivenUp,
    /// Deliver what is named there, as the function does, and delete each message or record that is done
    #[arg(long)]
    yes: bool,
    /// Print a JSON record per message or record, and per object
    #[arg(long)]
    json: bool,
}

/// How far into the time for which a message is hidden it is hidden anew.
const RENEWAL: Duration = HIDDEN.checked_div(3).expect("not by zero");

pub(crate) async fn run(arguments: Arguments, settings: Settings) -> ExitCode {
    let Arguments { place, yes, json } = arguments;
    let aws = aws_config::load_defaults(BehaviorVersion::v2026_01_12()).await;
    let letters = Letters::new(&aws, place);
    let is_done = if yes {
        match Signals::new() {
            Ok(signals) => replay(letters, settings, &aws, signals, json).await,
            Err(error) => {
                crate::complain(&format!("signals cannot be waited for: {error}"));
                return ExitCode::from(COULD_NOT_START);
            }
        }
    } else {
        list(letters, json).await
    };
    if is_done {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

async fn replay(
    letters: Letters,
    mut settings: Settings,
    aws: &SdkConfig,
    mut signals: Signals,
    json: bool,
) -> bool {
    // There is no next invocation.
    settings.keep_connection = false;
    let publisher = Publisher::new(&settings, aws);
    let deliverer =
        Deliverer::new(settings, S3::new(aws), Secrets::new(aws)).with_publisher(publisher);
    let service = Service::default();
    let far = Instant::now() + NO_DEADLINE;
    let invocation = deliverer.invocation(far).of(&service);
    let is_stopped = Cell::new(false);
    let mut replay = Replay {
        letters,
        deliverer: &deliverer,
        invocation: &invocation,
        owner: format!("{:032x}", rand::random::<u128>()),
        is_stopped: &is_stopped,
        json,
    };
    let is_done = tokio::select! {
        is_done = replay.all() => is_done,
        () = signals::break_off(&mut signals, &service, &is_stopped) => return false,
    };
    invocation.finish().await;
    is_done
}

/// Shows all, and has them shown again at once.
async fn list(mut letters: Letters, json: bool) -> bool {
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
        for mut letter in fresh {
            // Whoever reads may have left.
            _ = print(&letter, json);
            // A listing of thousands needs only what they are shown again by.
            letter.content = Ok(String::new());
            all.push(letter);
        }
    };
    letters.show(&all).await;
    if let Err(error) = listed {
        tracing::error!("{error}");
        return false;
    }
    match all.len() {
        0 => tracing::warn!("{}", letters.none()),
        count => tracing::warn!("{count} {}s; --yes delivers what they name", letters.noun()),
    }
    true
}

struct Replay<'a> {
    letters: Letters,
    deliverer: &'a Deliverer,
    invocation: &'a Invocation<'a>,
    /// Nobody else has this owner, so nobody else's temporary is touched.
    owner: String,
    is_stopped: &'a Cell<bool>,
    json: bool,
}

impl Replay<'_> {
    /// Each letter once. Whether all of them are done.
    async fn all(&mut self) -> bool {
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
                if self.is_stopped.get() || !self.one(&letter).await {
                    left.push(letter);
                }
            }
            if self.is_stopped.get() {
                break Ok(());
            }
        };
        self.letters.show(&left).await;
        if let Err(error) = replayed {
            tracing::error!("{error}");
            return false;
        }
        if seen.is_empty() {
            tracing::warn!("{}", self.letters.none());
        }
        left.is_empty() && !self.is_stopped.get()
    }

    /// Whether it is done, and gone from where it lay.
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
                let (noun, id) = (self.letters.noun(), &letter.id);
                tracing::error!("{noun} {id} is done, and comes again: {error}");
                false
            }
        }
    }

    async fn deliver(&self, letter: &Letter) -> bool {
        let (noun, id) = (self.letters.noun(), &letter.id);
        if let Err(why) = &letter.content {
            tracing::error!("{why}");
            return false;
        }
        let Some(items) = letter.items() else {
            tracing::error!(
                "{noun} {id} holds no upload, but what somebody waits to be answered: invoke the function with it"
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
            "error": letter.reason.as_ref().or(letter.content.as_ref().err()),
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
    let why = match (&letter.content, &letter.error_type, &letter.reason) {
        (Err(why), _, _) => why.clone(),
        (Ok(_), Some(kind), Some(reason)) => format!("{kind}: {reason}"),
        (Ok(_), Some(why), None) | (Ok(_), None, Some(why)) => why.clone(),
        (Ok(_), None, None) => "no reason is told".to_owned(),
    };
    writeln!(io::stdout(), "{} {objects}\n    {why}", letter.id)
}

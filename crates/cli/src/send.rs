//! `send`: delivers the objects that are named, by the handler's own path.

mod dry_run;
mod named;
pub(crate) mod record;

use std::cell::Cell;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use aws_config::BehaviorVersion;
use clap::builder::RangedU64ValueParser;
use s3_to_sftp::error::{Cause, Error, Stage};
use s3_to_sftp::event::Item;
use s3_to_sftp::invocation::{Deliverer, Invocation, Service};
use s3_to_sftp::publisher::Publisher;
use s3_to_sftp::receipt::Outcome;
use s3_to_sftp::secrets::Secrets;
use s3_to_sftp::settings::{AfterDelivery, Settings};
use s3_to_sftp::side_by_side::side_by_side;
use s3_to_sftp::source::S3;
use tokio::time::Instant;

use crate::COULD_NOT_START;
use crate::place::Place;
use crate::signals::{self, Signals};
use crate::terminal::Progress;
use dry_run::{Foreseen, foresee};
use named::Named;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// What to deliver: s3://BUCKET/KEY, the key as S3 has it, not encoded
    #[arg(required_unless_present = "event", value_name = "s3://BUCKET/KEY")]
    places: Vec<Place>,
    /// Deliver everything below what is named: s3://BUCKET/PREFIX/
    #[arg(short, long, conflicts_with = "event")]
    recursive: bool,
    /// Deliver what an event names, in any form that the function takes; - is standard input
    #[arg(long, value_name = "FILE", conflicts_with = "places")]
    event: Option<PathBuf>,
    /// Delete each source once it is delivered, as the function does
    #[arg(long = "move")]
    delete: bool,
    /// Say what would be delivered, and where to; the server is not asked
    #[arg(short = 'n', long)]
    dry_run: bool,
    /// Deliver so many files at once, in place of `SSH_MAX_FILES`
    #[arg(short, long, value_name = "N", value_parser = RangedU64ValueParser::<usize>::new().range(1..=256))]
    jobs: Option<usize>,
    /// Print a JSON record per object
    #[arg(long)]
    json: bool,
}

/// Nobody ends a person's command but the person: a month is no deadline.
pub(crate) const NO_DEADLINE: Duration = Duration::from_secs(30 * 24 * 3600);

pub(crate) async fn run(arguments: Arguments, settings: Settings) -> ExitCode {
    let Arguments {
        places,
        recursive,
        event,
        delete,
        dry_run,
        jobs,
        json,
    } = arguments;
    let named = match Named::new(places, recursive, event.as_deref()) {
        Ok(named) => named,
        Err(problem) => {
            crate::complain(&problem);
            return ExitCode::from(COULD_NOT_START);
        }
    };
    let aws = aws_config::load_defaults(BehaviorVersion::v2026_01_12()).await;
    let mut settings = settings;
    // There is no next invocation.
    settings.keep_connection = false;
    if !delete {
        settings.after_delivery = AfterDelivery::Keep;
    }
    if let Some(jobs) = jobs {
        settings.max_files = jobs;
    }
    let publisher = Publisher::new(&settings, &aws);
    let deliverer = Deliverer::new(settings, S3::new(&aws), Secrets::new(&aws))
        .with_publisher(publisher)
        .with_journal(Progress::default());
    let service = Service::default();
    let far = Instant::now() + NO_DEADLINE;
    let invocation = deliverer.invocation(far).of(&service);
    let mut signals = match Signals::new() {
        Ok(signals) => signals,
        Err(error) => {
            crate::complain(&format!("signals cannot be waited for: {error}"));
            return ExitCode::from(COULD_NOT_START);
        }
    };
    let is_stopped = Cell::new(false);
    let mut sending = Sending {
        deliverer: &deliverer,
        invocation: &invocation,
        // Nobody else has this owner, so nobody else's temporary is touched.
        owner: format!("{:032x}", rand::random::<u128>()),
        dry_run,
        json,
        is_stopped: &is_stopped,
        status: ExitCode::SUCCESS,
    };
    tokio::select! {
        () = sending.all(named) => {}
        () = signals::break_off(&mut signals, &service, &is_stopped) => return ExitCode::FAILURE,
    }
    let status = sending.status;
    invocation.finish().await;
    if is_stopped.get() {
        ExitCode::FAILURE
    } else {
        status
    }
}

struct Sending<'a> {
    deliverer: &'a Deliverer,
    invocation: &'a Invocation<'a>,
    owner: String,
    dry_run: bool,
    json: bool,
    is_stopped: &'a Cell<bool>,
    status: ExitCode,
}

impl Sending<'_> {
    async fn all(&mut self, named: Named) {
        match named {
            Named::Items(items) => self.send(items).await,
            Named::Below(places) => {
                for place in places {
                    self.send_below(&place).await;
                }
            }
        }
    }

    async fn send(&mut self, items: Vec<Item>) {
        let (width, json, status) = (self.deliverer.width(), self.json, &mut self.status);
        if self.dry_run {
            let foreseen = items.into_iter().map(|item| foresee(self.deliverer, item));
            side_by_side(width, foreseen, |foreseen| {
                if matches!(foreseen, Foreseen::Other(ref outcome) if !record::is_delivered(outcome))
                {
                    *status = ExitCode::FAILURE;
                }
                // Whoever read the results may have left: what was asked for is done all the same.
                _ = foreseen.print(json);
            })
            .await;
            return;
        }
        let deliver = |item| self.invocation.deliver(item, self.owner.as_str());
        let items = items.into_iter().take_while(|_| !self.is_stopped.get());
        let deliveries = items.map(deliver);
        side_by_side(width, deliveries, |outcome| {
            if !record::is_delivered(&outcome) {
                *status = ExitCode::FAILURE;
            }
            _ = record::print(&outcome, json);
        })
        .await;
    }

    /// Page by page: what is below a prefix may be more than fits into memory.
    async fn send_below(&mut self, place: &Place) {
        let Place { bucket, key } = place;
        let (mut next, mut count) = (None, 0);
        loop {
            let page = match self.deliverer.s3().list(bucket, key, next).await {
                Ok(page) => page,
                Err(error) => return self.cannot_list(place, error),
            };
            count += page.objects.len();
            let items = page.objects.into_iter().map(|it| named::listed(bucket, it));
            self.send(items.collect()).await;
            next = page.next;
            if next.is_none() || self.is_stopped.get() {
                break;
            }
        }
        if count == 0 {
            tracing::warn!("nothing lies below {place}");
        }
    }

    fn cannot_list(&mut self, place: &Place, error: s3_to_sftp::source::SourceError) {
        let error = Error {
            stage: Stage::OpenSource,
            object: None,
            cause: Cause::Listing(place.to_string(), error),
        };
        tracing::error!(error_type = error.name(), "{}", error.report());
        self.status = ExitCode::FAILURE;
        if self.json {
            _ = record::print(&Outcome::Failed(error), true);
        }
    }
}

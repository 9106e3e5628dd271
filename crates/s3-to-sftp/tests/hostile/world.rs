//! A delivery to a hostile server, and what has to hold whatever it does.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use s3_to_sftp::event::{Item, Job};
use s3_to_sftp::invocation::Deliverer;
use s3_to_sftp::object::ObjectName;
use s3_to_sftp::receipt::Outcome;
use s3_to_sftp::secrets::Secrets;
use s3_to_sftp::settings::Settings;
use s3_to_sftp::source::S3;
use testkit::payload;
use testkit::s3::S3Server;
use testkit::secrets::PASSWORD;
use tokio::sync::Mutex;

use crate::ALLOCATOR;
use crate::checked::Checked;
use crate::files::File;
use crate::server::{Script, Server};

const CONNECT: Duration = Duration::from_secs(1);
const STALL: Duration = Duration::from_secs(2);

/// Longer than [`STALL`].
const LONG_CONNECT: Duration = Duration::from_secs(6);

/// Longer than what a server has for another connection once it was silent for that long.
const LONG_STALL: Duration = Duration::from_secs(7);

/// That, and what it takes to believe in silence.
const REST: Duration = Duration::from_millis(3200);

/// What the process may need beside its time-outs. The issue allows 5 s; with so much, two stalls would pass for one.
const MARGIN: Duration = Duration::from_millis(1800);

/// Longer than a window, so that an upload is held up by a server that acknowledges nothing.
const SIZE: usize = 6 * 1024 * 1024;

/// What may be written and not acknowledged, and what a channel may bring in (`config` in ssh/connection.rs).
const WINDOWS: usize = sftp::upload::WINDOW + 1024 * 1024;
const MOST_MEMORY: usize = WINDOWS + 16 * 1024 * 1024;

/// How long a server may hold a delivery.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Within {
    /// What it sends is seen to be wrong.
    AtOnce,
    /// A connection that breaks off where no credential can be why is made once more, a second later.
    Again,
    /// `SSH_CONNECT_TIMEOUT`: nothing has come at all.
    Connect,
    /// The longer of both time-outs: identification and key exchange have one bound for all of it.
    Handshake,
    /// The same, where that is `SSH_CONNECT_TIMEOUT`.
    LongHandshake,
    /// `SSH_STALL_TIMEOUT`.
    Stall,
    /// Another connection is made where there was progress, or where a rename has to be settled; it stalls as well.
    TwoStalls,
    /// The same, where the time-out is longer than what the other connection has: `SSH_STALL_TIMEOUT` and 5 s.
    LongStall,
}

impl Within {
    /// `SSH_STALL_TIMEOUT`.
    fn stall(self) -> Duration {
        match self {
            Self::LongStall => LONG_STALL,
            _ => STALL,
        }
    }

    /// `SSH_CONNECT_TIMEOUT`.
    fn connect(self) -> Duration {
        match self {
            Self::LongHandshake => LONG_CONNECT,
            _ => CONNECT,
        }
    }

    fn limit(self) -> Duration {
        MARGIN
            + match self {
                Self::AtOnce => Duration::ZERO,
                Self::Again => Duration::from_secs(1),
                Self::Connect => CONNECT,
                Self::Handshake | Self::LongHandshake => self.connect().max(STALL),
                Self::Stall => STALL,
                Self::TwoStalls => 2 * STALL,
                Self::LongStall => LONG_STALL + REST,
            }
    }
}

/// What becomes of a delivery.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Expected {
    /// In spite of everything.
    Delivered(Within),
    /// With an error of this name.
    Failed(&'static str, Within),
}

impl Expected {
    fn within(self) -> Within {
        let (Self::Delivered(within) | Self::Failed(_, within)) = self;
        within
    }
}

static PANICS: AtomicUsize = AtomicUsize::new(0);

/// One after the other where tests are threads of one process: memory is that of all.
static ALONE: Mutex<()> = Mutex::const_new(());

/// Delivers an object to such a server.
pub(crate) async fn deliver(script: Script, expected: Expected) -> Server {
    let _alone = ALONE.lock().await;
    let default = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        PANICS.fetch_add(1, Ordering::SeqCst);
        default(info);
    }));
    let s3 = S3Server::start().await;
    s3.store().create_bucket("inbox");
    s3.store().put("inbox", "f", payload::ramp(SIZE));
    let server = Server::start(script);
    let deliverer = Deliverer::new(
        settings(&server, expected.within()),
        S3::with_client(s3.client()),
        Secrets::none(),
    )
    .with_journal(Checked);

    ALLOCATOR.reset_peak_usage();
    let before = ALLOCATOR.current_usage();
    let begin = Instant::now();
    // Far beyond every limit here: what ends a delivery are the time-outs.
    let invocation = deliverer.invocation((begin + Duration::from_secs(60)).into());
    let outcome = invocation.deliver(job(), "owner").await;
    invocation.finish().await;
    let took = begin.elapsed();
    let memory = ALLOCATOR.peak_usage().saturating_sub(before);

    let ended = match &outcome {
        Outcome::Failed(error) => error.report(),
        Outcome::Delivered(..) => "delivered".to_owned(),
        other => format!("{other:?}"),
    };
    println!(
        "{took:?}, {memory} bytes of memory, {} connections: {ended}",
        server.connections()
    );
    assert!(server.reached() > 0, "the step was reached: {ended}");
    assert!(memory < MOST_MEMORY, "{memory} bytes of memory: {ended}");
    assert_eq!(PANICS.swap(0, Ordering::SeqCst), 0, "no panic");
    let file = server.files().get("f");
    let has_source = s3.store().exists("inbox", "f");
    match (&outcome, expected) {
        (Outcome::Delivered(..), Expected::Delivered(_)) => {
            assert!(!has_source, "the source is deleted");
            assert!(file.is_some(), "the file is there");
        }
        (Outcome::Failed(error), Expected::Failed(name, _)) => {
            assert_eq!(error.name(), name, "{ended}");
            assert!(has_source, "the source is kept");
        }
        _ => panic!("not {expected:?}: {ended}"),
    }
    let within = expected.within();
    assert!(took < within.limit(), "{took:?}, not {within:?}: {ended}");
    let is_whole = file.is_none_or(|file| {
        file == File {
            length: SIZE as u64,
            is_right: true,
        }
    });
    assert!(is_whole, "no half file: {file:?}");
    server
}

fn settings(server: &Server, within: Within) -> Settings {
    let lookup = |name: &str| {
        Some(match name {
            "SSH_HOST" => "127.0.0.1".to_owned(),
            "SSH_PORT" => server.port.to_string(),
            "SSH_USERNAME" => "acme".to_owned(),
            "SSH_PASSWORD" => PASSWORD.to_owned(),
            "SSH_HOST_KEY" => server.host_key.clone(),
            "SSH_CONNECT_TIMEOUT" => format!("{}s", within.connect().as_secs()),
            "SSH_STALL_TIMEOUT" => format!("{}s", within.stall().as_secs()),
            _ => return None,
        })
    };
    let loaded = Settings::from_lookup(lookup).unwrap_or_else(|problems| panic!("{problems}"));
    loaded.settings
}

fn job() -> Item {
    Item::Job(Job {
        name: ObjectName {
            bucket: "inbox".to_owned(),
            key: "f".to_owned(),
        },
        etag: None,
        version_id: None,
        size: None,
        sequencer: None,
        time: None,
    })
}

//! A session against a model of a server: whatever is late, overtaken, refused, cut or nonsense, it ends in a state that
//! the promises allow. On a paused clock.
//!
//! `MODEL_CASES=20000` tries more of each property, `MODEL_SEED` others; a failure prints its smallest case.
//!
//! | module | what it holds |
//! |---|---|
//! | `script` | how a server behaves, request by request |
//! | `server` | the model: one file, and answers by a script |

mod script;
mod server;

use std::future::Future;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use sftp::transport::{Reader, Writer};
use sftp::{Attributes, Error, Handle, OpenFlags, Options, Session, Upload};
use tokio::io::{duplex, split};
use tokio::time::timeout;

use script::{Script, any_script, slow};
use server::{FILE, Server, Shared, lock};

const STALL: Duration = Duration::from_secs(30);

/// On the paused clock: every answer may take almost the stall time-out.
const LONGEST: Duration = Duration::from_secs(3 * 3600);

fn config() -> ProptestConfig {
    ProptestConfig {
        cases: env("MODEL_CASES").unwrap_or(300),
        rng_seed: RngSeed::Fixed(env("MODEL_SEED").unwrap_or(1)),
        // A seed is enough to find it again.
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

fn env<T: FromStr>(name: &str) -> Option<T> {
    std::env::var(name).ok()?.parse().ok()
}

/// A file to upload, and how.
#[derive(Debug, Clone)]
struct File {
    length: usize,
    /// In what pieces it comes.
    piece: usize,
    window: usize,
    /// After so many pieces further channels may join.
    widens_after: usize,
}

fn file() -> impl Strategy<Value = File> {
    let length = prop_oneof![1 => Just(0), 8 => 1..60_000_usize, 6 => 60_000..300_000_usize];
    let piece = prop_oneof![1 => 50..500_usize, 4 => 500..70_000_usize];
    let window =
        prop_oneof![1 => Just(1_usize), 8 => 1000..30_000_usize, 4 => 30_000..300_000_usize];
    (length, piece, window, 0..3_usize).prop_map(|(length, piece, window, widens_after)| File {
        length,
        piece,
        window,
        widens_after,
    })
}

proptest! {
    #![proptest_config(config())]

    /// Answers in no order, each just before the stall time-out: nothing is wrong, so nothing may fail.
    #[test]
    fn a_server_that_is_only_slow_gets_every_byte_once(
        file in file(),
        first in slow(),
        further in vec(slow(), 0..3),
    ) {
        paused(async {
            let store = Shared::default();
            let session = connect(first, &store).await.expect("it starts");
            let further = channels(further, &store).await;
            let (acknowledged, result) = upload(&session, &file, Begin::New, further).await;
            result.unwrap_or_else(|error| panic!("nothing is wrong: {error:?}"));
            assert_eq!(acknowledged, file.length as u64);
            let store = lock(&store);
            assert_eq!(store.faults, [""; 0]);
            assert!(store.bytes == testkit::payload::ramp(file.length), "byte by byte");
            assert!(store.times.iter().all(|times| *times == 1), "each once");
        });
    }

    /// What fails is gone on with from where everything is acknowledged, until a server means well.
    #[test]
    fn an_upload_ends_with_every_byte_or_with_a_reason(
        file in file(),
        scripts in vec(any_script(), 1..4),
        further in vec(any_script(), 0..3),
    ) {
        paused(async {
            let store = Shared::default();
            // What is stored of a write is the server's habit, on each of its channels.
            let habit = scripts.first().and_then(|script| script.keeps);
            let further = further.into_iter().map(|script| Script { keeps: habit, ..script });
            let mut further = Some(further.collect());
            let mut begin = Begin::New;
            for script in scripts.into_iter().chain([Script::honest()]) {
                let further = further.take().unwrap_or_default();
                lock(&store).faults.clear();
                let session = match connect(script, &store).await {
                    Ok(session) => session,
                    Err(error) => {
                        assert_reason(&error, &store);
                        continue;
                    }
                };
                let further = channels(further, &store).await;
                let (acknowledged, result) = upload(&session, &file, begin, further).await;
                assert_acknowledged(acknowledged, &store);
                match result {
                    Ok(()) => {
                        assert_eq!(acknowledged, file.length as u64);
                        assert_stored(file.length, &store);
                        return;
                    }
                    Err(error) => {
                        assert_reason(&error, &store);
                        assert_end(&session, &error).await;
                        if error.status().is_some() {
                            // The server has said no.
                            return;
                        }
                        // As a delivery does, which reads it back.
                        begin = if is_right(acknowledged, &store) {
                            Begin::At(acknowledged)
                        } else {
                            lock(&store).remove();
                            Begin::New
                        };
                    }
                }
            }
            panic!("a server that means well gets it all");
        });
    }

    /// Each answer reaches whoever asked, whatever the order.
    #[test]
    fn answers_find_their_requests(
        script in any_script(),
        flights in vec(1..20_u64, 1..5),
    ) {
        paused(async {
            let store = Shared::default();
            let session = match connect(script, &store).await {
                Ok(session) => session,
                Err(error) => return assert_reason(&error, &store),
            };
            let mut number = 0;
            for flight in flights {
                let asked = (number..number + flight).map(|it| (it, session.stat(&it.to_string())));
                let asked: Vec<_> = asked.collect();
                number += flight;
                for (number, answer) in asked {
                    match answer.await {
                        Ok(attributes) => assert_eq!(attributes.size, Some(number)),
                        Err(error) => {
                            assert_reason(&error, &store);
                            assert_end(&session, &error).await;
                        }
                    }
                }
            }
        });
    }
}

/// Runs on a paused clock, to its end.
fn paused(case: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    let run = runtime.block_on(async { timeout(LONGEST, case).await });
    run.expect("nothing hangs");
}

async fn connect(script: Script, store: &Shared) -> sftp::Result<Session> {
    let (near, far) = duplex(64 * 1024);
    tokio::spawn(Server::new(far, script, Arc::clone(store)).run());
    let (reader, writer) = split(near);
    let options = Options {
        stall_timeout: STALL,
    };
    Session::start(Reader::new(reader), Writer::new(writer), options).await
}

/// Further channels to the same file; those that fail to start are none.
async fn channels(scripts: Vec<Script>, store: &Shared) -> Vec<Arc<Session>> {
    let mut sessions = Vec::new();
    for script in scripts {
        if let Ok(session) = connect(script, store).await {
            sessions.push(Arc::new(session));
        }
    }
    sessions
}

#[derive(Debug, Clone, Copy)]
enum Begin {
    New,
    /// All below was acknowledged.
    At(u64),
}

/// Writes the file, and closes it: how much was acknowledged, and what came of it.
async fn upload(
    session: &Session,
    file: &File,
    begin: Begin,
    further: Vec<Arc<Session>>,
) -> (u64, sftp::Result<()>) {
    let from = match begin {
        Begin::New => 0,
        Begin::At(offset) => offset,
    };
    match open(session, begin).await {
        Ok((handle, length)) => {
            let upload = match begin {
                Begin::New => Upload::new(session, handle).await,
                Begin::At(offset) => Upload::resume(session, handle, offset, length).await,
            };
            let mut upload = upload.with_window(file.window);
            // Held to the end: a session that is dropped waits for no answer.
            let result = write(&mut upload, file, from, &further).await;
            let acknowledged = upload.acknowledged();
            let result = match result {
                Ok(()) => session.close(upload.handle()).await,
                Err(error) => Err(error),
            };
            (acknowledged, result)
        }
        Err(error) => (from, Err(error)),
    }
}

async fn open(session: &Session, begin: Begin) -> sftp::Result<(Handle, u64)> {
    let flags = match begin {
        Begin::New => OpenFlags::WRITE | OpenFlags::CREAT,
        Begin::At(_) => OpenFlags::WRITE,
    };
    let handle = session.open(FILE, flags, Attributes::default()).await?;
    let length = match begin {
        Begin::New => 0,
        Begin::At(offset) => {
            let told = session.fstat(&handle).await?.size.expect("it is told");
            assert!(told >= offset, "what is acknowledged is there");
            told
        }
    };
    Ok((handle, length))
}

async fn write(
    upload: &mut Upload<'_>,
    file: &File,
    from: u64,
    further: &[Arc<Session>],
) -> sftp::Result<()> {
    let mut offset = usize::try_from(from).expect("small");
    for number in 0.. {
        if number >= file.widens_after && upload.could_be_wider() {
            upload.widen(further.to_vec(), FILE).await?;
        }
        if offset == file.length {
            break;
        }
        let length = file.piece.min(file.length - offset);
        let data: Bytes = testkit::payload::ramp_at(offset as u64, length);
        upload.write(data).await?;
        offset += length;
    }
    upload.drain().await?;
    for closed in upload.narrow() {
        // Servers report late write errors there.
        closed.await?;
    }
    Ok(())
}

/// Nothing is believed that the server has not said, and of one that does not lie it is there.
fn assert_acknowledged(acknowledged: u64, store: &Shared) {
    let told = lock(store).acknowledged();
    assert!(acknowledged <= told, "{acknowledged} of {told}");
    assert!(is_right(acknowledged, store) || lock(store).has_lied);
}

fn is_right(acknowledged: u64, store: &Shared) -> bool {
    let length = usize::try_from(acknowledged).expect("small");
    let store = lock(store);
    store.bytes.get(..length) == Some(&testkit::payload::ramp(length)[..])
}

fn assert_stored(length: usize, store: &Shared) {
    let store = lock(store);
    assert!(
        store.bytes == testkit::payload::ramp(length),
        "byte by byte, and none more"
    );
}

/// Something was wrong, and the error says what in one line.
fn assert_reason(error: &Error, store: &Shared) {
    let store = lock(store);
    assert!(!store.faults.is_empty(), "nothing was wrong: {error:?}");
    let text = error.to_string();
    assert!(
        !text.is_empty() && !text.chars().any(char::is_control),
        "{text:?}"
    );
}

/// A refusal leaves the session as it was; anything else of the session's has ended it, for everybody.
async fn assert_end(session: &Session, error: &Error) {
    let is_over = matches!(
        error,
        Error::Closed | Error::Io(_) | Error::Stalled(_) | Error::Protocol(_)
    );
    if is_over && session.is_closed() {
        assert_eq!(session.outstanding(), 0);
        assert!(session.stat("late").await.is_err());
    }
}

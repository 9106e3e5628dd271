//! What is asked of a session, and what has to hold of its answers.

use std::collections::BTreeMap;
use std::future::Future;
use std::ops::Range;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arbitrary::Arbitrary;
use bytes::Bytes;
use sftp::transport::{Reader, Writer};
use sftp::{Attributes, Error, Handle, OpenFlags, Options, Readback, Session, Upload};
use tokio::io::{DuplexStream, split};
use tokio::time::timeout;

use super::server::{
    CLOSE, EXTENDED, FSTAT, LSTAT, MKDIR, OPEN, OPENDIR, READDIR, REALPATH, REMOVE, RENAME, STAT,
    Told, ramp,
};
use fuzz::assert_one_line;

#[derive(Debug, Arbitrary)]
pub(crate) struct Plan {
    stall_seconds: u8,
    steps: Vec<Step>,
}

#[derive(Debug, Arbitrary)]
enum Step {
    /// All of them at once, each answer awaited behind.
    Flight(Vec<Call>),
    /// Asked for, and never awaited.
    Forgotten(Call),
    Upload {
        pieces: Vec<u16>,
        window: Option<u16>,
        drain_time: Option<u8>,
        impatient: Option<u16>,
    },
    Readback {
        offset: u16,
        end: u16,
    },
}

#[derive(Debug, Clone, Copy, Arbitrary)]
enum Call {
    Open,
    Stat,
    Lstat,
    Mkdir,
    Remove,
    Rename,
    PosixRename,
    Realpath,
    Opendir,
    Readdir,
    Fstat,
    Fsync,
    Close,
    Limits,
}

/// An answer, without its content: the type of its request, and whether it was good.
type Answer<'a> = Pin<Box<dyn Future<Output = (u8, Result<(), Error>)> + 'a>>;

pub(crate) async fn run(plan: Plan, stream: DuplexStream, told: &Arc<Mutex<Told>>) {
    let (reader, writer) = split(stream);
    let options = Options {
        stall_timeout: Duration::from_secs(u64::from(plan.stall_seconds) + 1),
    };
    let session = match Session::start(Reader::new(reader), Writer::new(writer), options).await {
        Ok(session) => session,
        Err(error) => return assert_one_line(error),
    };
    // Handles are the server's alone: to get one, one has to be opened.
    let handle = session.open(
        "file",
        OpenFlags::WRITE | OpenFlags::CREAT,
        Attributes::default(),
    );
    let Ok(handle) = handle.await else {
        return check_end(&session).await;
    };
    let mut done = BTreeMap::from([(OPEN, 1)]);
    let mut has_uploaded = false;
    for step in plan.steps.into_iter().take(16) {
        match step {
            Step::Flight(calls) => {
                let answers: Vec<_> = calls
                    .iter()
                    .take(64)
                    .map(|it| it.make(&session, &handle))
                    .collect();
                for answer in answers {
                    match answer.await {
                        (kind, Ok(())) => *done.entry(kind).or_default() += 1,
                        (_, Err(error)) => assert_one_line(error),
                    }
                }
            }
            Step::Forgotten(call) => drop(call.make(&session, &handle)),
            Step::Upload { .. } if has_uploaded => {}
            Step::Upload {
                pieces,
                window,
                drain_time,
                impatient,
            } => {
                has_uploaded = true;
                let mut upload = Upload::new(&session, handle.clone()).await;
                if let Some(window) = window {
                    upload = upload.with_window(window.into());
                }
                if let Some(seconds) = drain_time {
                    upload = upload.with_drain_time(Duration::from_secs(seconds.into()));
                }
                // A server may want each byte in a packet of its own.
                let most = u64::from(session.limits().await.write_length) * 300;
                let sent = write(&mut upload, &pieces, most, impatient).await;
                let told = told.lock().expect("nobody panics with it");
                let acknowledged = told.acknowledged();
                assert!(
                    told.is_garbled || upload.acknowledged() <= acknowledged,
                    "what is acknowledged was"
                );
                if let Ok(sent) = sent {
                    assert_eq!(upload.acknowledged(), sent, "what is done is acknowledged");
                }
            }
            Step::Readback { offset, end } => {
                read(&session, &handle, offset.into()..end.into(), told).await
            }
        }
    }
    check_end(&session).await;
    let told = told.lock().expect("nobody panics with it");
    for (kind, count) in done {
        let told_of_it = told.done.get(&kind).copied();
        assert!(
            told.is_garbled || Some(count) <= told_of_it,
            "{kind}: {count} good answers of {told_of_it:?}"
        );
    }
}

/// Who is too late gets an answer all the same.
async fn check_end(session: &Session) {
    if session.is_closed() {
        assert_eq!(session.outstanding(), 0);
        assert!(session.stat("late").await.is_err());
    }
}

async fn write(
    upload: &mut Upload<'_>,
    pieces: &[u16],
    most: u64,
    impatient: Option<u16>,
) -> Result<u64, Error> {
    let mut offset = 0;
    for piece in pieces.iter().take(64) {
        let end = (offset + u64::from(*piece)).min(most);
        let data: Vec<u8> = (offset..end).map(ramp).collect();
        upload.write(Bytes::from(data)).await?;
        offset = end;
    }
    // Whoever stops waiting forgets no write.
    while let Some(millis) = impatient.filter(|millis| *millis > 0) {
        match timeout(Duration::from_millis(millis.into()), upload.drain()).await {
            Ok(drained) => return drained.map(|()| offset),
            Err(_) if millis < 1000 => break,
            Err(_) => {}
        }
    }
    upload.drain().await?;
    Ok(offset)
}

/// Every byte is in its place, and none comes from behind the end.
async fn read(session: &Session, handle: &Handle, range: Range<u64>, told: &Mutex<Told>) {
    let Range { start: offset, end } = range;
    let mut readback = Readback::new(session, handle.clone(), offset, end).await;
    let mut at = offset;
    // A server may answer each READ with a single byte.
    for _ in 0..70_000 {
        match readback.next().await {
            Ok(Some(data)) => {
                let is_right = data.iter().copied().eq((at..).map(ramp).take(data.len()));
                assert!(is_right || told.lock().expect("nobody panics with it").is_garbled);
                assert!(!data.is_empty());
                at += data.len() as u64;
                assert!(at <= end && readback.offset() == at);
            }
            Ok(None) => return,
            Err(error) => return assert_one_line(error),
        }
    }
    panic!("a readback ends");
}

impl Call {
    fn make<'a>(self, session: &'a Session, handle: &Handle) -> Answer<'a> {
        macro_rules! answer {
            ($kind:expr, $reply:expr) => {{
                let reply = $reply;
                Box::pin(async move { ($kind, reply.await.map(|_| ())) })
            }};
        }
        match self {
            Self::Open => answer!(
                OPEN,
                session.open("a", OpenFlags::READ, Attributes::default())
            ),
            Self::Stat => answer!(STAT, session.stat("a")),
            Self::Lstat => answer!(LSTAT, session.lstat("a")),
            Self::Mkdir => answer!(MKDIR, session.mkdir("a")),
            Self::Remove => answer!(REMOVE, session.remove("a")),
            Self::Rename => answer!(RENAME, session.rename("a", "b")),
            Self::PosixRename => answer!(EXTENDED, session.posix_rename("a", "b")),
            Self::Realpath => answer!(REALPATH, session.realpath("a")),
            Self::Opendir => answer!(OPENDIR, session.opendir("a")),
            Self::Readdir => answer!(READDIR, session.readdir(handle)),
            Self::Fstat => answer!(FSTAT, session.fstat(handle)),
            Self::Fsync => answer!(EXTENDED, session.fsync(handle)),
            Self::Close => answer!(CLOSE, session.close(handle)),
            Self::Limits => Box::pin(async move {
                session.limits().await;
                (EXTENDED, Err(Error::Closed))
            }),
        }
    }
}

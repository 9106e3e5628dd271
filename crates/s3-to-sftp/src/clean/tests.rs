//! Servers whose listings are names and nothing else, as the draft allows. Through the engine's own streams.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use sftp::transport::{Reader, Writer};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use super::*;

const NOW: u32 = 1_800_000_000;
const TAG: &str = "0123456789abcdef0123";

/// What LSTAT tells: mode and modification time.
type Told = (Option<u32>, Option<u32>);

/// Answers one listing, of names without attributes; LSTAT tells of each what `told` has.
async fn serve(mut stream: DuplexStream, told: Vec<(String, Option<Told>)>) {
    let mut listed = false;
    while let Ok(length) = stream.read_u32().await {
        let mut packet = vec![0; usize::try_from(length).expect("short")];
        stream.read_exact(&mut packet).await.expect("all of it");
        let mut packet = Bytes::from(packet);
        let (kind, id) = (packet.get_u8(), packet.get_u32());
        let mut answer = BytesMut::new();
        let status = |answer: &mut BytesMut, code: u32| {
            answer.put_u8(101);
            answer.put_u32(id);
            answer.put_u32(code);
        };
        match kind {
            // INIT, which has its version in place of an id.
            1 => {
                answer.put_u8(2);
                answer.put_u32(3);
            }
            // OPENDIR, of `.` alone.
            11 if packet[4..] == *b"." => {
                answer.put_u8(102);
                answer.put_u32(id);
                string(&mut answer, "h");
            }
            // READDIR.
            12 if !listed => {
                listed = true;
                answer.put_u8(104);
                answer.put_u32(id);
                answer.put_u32(u32::try_from(told.len()).expect("few"));
                for (name, _) in &told {
                    string(&mut answer, name);
                    string(&mut answer, name);
                    answer.put_u32(0);
                }
            }
            // An empty answer where others say EOF.
            12 => {
                answer.put_u8(104);
                answer.put_u32(id);
                answer.put_u32(0);
            }
            // LSTAT.
            7 => {
                let asked = &packet[4..];
                match told.iter().find(|(name, _)| name.as_bytes() == asked) {
                    Some((_, Some((mode, modified)))) => {
                        answer.put_u8(105);
                        answer.put_u32(id);
                        answer.put_u32(
                            u32::from(mode.is_some()) * 4 + u32::from(modified.is_some()) * 8,
                        );
                        mode.iter().for_each(|mode| answer.put_u32(*mode));
                        modified.iter().for_each(|modified| {
                            answer.put_u32(*modified);
                            answer.put_u32(*modified);
                        });
                    }
                    Some((_, None)) => status(&mut answer, 4),
                    None => status(&mut answer, 2),
                }
            }
            // CLOSE and REMOVE.
            4 | 13 => status(&mut answer, 0),
            _ => status(&mut answer, 3),
        }
        stream
            .write_u32(u32::try_from(answer.len()).expect("short"))
            .await
            .expect("a reader");
        stream.write_all(&answer).await.expect("a reader");
    }
}

fn string(answer: &mut BytesMut, text: &str) {
    answer.put_u32(u32::try_from(text.len()).expect("short"));
    answer.put_slice(text.as_bytes());
}

/// What is told of a directory with these names, removal asked for.
async fn findings(told: Vec<(String, Option<Told>)>) -> Vec<String> {
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    let server = tokio::spawn(serve(theirs, told));
    let (receive, transmit) = tokio::io::split(ours);
    let session = Session::start(
        Reader::new(receive),
        Writer::new(transmit),
        sftp::Options::default(),
    )
    .await
    .expect("a session");
    let template = TemporaryTemplate::parse(".{name}.{tag}.part").expect("the default");
    let options = Options {
        older_than: Duration::from_secs(24 * 3600),
        remove: true,
        now: UNIX_EPOCH + Duration::from_secs(NOW.into()),
    };
    let mut lines = Vec::new();
    let look = Look {
        sftp: &session,
        dir: None,
        template: &template,
        options: &options,
        tell: |finding| {
            lines.push(match finding {
                Finding::Temporary(leftover) => format!("{}: {}", leftover.path, leftover.fate),
                Finding::Unread { path, why } => format!("{path}: {why}"),
            });
        },
        looked: Looked::default(),
    };
    look.run().await.expect("a whole look");
    drop(session);
    server.await.expect("the server ends with its stream");
    lines
}

fn temporary(name: &str) -> String {
    format!(".{name}.{TAG}.part")
}

#[tokio::test]
async fn what_a_listing_leaves_out_is_asked_for() {
    const OLD: Option<u32> = Some(NOW - 2 * 24 * 3600);
    const FILE: Option<u32> = Some(0o100_644);
    let lines = findings(vec![
        (".".to_owned(), None),
        (temporary("old"), Some((FILE, OLD))),
        (temporary("young"), Some((FILE, Some(NOW - 60)))),
        (temporary("link"), Some((Some(0o120_777), OLD))),
        (temporary("timeless"), Some((FILE, None))),
        (temporary("typeless"), Some((Some(0o644), OLD))),
        (temporary("modeless"), Some((None, OLD))),
        (temporary("refused"), None),
        ("file".to_owned(), Some((FILE, OLD))),
        ("link".to_owned(), Some((Some(0o120_777), OLD))),
    ])
    .await;
    let no_kind = "not removed: the server does not tell whether it is a file";
    assert_eq!(
        lines,
        [
            format!("{}: {no_kind}", temporary("modeless")),
            format!("{}: removed", temporary("old")),
            format!("{}: {no_kind}", temporary("refused")),
            format!(
                "{}: not removed: the server does not tell its age",
                temporary("timeless")
            ),
            format!("{}: {no_kind}", temporary("typeless")),
        ]
    );
}

/// Or a directory would be passed over without a word.
#[tokio::test]
async fn names_that_may_be_directories_are_told_by_their_number() {
    let lines = findings(vec![
        ("a".to_owned(), None),
        ("b".to_owned(), Some((None, Some(1)))),
        ("c".to_owned(), Some((Some(0o100_644), None))),
    ])
    .await;
    let told = ".: the server does not tell which of 2 names are directories";
    assert_eq!(lines, [told]);
}

//! A session against a server that a test writes out byte by byte.

use std::time::Duration;

use bytes::Bytes;
use sftp::transport::{Reader, Receive, Writer};
use sftp::{Attributes, Error, Handle, OpenFlags, Options, Reply, Session, StatusCode, Upload};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf, duplex, split};
use tokio::task::yield_now;
use tokio::time::{Instant, advance, sleep};

const OPEN: u8 = 3;
const CLOSE: u8 = 4;
const WRITE: u8 = 6;
const REMOVE: u8 = 13;
const FSTAT: u8 = 8;
const STAT: u8 = 17;
const STATUS: u8 = 101;
const HANDLE: u8 = 102;
const ATTRS: u8 = 105;
const EXTENDED: u8 = 200;
const EXTENDED_REPLY: u8 = 201;

const STALL: Duration = Duration::from_secs(30);
/// What the client waits for bytes that have arrived and are not handed up yet.
const SECOND_LOOK: Duration = Duration::from_millis(500);
const WRITE_LENGTH: usize = sftp::extensions::DEFAULT_WRITE_LENGTH as usize;

/// The other end of the stream.
struct Server {
    reader: ReadHalf<DuplexStream>,
    writer: WriteHalf<DuplexStream>,
}

impl Server {
    /// A packet without its length.
    async fn next(&mut self) -> Vec<u8> {
        let length = self.reader.read_u32().await.expect("the client sends");
        let mut packet = vec![0; length as usize];
        let whole = self.reader.read_exact(&mut packet).await;
        whole.expect("the client sends it whole");
        packet
    }

    /// The id of the next request, which has to be of this type.
    async fn request(&mut self, kind: u8) -> u32 {
        let packet = self.next().await;
        assert_eq!(packet[0], kind, "{packet:?}");
        id_of(&packet)
    }

    async fn send(&mut self, packet: &[u8]) {
        let length = u32::try_from(packet.len()).expect("short");
        let mut bytes = length.to_be_bytes().to_vec();
        bytes.extend_from_slice(packet);
        let sent = self.writer.write_all(&bytes).await;
        sent.expect("the client reads");
    }

    async fn answer(&mut self, kind: u8, id: u32, rest: &[u8]) {
        let mut packet = vec![kind];
        packet.extend_from_slice(&id.to_be_bytes());
        packet.extend_from_slice(rest);
        self.send(&packet).await;
    }

    async fn status(&mut self, id: u32, code: u32) {
        self.answer(STATUS, id, &code.to_be_bytes()).await;
    }

    async fn handle(&mut self, id: u32, handle: &[u8]) {
        self.answer(HANDLE, id, &string(handle)).await;
    }
}

fn id_of(packet: &[u8]) -> u32 {
    u32::from_be_bytes(packet[1..5].try_into().expect("four bytes"))
}

fn string(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).expect("short");
    [&length.to_be_bytes(), bytes].concat()
}

async fn session() -> (Session, Server) {
    let started = with_version(&[2, 0, 0, 0, 3]).await;
    started.expect("the session starts")
}

async fn with_version(answer: &[u8]) -> sftp::Result<(Session, Server)> {
    let (client, server) = duplex(1024 * 1024);
    let (reader, writer) = split(server);
    let mut server = Server { reader, writer };
    let greet = async {
        assert_eq!(server.next().await, [1, 0, 0, 0, 3], "INIT, version 3");
        server.send(answer).await;
    };
    let (session, ()) = tokio::join!(start(client), greet);
    Ok((session?, server))
}

async fn start(client: DuplexStream) -> sftp::Result<Session> {
    let (reader, writer) = split(client);
    let options = Options {
        stall_timeout: STALL,
    };
    Session::start(Reader::new(reader), Writer::new(writer), options).await
}

/// A file that is open under the handle `h`.
async fn opened(session: &Session, server: &mut Server) -> Handle {
    let open = session.open("f", OpenFlags::WRITE, Attributes::default());
    let id = server.request(OPEN).await;
    server.handle(id, b"h").await;
    open.await.expect("opened")
}

#[tokio::test]
async fn answers_find_their_requests_in_any_order() {
    let (session, mut server) = session().await;
    let (one, two) = (session.stat("one"), session.remove("two"));
    let (first, second) = (server.request(STAT).await, server.request(REMOVE).await);
    server.status(second, 0).await;
    server.status(first, 2).await;
    two.await.expect("done");
    let refused = one.await.expect_err("refused");
    assert!(refused.is(StatusCode::NO_SUCH_FILE));
}

/// A handle is the server's business: 256 bytes of anything.
#[tokio::test]
async fn a_handle_is_sent_back_as_it_came() {
    let (session, mut server) = session().await;
    let opaque: Vec<u8> = (0..=255).collect();
    let open = session.open("f", OpenFlags::WRITE, Attributes::default());
    let id = server.request(OPEN).await;
    server.handle(id, &opaque).await;
    let handle = open.await.expect("opened");
    let _close = session.close(&handle);
    let packet = server.next().await;
    assert_eq!(packet[0], CLOSE);
    assert_eq!(&packet[9..], opaque);
}

#[tokio::test]
async fn a_status_above_eight_keeps_its_number_and_the_session_goes_on() {
    let (session, mut server) = session().await;
    for code in [4711_u32, 3] {
        // Nothing behind the number; a text and no language; both.
        let text = string(b"Invalid handle");
        for rest in [vec![], text.clone(), [text, string(b"en")].concat()] {
            let stat = session.stat("f");
            let id = server.request(STAT).await;
            let status = [&code.to_be_bytes()[..], &rest].concat();
            server.answer(STATUS, id, &status).await;
            let refused = stat.await.expect_err("refused");
            assert!(refused.is(StatusCode(code)), "{refused}");
            let shown = refused.to_string();
            assert!(shown.contains(&code.to_string()), "{shown}");
            assert_eq!(
                shown.contains("Invalid handle"),
                !rest.is_empty(),
                "{shown}"
            );
        }
    }
}

#[tokio::test]
async fn an_answer_of_the_wrong_type_ends_the_session() {
    let (session, mut server) = session().await;
    let stat = session.stat("f");
    let id = server.request(STAT).await;
    server.handle(id, b"h").await;
    assert!(matches!(stat.await, Err(Error::Protocol(_))));
    assert!(matches!(session.stat("g").await, Err(Error::Protocol(_))));
}

#[tokio::test]
async fn an_answer_to_nothing_ends_the_session() {
    let (session, mut server) = session().await;
    let stat = session.stat("f");
    let id = server.request(STAT).await;
    server.status(id.wrapping_add(1), 0).await;
    assert!(matches!(stat.await, Err(Error::Protocol(_))));
}

#[tokio::test]
async fn a_stream_that_ends_fails_what_is_outstanding_and_what_comes_later() {
    let (session, mut server) = session().await;
    let stat = session.stat("f");
    server.request(STAT).await;
    drop(server);
    assert!(matches!(stat.await, Err(Error::Closed | Error::Io(_))));
    let later = session.stat("g").await;
    assert!(matches!(later, Err(Error::Closed | Error::Io(_))));
    assert_eq!(session.outstanding(), 0);
}

#[tokio::test]
async fn a_version_below_three_is_refused_and_one_above_is_taken_for_three() {
    let below = with_version(&[2, 0, 0, 0, 2]).await;
    assert!(matches!(below, Err(Error::Protocol(_))));
    assert!(with_version(&[2, 0, 0, 0, 6]).await.is_ok());
}

/// A name that is no text is none that we know; an old Sterling ends the packet behind a name.
#[tokio::test]
async fn extensions_that_are_no_text_are_none_and_one_may_lack_its_data() {
    let mut version = vec![2, 0, 0, 0, 3];
    for bytes in [b"\xff\xfe", &b"\0\xff"[..], b"posix-rename@openssh.com"] {
        version.extend(string(bytes));
    }
    let (session, _server) = with_version(&version).await.expect("it starts");
    let names: Vec<_> = session.extensions().names().collect();
    assert_eq!(names, ["posix-rename@openssh.com"]);
    assert!(session.has_posix_rename());
}

#[tokio::test(start_paused = true)]
async fn a_server_that_never_greets_is_given_up() {
    let (client, _server) = duplex(1024);
    let started = Instant::now();
    assert!(matches!(start(client).await, Err(Error::Stalled(_))));
    assert_eq!(started.elapsed(), STALL);
}

#[tokio::test(start_paused = true)]
async fn silence_is_a_stall() {
    let (session, mut server) = session().await;
    let started = Instant::now();
    let stat = session.stat("f");
    server.request(STAT).await;
    assert!(matches!(stat.await, Err(Error::Stalled(_))));
    assert_eq!(started.elapsed(), STALL + SECOND_LOOK);
}

/// A packet that comes byte by byte is no answer before it is whole.
#[tokio::test(start_paused = true)]
async fn bytes_that_are_no_answer_are_silence() {
    let (session, mut server) = session().await;
    let started = Instant::now();
    let stat = session.stat("f");
    server.request(STAT).await;
    let drip = async {
        let length: u32 = 256 * 1024;
        for byte in length.to_be_bytes().into_iter().chain([0; 10_000]) {
            sleep(Duration::from_millis(100)).await;
            let sent = server.writer.write_all(&[byte]).await;
            sent.expect("it is read, as long as anybody waits");
        }
    };
    tokio::select! {
        answer = stat => assert!(matches!(answer, Err(Error::Stalled(_))), "{answer:?}"),
        () = drip => panic!("it was waited for"),
    }
    assert_eq!(started.elapsed(), STALL + SECOND_LOOK);
}

/// Bytes that come up through layers below, each of which has to be woken first.
struct Layered<R>(R);

impl<R: Receive> Receive for Layered<R> {
    async fn receive(&mut self) -> std::io::Result<Option<Bytes>> {
        for _ in 0..3 {
            yield_now().await;
        }
        self.0.receive().await
    }
}

/// The process was stopped and goes on: its time is over, and the answer has been there all the while.
#[tokio::test(start_paused = true)]
async fn an_answer_that_waited_in_the_socket_is_no_silence() {
    for _ in 0..20 {
        let (client, server) = duplex(1024 * 1024);
        let (reader, writer) = split(server);
        let mut server = Server { reader, writer };
        let (reader, writer) = split(client);
        let options = Options {
            stall_timeout: STALL,
        };
        let started = Session::start(Layered(Reader::new(reader)), Writer::new(writer), options);
        let greet = async {
            server.next().await;
            server.send(&[2, 0, 0, 0, 3]).await;
        };
        let (session, ()) = tokio::join!(started, greet);
        let session = session.expect("the session starts");
        let remove = session.stat("f");
        let id = server.request(STAT).await;
        let answered = server.status(id, 2);
        answered.await;
        advance(STALL + Duration::from_secs(1)).await;
        let refused = remove.await.expect_err("refused");
        assert!(refused.is(StatusCode::NO_SUCH_FILE), "{refused:?}");
    }
}

/// Ten answers, 20 s apart, are no stall although the last took minutes.
#[tokio::test(start_paused = true)]
async fn every_answer_begins_the_silence_anew() {
    let (session, mut server) = session().await;
    let replies: Vec<_> = (0..10).map(|_| session.stat("f")).collect();
    let pace = async {
        for _ in 0..10 {
            let id = server.request(STAT).await;
            // Not `advance`, which leaps over the end of the silence, where the answer is there already.
            sleep(Duration::from_secs(20)).await;
            server.status(id, 2).await;
        }
    };
    let check = async {
        for reply in replies {
            let refused = reply.await.expect_err("refused");
            assert!(refused.is(StatusCode::NO_SUCH_FILE), "{refused}");
        }
    };
    tokio::join!(pace, check);
}

/// A server that copies the file at FSYNC or CLOSE answers nothing meanwhile, not even the STAT behind it.
#[tokio::test(start_paused = true)]
async fn a_slow_close_is_no_stall_and_neither_is_what_waits_behind_it() {
    for (kind, slow) in [
        (
            EXTENDED,
            Session::fsync as fn(&Session, &Handle) -> Reply<()>,
        ),
        (CLOSE, Session::close),
    ] {
        let (session, mut server) = session().await;
        let handle = opened(&session, &mut server).await;
        let (slow, stat) = (slow(&session, &handle), session.stat("f"));
        let (slow_id, stat_id) = (server.request(kind).await, server.request(STAT).await);
        sleep(STALL * 20).await;
        server.status(slow_id, 0).await;
        slow.await.expect("done");
        server.status(stat_id, 2).await;
        let refused = stat.await.expect_err("refused");
        assert!(refused.is(StatusCode::NO_SUCH_FILE), "{refused}");
    }
}

/// The REMOVE is answered and the STAT behind it is not: that is silence again.
#[tokio::test(start_paused = true)]
async fn silence_behind_a_slow_remove_is_a_stall() {
    let (session, mut server) = session().await;
    let (remove, stat) = (session.remove("f"), session.stat("f"));
    let id = server.request(REMOVE).await;
    sleep(STALL * 20).await;
    server.status(id, 0).await;
    remove.await.expect("removed");
    assert!(matches!(stat.await, Err(Error::Stalled(_))));
}

#[tokio::test]
async fn limits_are_asked_for_before_the_first_request_and_clamped() {
    let mut version = vec![2, 0, 0, 0, 3];
    version.extend(string(b"limits@openssh.com"));
    version.extend(string(b"1"));
    let (session, mut server) = with_version(&version).await.expect("it starts");
    let _open = session.open("f", OpenFlags::WRITE, Attributes::default());
    let id = server.request(EXTENDED).await;
    server.request(OPEN).await;
    let told = [262_144_u64, 1000, u64::MAX, 0]
        .map(u64::to_be_bytes)
        .concat();
    server.answer(EXTENDED_REPLY, id, &told).await;
    let limits = session.limits().await;
    assert_eq!(limits.read_length, 1000);
    assert_eq!(limits.write_length, sftp::extensions::MAX_WRITE_LENGTH);
    assert_eq!(limits.open_handles, None);
}

/// With nothing acknowledged, no more than the window is on its way.
#[tokio::test]
async fn the_window_bounds_what_is_not_acknowledged() {
    let (session, mut server) = session().await;
    let handle = opened(&session, &mut server).await;
    let upload = Upload::new(&session, handle).await;
    let mut upload = upload.with_window(4 * WRITE_LENGTH);
    let data = Bytes::from(vec![7; 5 * WRITE_LENGTH]);
    let four = async {
        for _ in 0..4 {
            server.request(WRITE).await;
        }
    };
    tokio::select! {
        result = upload.write(data) => panic!("the fifth write went out: {result:?}"),
        () = four => {}
    }
    assert_eq!(session.outstanding(), 4);
    assert_eq!(upload.acknowledged(), 0);
}

/// Sources come in the sizes of their sockets; writes have the server's.
#[tokio::test]
async fn small_pieces_are_gathered_into_full_writes() {
    let (session, mut server) = session().await;
    let handle = opened(&session, &mut server).await;
    let mut upload = Upload::new(&session, handle).await;
    let ramp = testkit::payload::ramp(WRITE_LENGTH + 500);
    let serve = async {
        let (mut stored, mut lengths) = (Vec::new(), Vec::new());
        while stored.len() < ramp.len() {
            let packet = server.next().await;
            assert_eq!(packet[0], WRITE);
            let offset = u64::from_be_bytes(packet[10..18].try_into().expect("eight bytes"));
            assert_eq!(offset, stored.len() as u64, "in order, without a gap");
            stored.extend_from_slice(&packet[22..]);
            lengths.push(packet.len() - 22);
            server.status(id_of(&packet), 0).await;
        }
        (stored, lengths)
    };
    let write = async {
        for piece in ramp.chunks(1000) {
            let taken = upload.write(Bytes::copy_from_slice(piece)).await;
            taken.expect("taken");
        }
        upload.drain().await.expect("acknowledged");
    };
    let ((stored, lengths), ()) = tokio::join!(serve, write);
    assert_eq!(stored, ramp);
    assert_eq!(lengths, [WRITE_LENGTH, 500]);
    assert_eq!(upload.acknowledged(), stored.len() as u64);
}

/// An error behind good answers is found, and the frontier stops before it.
#[tokio::test]
async fn a_refused_write_fails_the_upload() {
    let (session, mut server) = session().await;
    let handle = opened(&session, &mut server).await;
    let mut upload = Upload::new(&session, handle).await;
    let data = Bytes::from(vec![1; 3 * WRITE_LENGTH]);
    upload.write(data).await.expect("within the window");
    for code in [0, 4, 0] {
        let id = server.request(WRITE).await;
        server.status(id, code).await;
    }
    let refused = upload.drain().await.expect_err("refused");
    assert!(refused.is(StatusCode::FAILURE));
    assert_eq!(upload.acknowledged(), WRITE_LENGTH as u64);
}

/// Answers come in any order.
#[tokio::test]
async fn what_is_acknowledged_has_no_gap_below_it() {
    let (session, mut server) = session().await;
    let handle = opened(&session, &mut server).await;
    let mut upload = Upload::new(&session, handle).await;
    let data = Bytes::from(vec![1; 3 * WRITE_LENGTH]);
    upload.write(data).await.expect("within the window");
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(server.request(WRITE).await);
    }
    let two = async {
        server.status(ids[2], 0).await;
        server.status(ids[1], 0).await;
        while session.outstanding() > 1 {
            yield_now().await;
        }
        // For the upload to see it.
        yield_now().await;
    };
    tokio::select! {
        biased;
        result = upload.drain() => panic!("one is not answered: {result:?}"),
        () = two => {}
    }
    assert_eq!(upload.acknowledged(), 0);
    server.status(ids[0], 0).await;
    upload.drain().await.expect("acknowledged");
    assert_eq!(upload.acknowledged(), 3 * WRITE_LENGTH as u64);
}

/// pkg/sftp carries an FSTAT out beside the write before it: the length would be that of before.
#[tokio::test]
async fn a_file_that_is_gone_on_with_is_looked_at_behind_an_answer() {
    let (session, mut server) = session().await;
    let handle = opened(&session, &mut server).await;
    let (before, behind) = (WRITE_LENGTH as u64, 2 * WRITE_LENGTH as u64);
    let mut upload = Upload::resume(&session, handle, before, before).await;
    let serving = async {
        let id = server.request(WRITE).await;
        assert_eq!(session.outstanding(), 1, "the write alone");
        server.status(id, 0).await;
        let id = server.request(FSTAT).await;
        let attributes = [&[0, 0, 0, 1], &behind.to_be_bytes()[..]].concat();
        server.answer(ATTRS, id, &attributes).await;
    };
    let data = Bytes::from(vec![1; WRITE_LENGTH]);
    let (written, ()) = tokio::join!(upload.write(data), serving);
    written.expect("it is as long as it has to be");
    assert_eq!(upload.acknowledged(), behind);
}

/// It would make the file longer, and hide what is missing of the first: side by side, FSTAT may come behind it.
#[tokio::test]
async fn nothing_follows_the_first_large_write_before_it_is_looked_at() {
    let mut version = vec![2, 0, 0, 0, 3];
    version.extend(string(b"limits@openssh.com"));
    version.extend(string(b"1"));
    let (session, mut server) = with_version(&version).await.expect("it starts");
    let open = session.open("f", OpenFlags::WRITE, Attributes::default());
    let id = server.request(EXTENDED).await;
    let told = [0_u64, 0, 65_536, 0].map(u64::to_be_bytes).concat();
    server.answer(EXTENDED_REPLY, id, &told).await;
    let id = server.request(OPEN).await;
    server.handle(id, b"h").await;
    let handle = open.await.expect("opened");
    let mut upload = Upload::new(&session, handle).await;
    let serving = async {
        let id = server.request(WRITE).await;
        assert_eq!(session.outstanding(), 1, "the write alone");
        server.status(id, 0).await;
        let id = server.request(FSTAT).await;
        assert_eq!(session.outstanding(), 1, "the look alone");
        let attributes = [&[0, 0, 0, 1], &32_768_u64.to_be_bytes()[..]].concat();
        server.answer(ATTRS, id, &attributes).await;
    };
    let data = Bytes::from(vec![1; 3 * 65_536]);
    let (written, ()) = tokio::join!(upload.write(data), serving);
    let cut = written.expect_err("the rest is missing");
    let is_cut = matches!(
        cut,
        Error::CutShort {
            sent: 65_536,
            stored: 32_768
        }
    );
    assert!(is_cut, "{cut:?}");
}

/// A server that wants one byte per write must not make us remember millions of them.
#[tokio::test]
async fn the_number_of_writes_in_flight_is_bounded_too() {
    let mut version = vec![2, 0, 0, 0, 3];
    version.extend(string(b"limits@openssh.com"));
    version.extend(string(b"1"));
    let (session, mut server) = with_version(&version).await.expect("it starts");
    let open = session.open("f", OpenFlags::WRITE, Attributes::default());
    let id = server.request(EXTENDED).await;
    let told = [0_u64, 0, 1, 0].map(u64::to_be_bytes).concat();
    server.answer(EXTENDED_REPLY, id, &told).await;
    let id = server.request(OPEN).await;
    server.handle(id, b"h").await;
    let handle = open.await.expect("opened");
    let mut upload = Upload::new(&session, handle).await;
    let taken = async {
        for _ in 0..1024 {
            server.request(WRITE).await;
        }
    };
    tokio::select! {
        result = upload.write(Bytes::from(vec![7; 5000])) => panic!("all went out: {result:?}"),
        () = taken => {}
    }
    assert_eq!(session.outstanding(), 1024);
}

#[tokio::test]
async fn a_handle_above_the_drafts_length_ends_the_session() {
    let (session, mut server) = session().await;
    let open = session.open("f", OpenFlags::WRITE, Attributes::default());
    let id = server.request(OPEN).await;
    server.handle(id, &[7; 257]).await;
    let error = open.await.expect_err("too long");
    assert!(matches!(error, Error::Protocol(_)), "{error}");
    assert!(session.is_closed());
}

//! The network between a client and a server: a TCP proxy that delays, slows, stalls and cuts.
//!
//! A delay holds every chunk for half the round trip in each direction, with an unbounded queue, so that bandwidth is not
//! limited by it: what a long line does, and what shows how much a client keeps in flight.

use std::collections::HashMap;
use std::future::pending;
use std::net::{Ipv4Addr, SocketAddr, TcpListener as StdListener};
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

use crate::servers::thread::ServerThread;

/// As much as one read of the kernel brings.
const CHUNK: usize = 256 * 1024;

/// Room for reads is made for several at once: they are seldom whole chunks.
const ROOM: usize = 4 * CHUNK;

/// How late the runtime's timer may be: it counts whole milliseconds, and so does the system call that it waits in. Two
/// a direction would be a tenth of a round trip of 50 ms.
const TIMER: Duration = Duration::from_millis(2);

/// At a limited rate, so many gulps a second are smooth enough.
const GULPS_PER_SECOND: u64 = 50;

/// A proxy on a free port of loopback, until it is dropped.
pub struct Proxy {
    port: u16,
    line: Arc<Line>,
    _thread: ServerThread,
}

/// What every connection obeys.
struct Line {
    /// Raised with each cut: whoever began under a smaller number ends.
    cuts: watch::Sender<u64>,
    stalled: watch::Sender<bool>,
    /// Connections up to this number are dead: nothing of them arrives any more.
    forgotten: watch::Sender<u64>,
    /// Whether something has gone to a client since a client last sent something.
    answered: AtomicBool,
    flights: AtomicU64,
    /// Half of the round trip.
    delay: watch::Sender<Duration>,
    /// Bytes per second from clients to the server; 0 is no limit.
    rate: AtomicU64,
    /// Until when what was taken in occupies the line, at that rate.
    busy_until: Mutex<Instant>,
    /// How many more bytes go from clients to the server before a cut.
    left: AtomicU64,
    /// Connections that end before anything is said.
    ended: Mutex<RangeInclusive<u64>>,
    /// Connections that are still to stall the line, and after how many bytes of theirs.
    stalls: Mutex<HashMap<u64, u64>>,
    sent: AtomicU64,
    /// By one connection, at most.
    most_sent: AtomicU64,
    connections: AtomicU64,
    open: AtomicU64,
    most_open: AtomicU64,
}

impl Proxy {
    /// Starts a proxy to a port of loopback.
    ///
    /// # Panics
    ///
    /// When no port of loopback can be bound.
    pub async fn start(target: u16) -> Self {
        let listener =
            StdListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port of loopback can be bound");
        listener
            .set_nonblocking(true)
            .expect("a socket can be made non-blocking");
        let port = listener
            .local_addr()
            .expect("a bound socket has an address")
            .port();
        let line = Arc::new(Line {
            cuts: watch::Sender::new(0),
            stalled: watch::Sender::new(false),
            forgotten: watch::Sender::new(0),
            answered: AtomicBool::new(true),
            flights: AtomicU64::new(0),
            delay: watch::Sender::new(Duration::ZERO),
            rate: AtomicU64::new(0),
            busy_until: Mutex::new(Instant::now()),
            left: AtomicU64::new(u64::MAX),
            #[expect(clippy::reversed_empty_ranges, reason = "none")]
            ended: Mutex::new(1..=0),
            stalls: Mutex::default(),
            sent: AtomicU64::new(0),
            most_sent: AtomicU64::new(0),
            connections: AtomicU64::new(0),
            open: AtomicU64::new(0),
            most_open: AtomicU64::new(0),
        });
        let thread = ServerThread::start(
            "proxy",
            accept(
                listener,
                (Ipv4Addr::LOCALHOST, target).into(),
                Arc::clone(&line),
            ),
        );
        Self {
            port,
            line,
            _thread: thread,
        }
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Cuts all connections by a reset. New ones are taken.
    pub fn cut(&self) {
        self.line.cut();
    }

    /// Cuts all connections once that many more bytes have gone from clients to the server, and only then. What goes
    /// beyond them does not arrive.
    pub fn cut_after(&self, bytes: u64) {
        self.line.left.store(bytes, Ordering::SeqCst);
    }

    /// Nothing arrives any more, in both directions, and no connection ends: a cable pulled out, a firewall that forgot.
    pub fn stall(&self) {
        self.line.stalled.send_replace(true);
    }

    /// A [`stall`](Self::stall) once the client of one connection, the `connection`-th from 1, has sent so many bytes to the
    /// server, and not one more. It may be asked for before there is that connection.
    pub fn stall_after(&self, connection: u64, bytes: u64) {
        self.line.lock_stalls().insert(connection, bytes);
    }

    /// Ends these connections, counted from 1, when they are taken, before anything is said.
    pub fn end_at_once(&self, connections: RangeInclusive<u64>) {
        *self.line.lock_ended() = connections;
    }

    /// Whether nothing arrives any more.
    pub fn is_stalled(&self) -> bool {
        *self.line.stalled.borrow()
    }

    /// Nothing arrives any more over the connections that there are, and none of them ends; new ones are taken: a NAT that
    /// has dropped its flows.
    pub fn forget(&self) {
        self.line.forgotten.send_replace(self.connections());
    }

    /// How many times a client has sent something after it was answered: the round trips so far, where the line is so
    /// slow that what is sent together arrives together.
    pub fn flights(&self) -> u64 {
        self.line.flights.load(Ordering::SeqCst)
    }

    /// Ends a stall: what was sent meanwhile arrives.
    pub fn go_on(&self) {
        self.line.stalled.send_replace(false);
    }

    /// The round trip from now on.
    pub fn delay(&self, round_trip: Duration) {
        self.line.delay.send_replace(round_trip / 2);
    }

    /// How many bytes per second clients can send from now on, all connections together; the server's answers are not
    /// slowed. 0 is no limit again. What is more waits with the client, as before a slow line: nothing piles up here.
    pub fn rate(&self, bytes_per_second: u64) {
        self.line.rate.store(bytes_per_second, Ordering::SeqCst);
    }

    /// How many connections there have been.
    pub fn connections(&self) -> u64 {
        self.line.connections.load(Ordering::SeqCst)
    }

    /// How many connections to the server there have been at once: each counts until both ends have closed it, or a cut.
    pub fn most_open(&self) -> u64 {
        self.line.most_open.load(Ordering::SeqCst)
    }

    /// How many bytes clients have sent to the server.
    pub fn bytes_sent(&self) -> u64 {
        self.line.sent.load(Ordering::SeqCst)
    }

    /// How many of them went over one connection, at most.
    pub fn most_bytes_sent(&self) -> u64 {
        self.line.most_sent.load(Ordering::SeqCst)
    }
}

/// A connection to the server, from before it is made until after it is closed.
struct Open<'a>(&'a Line);

impl<'a> Open<'a> {
    fn new(line: &'a Line) -> Self {
        let open = line.open.fetch_add(1, Ordering::SeqCst) + 1;
        line.most_open.fetch_max(open, Ordering::SeqCst);
        Self(line)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::SeqCst);
    }
}

/// What may go to the server at once.
struct Passed {
    len: usize,
    /// Nothing may follow.
    is_cut: bool,
}

impl Line {
    fn cut(&self) {
        self.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// Returns when nothing is stalled; never for a connection that is forgotten.
    async fn flowing(&self, connection: u64) {
        // An error is the proxy's end, and then this task's.
        self.stalled
            .subscribe()
            .wait_for(|stalled| !stalled)
            .await
            .ok();
        if *self.forgotten.borrow() >= connection {
            pending::<()>().await;
        }
    }

    fn lock_stalls(&self) -> MutexGuard<'_, HashMap<u64, u64>> {
        self.stalls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_ended(&self) -> MutexGuard<'_, RangeInclusive<u64>> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// As much as goes through the line at once: at a slow rate little, so that it flows and does not come in gushes.
    fn gulp(&self) -> usize {
        match self.rate.load(Ordering::SeqCst) {
            0 => CHUNK,
            rate => usize::try_from(rate / GULPS_PER_SECOND)
                .unwrap_or(CHUNK)
                .clamp(1, CHUNK),
        }
    }

    /// Occupies the line with `len` bytes: when they are through.
    fn occupy(&self, len: usize) -> Instant {
        let mut busy_until = self
            .busy_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let rate = self.rate.load(Ordering::SeqCst);
        if rate == 0 {
            return now;
        }
        let nanoseconds = u128::from(len as u64) * 1_000_000_000 / u128::from(rate);
        let took = Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX));
        *busy_until = now.max(*busy_until) + took;
        *busy_until
    }

    /// Takes up to `len` bytes from what may still pass. `before` is what the connection has sent so far.
    fn pass(&self, connection: u64, before: u64, len: usize) -> Passed {
        let mut wanted = len as u64;
        let mut stalls = self.lock_stalls();
        if let Some(at) = stalls.get(&connection) {
            let left = at.saturating_sub(before);
            if left <= wanted {
                wanted = left;
                stalls.remove(&connection);
                self.stalled.send_replace(true);
            }
        }
        drop(stalls);
        let left = self
            .left
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
                Some(if left == u64::MAX {
                    left
                } else {
                    left.saturating_sub(wanted)
                })
            });
        let passed = left.unwrap_or(u64::MAX).min(wanted);
        self.sent.fetch_add(passed, Ordering::SeqCst);
        self.most_sent.fetch_max(before + passed, Ordering::SeqCst);
        let is_cut = passed < wanted || self.left.load(Ordering::SeqCst) == 0;
        if is_cut {
            // The next connections are not meant.
            self.left.store(u64::MAX, Ordering::SeqCst);
            self.cut();
        }
        Passed {
            len: usize::try_from(passed).unwrap_or(len),
            is_cut,
        }
    }
}

async fn accept(listener: StdListener, target: SocketAddr, line: Arc<Line>) {
    let listener = TcpListener::from_std(listener).expect("a listening socket can be registered");
    loop {
        // An error of accept is one client's: it went away before it was taken.
        let Ok((client, _)) = listener.accept().await else {
            continue;
        };
        let number = line.connections.fetch_add(1, Ordering::SeqCst) + 1;
        if line.lock_ended().contains(&number) {
            continue;
        }
        tokio::spawn(connect(client, number, target, Arc::clone(&line)));
    }
}

async fn connect(mut client: TcpStream, number: u64, target: SocketAddr, line: Arc<Line>) {
    let mut cuts = line.cuts.subscribe();
    // Goes after the sockets.
    let _open = Open::new(&line);
    // A server that is not there is seen as a connection that ends at once.
    let Ok(mut server) = TcpStream::connect(target).await else {
        return;
    };
    client.set_nodelay(true).ok();
    server.set_nodelay(true).ok();
    let cut = {
        let (client_reader, client_writer) = client.split();
        let (server_reader, server_writer) = server.split();
        let up = carry(client_reader, server_writer, &line, number, true);
        let down = carry(server_reader, client_writer, &line, number, false);
        tokio::select! {
            _ = cuts.changed() => true,
            ((), ()) = async { tokio::join!(up, down) } => false,
        }
    };
    if cut {
        // A reset, not a farewell: what is queued in the kernel does not leave any more.
        client.set_zero_linger().ok();
        server.set_zero_linger().ok();
    }
}

/// One direction: what was read waits for its time, and is written.
async fn carry(
    reader: ReadHalf<'_>,
    mut writer: WriteHalf<'_>,
    line: &Line,
    number: u64,
    up: bool,
) {
    let (sender, mut queue) = mpsc::unbounded_channel::<(Instant, Bytes)>();
    let give_out = async {
        let mut sent = 0;
        while let Some((at, mut bytes)) = queue.recv().await {
            wait_until(at).await;
            if !up {
                line.flowing(number).await;
                line.answered.store(true, Ordering::SeqCst);
                if writer.write_all(&bytes).await.is_err() {
                    return;
                }
                continue;
            }
            while !bytes.is_empty() {
                line.flowing(number).await;
                let Passed { len, is_cut } = line.pass(number, sent, bytes.len());
                if writer.write_all(&bytes[..len]).await.is_err() {
                    return;
                }
                if is_cut {
                    pending::<()>().await;
                }
                bytes.advance(len);
                sent += len as u64;
            }
        }
        writer.shutdown().await.ok();
    };
    let take_in = async {
        take_in(reader, sender, line, number, up).await;
        pending().await
    };
    tokio::select! {
        () = give_out => {}
        () = take_in => {}
    }
}

/// Exactly, and at once where it is over: what arrives late is read as a longer line.
async fn wait_until(at: Instant) {
    if at > Instant::now() + TIMER {
        sleep_until(at - TIMER).await;
    }
    let rest = at.saturating_duration_since(Instant::now());
    if !rest.is_zero() {
        // The thread is the proxy's own; other connections are late by no more than this.
        std::thread::sleep(rest);
    }
}

async fn take_in(
    mut reader: ReadHalf<'_>,
    sender: mpsc::UnboundedSender<(Instant, Bytes)>,
    line: &Line,
    number: u64,
    up: bool,
) {
    let mut buffer = BytesMut::new();
    loop {
        if buffer.capacity() < CHUNK {
            buffer.reserve(ROOM);
        }
        // During a stall the kernel's buffers fill up, and then the sender's writes hang.
        line.flowing(number).await;
        match reader.read_buf(&mut buffer).await {
            Ok(1..) => {
                if up && line.answered.swap(false, Ordering::SeqCst) {
                    line.flights.fetch_add(1, Ordering::SeqCst);
                }
                while !buffer.is_empty() {
                    let len = if up { line.gulp() } else { CHUNK }.min(buffer.len());
                    if up {
                        // Nothing more is read meanwhile: the client's writes wait.
                        let through = line.occupy(len);
                        if through > Instant::now() {
                            sleep_until(through).await;
                        }
                    }
                    let at = Instant::now() + *line.delay.borrow();
                    if sender.send((at, buffer.split_to(len).freeze())).is_err() {
                        return;
                    }
                }
            }
            Ok(0) | Err(_) => return,
        }
    }
}

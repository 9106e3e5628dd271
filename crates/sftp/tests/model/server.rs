//! A model of a server: one file, as far as it was written, and answers by a script.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf, split};
use tokio::time::{sleep, timeout};

use crate::script::{Answer, Carried, Script};

const INIT: u8 = 1;
const OPEN: u8 = 3;
const CLOSE: u8 = 4;
const WRITE: u8 = 6;
const FSTAT: u8 = 8;
const STAT: u8 = 17;
const EXTENDED: u8 = 200;

const VERSION: u8 = 2;
const STATUS: u8 = 101;
const HANDLE: u8 = 102;
const ATTRS: u8 = 105;
const EXTENDED_REPLY: u8 = 201;

/// The file. STAT of a name that is a number answers that number, so that an answer to another request shows.
pub(crate) const FILE: &str = "file";

/// A request that others may overtake is carried out when so long none has come: its client waits for the answer.
const MOMENT: Duration = Duration::from_millis(10);

/// A stream on which nothing comes is ended by the layer below, which is all that ends the wait for a CLOSE.
const KEEPALIVE: Duration = Duration::from_secs(120);

/// The one file of a server, whatever its connections.
#[derive(Debug, Default)]
pub(crate) struct Store {
    pub(crate) bytes: Vec<u8>,
    /// How often each byte was written.
    pub(crate) times: Vec<u8>,
    /// Offset and length of each write that was answered with OK.
    acknowledged: BTreeMap<u64, u64>,
    /// What a client may blame.
    pub(crate) faults: Vec<&'static str>,
    /// Whether less was stored of a write than was acknowledged.
    pub(crate) has_lied: bool,
    /// How often the file was removed.
    removals: u32,
}

impl Store {
    /// Up to where the server has said OK without a gap.
    pub(crate) fn acknowledged(&self) -> u64 {
        let mut end = 0;
        for (offset, length) in &self.acknowledged {
            if *offset > end {
                break;
            }
            end = end.max(offset + length);
        }
        end
    }

    /// The file is removed; handles that are open on it stay so, and write to what has no name any more.
    pub(crate) fn remove(&mut self) {
        self.bytes.clear();
        self.times.clear();
        self.acknowledged.clear();
        self.removals += 1;
    }

    fn write(&mut self, offset: usize, data: &[u8]) {
        let end = offset + data.len();
        if self.bytes.len() < end {
            self.bytes.resize(end, 0);
            self.times.resize(end, 0);
        }
        self.bytes[offset..end].copy_from_slice(data);
        for times in &mut self.times[offset..end] {
            *times = times.saturating_add(1);
        }
    }
}

pub(crate) type Shared = Arc<Mutex<Store>>;

pub(crate) fn lock(store: &Shared) -> MutexGuard<'_, Store> {
    store.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One channel of it.
pub(crate) struct Server {
    script: Script,
    answers: VecDeque<Answer>,
    store: Shared,
    reader: ReadHalf<DuplexStream>,
    writer: WriteHalf<DuplexStream>,
    received: BytesMut,
    /// Requests that wait until so many others have come.
    behind: Vec<(usize, Vec<u8>)>,
    /// Which file its handle is of, by the number of those removed before.
    opened: u32,
}

/// Nothing more is said.
struct Over;

impl Server {
    pub(crate) fn new(stream: DuplexStream, mut script: Script, store: Shared) -> Self {
        let (reader, writer) = split(stream);
        Self {
            answers: std::mem::take(&mut script.answers).into(),
            script,
            store,
            reader,
            writer,
            received: BytesMut::new(),
            behind: Vec::new(),
            opened: 0,
        }
    }

    pub(crate) async fn run(mut self) {
        loop {
            if let Some(packet) = self.packet() {
                if self.request(packet).await.is_err() {
                    return;
                }
                continue;
            }
            let receiving = self.reader.read_buf(&mut self.received);
            let received = if self.behind.is_empty() {
                receiving.await
            } else if let Ok(received) = timeout(MOMENT, receiving).await {
                received
            } else {
                if self.let_through(usize::MAX).await.is_err() {
                    return;
                }
                continue;
            };
            if !received.is_ok_and(|bytes| bytes > 0) {
                return;
            }
        }
    }

    fn packet(&mut self) -> Option<Vec<u8>> {
        let length = u32::from_be_bytes(*self.received.first_chunk()?) as usize;
        if self.received.len() < 4 + length {
            return None;
        }
        self.received.advance(4);
        Some(self.received.split_to(length).to_vec())
    }

    async fn request(&mut self, packet: Vec<u8>) -> Result<(), Over> {
        if packet[0] == INIT {
            let mut rest = Vec::new();
            if self.script.write_length.is_some() {
                rest = [string(b"limits@openssh.com"), string(b"1")].concat();
            }
            return self.send(&framed(VERSION, 3, &rest)).await;
        }
        for (by, _) in &mut self.behind {
            *by -= 1;
        }
        // What the file is like is asked behind what was written of it.
        if matches!(packet[0], CLOSE | STAT | FSTAT) {
            self.let_through(usize::MAX).await?;
        }
        let id = id_of(&packet);
        match self.answers.pop_front().unwrap_or(Answer::Honest) {
            Answer::Honest => self.answer(&packet).await?,
            Answer::Late(millis) => {
                if millis >= 30_000 {
                    self.blame("late beyond the stall time-out");
                }
                sleep(Duration::from_millis(millis)).await;
                self.answer(&packet).await?;
            }
            Answer::Behind(by) => self.behind.push((by, packet)),
            Answer::Refused(code) => {
                self.blame("refused");
                let refusal = framed(STATUS, id, &code.to_be_bytes());
                self.send(&refusal).await?;
            }
            Answer::Cut(carried) => {
                self.blame("cut");
                if carried == Carried::Out {
                    // What it would say, nobody hears.
                    self.carry_out(&packet, false);
                }
                return Err(Over);
            }
            Answer::Silent => {
                self.blame("silent");
                let mut space = [0; 4096];
                // Whatever comes.
                let listening =
                    async { while self.reader.read(&mut space).await.is_ok_and(|it| it > 0) {} };
                if packet[0] == CLOSE {
                    timeout(KEEPALIVE, listening).await.ok();
                } else {
                    listening.await;
                }
                return Err(Over);
            }
            Answer::Half => {
                self.blame("half an answer");
                let answer = self.carry_out(&packet, false);
                self.send(&answer[..answer.len() / 2]).await?;
                return Err(Over);
            }
            Answer::Twice => {
                self.blame("answered twice");
                let answer = self.carry_out(&packet, true);
                self.send(&[&answer[..], &answer].concat()).await?;
            }
            Answer::OtherType => {
                self.blame("an answer of another type");
                let other = framed(104, id, &[0; 4]);
                self.send(&other).await?;
            }
            Answer::Garbage => {
                self.blame("garbage");
                self.send(&[0xff; 64]).await?;
            }
        }
        self.let_through(0).await
    }

    fn blame(&self, fault: &'static str) {
        lock(&self.store).faults.push(fault);
    }

    /// Those that wait for no more than so many others, the latest first.
    async fn let_through(&mut self, by: usize) -> Result<(), Over> {
        while let Some(last) = self.behind.iter().rposition(|it| it.0 <= by) {
            let (_, packet) = self.behind.remove(last);
            self.answer(&packet).await?;
        }
        Ok(())
    }

    async fn answer(&mut self, packet: &[u8]) -> Result<(), Over> {
        let answer = self.carry_out(packet, true);
        self.send(&answer).await
    }

    fn carry_out(&mut self, packet: &[u8], is_told: bool) -> Vec<u8> {
        let (kind, id, mut rest) = (packet[0], id_of(packet), &packet[5..]);
        let name = take_string(&mut rest);
        let mut store = lock(&self.store);
        match kind {
            OPEN => {
                self.opened = store.removals;
                framed(HANDLE, id, &string(name))
            }
            WRITE if self.opened < store.removals => framed(STATUS, id, &[0; 4]),
            WRITE => {
                let (offset, mut data) = rest.split_at(8);
                let offset = u64::from_be_bytes(offset.try_into().expect("eight bytes"));
                let data = take_string(&mut data);
                let kept = self.script.keeps.unwrap_or(usize::MAX).min(data.len());
                if kept < data.len() {
                    store.faults.push("cut short");
                    store.has_lied = true;
                }
                store.write(usize::try_from(offset).expect("small"), &data[..kept]);
                if is_told {
                    // Another connection may have written from there before, in another length.
                    let length = store.acknowledged.entry(offset).or_default();
                    *length = (*length).max(data.len() as u64);
                }
                framed(STATUS, id, &[0; 4])
            }
            STAT | FSTAT => {
                let number = std::str::from_utf8(name)
                    .ok()
                    .and_then(|it| it.parse().ok());
                let size = number.unwrap_or(store.bytes.len() as u64);
                framed(
                    ATTRS,
                    id,
                    &[&[0, 0, 0, 1], &size.to_be_bytes()[..]].concat(),
                )
            }
            EXTENDED => {
                let length = self.script.write_length.unwrap_or(0).into();
                let told = [0_u64, 0, length, 0].map(u64::to_be_bytes);
                framed(EXTENDED_REPLY, id, &told.concat())
            }
            _ => framed(STATUS, id, &[0; 4]),
        }
    }

    async fn send(&mut self, bytes: &[u8]) -> Result<(), Over> {
        for piece in bytes.chunks(self.script.piece) {
            self.writer.write_all(piece).await.map_err(|_| Over)?;
        }
        Ok(())
    }
}

fn id_of(packet: &[u8]) -> u32 {
    u32::from_be_bytes(packet[1..5].try_into().expect("four bytes"))
}

fn framed(kind: u8, id: u32, rest: &[u8]) -> Vec<u8> {
    string(&[&[kind], &id.to_be_bytes()[..], rest].concat())
}

fn string(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).expect("short");
    [&length.to_be_bytes()[..], bytes].concat()
}

fn take_string<'a>(bytes: &mut &'a [u8]) -> &'a [u8] {
    let (length, rest) = bytes.split_first_chunk().expect("a string");
    let (string, rest) = rest.split_at(u32::from_be_bytes(*length) as usize);
    *bytes = rest;
    string
}

//! The other end: answers by a script, and remembers what it has said.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arbitrary::Arbitrary;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{sleep, timeout};

pub(crate) const OPEN: u8 = 3;
pub(crate) const CLOSE: u8 = 4;
pub(crate) const READ: u8 = 5;
pub(crate) const WRITE: u8 = 6;
pub(crate) const LSTAT: u8 = 7;
pub(crate) const FSTAT: u8 = 8;
pub(crate) const OPENDIR: u8 = 11;
pub(crate) const READDIR: u8 = 12;
pub(crate) const REMOVE: u8 = 13;
pub(crate) const MKDIR: u8 = 14;
pub(crate) const REALPATH: u8 = 16;
pub(crate) const STAT: u8 = 17;
pub(crate) const RENAME: u8 = 18;
/// `posix-rename@openssh.com` and `fsync@openssh.com`; the second has a handle and is told apart by that.
pub(crate) const EXTENDED: u8 = 200;

const STATUS: u8 = 101;
const HANDLE: u8 = 102;
const DATA: u8 = 103;
const NAME: u8 = 104;
const ATTRS: u8 = 105;
const EXTENDED_REPLY: u8 = 201;

/// A server that hears nothing for so long goes away.
const PATIENCE: Duration = Duration::from_secs(600);

/// The byte at an offset of every file.
pub(crate) fn ramp(offset: u64) -> u8 {
    (offset % 251) as u8
}

#[derive(Debug, Arbitrary)]
pub(crate) struct Script {
    version: Hello,
    has_limits: bool,
    has_others: bool,
    limits: [u64; 4],
    /// One for each request; honest ones behind the last.
    answers: Vec<Answer>,
    /// In what pieces the stream comes.
    piece: u16,
    /// The length of what is read.
    file: u16,
}

#[derive(Debug, Arbitrary)]
enum Hello {
    Three,
    Other(u32),
    Bytes(Vec<u8>),
    Nothing,
}

#[derive(Debug, Arbitrary)]
enum Answer {
    Honest,
    /// Behind the next ones.
    Later(u8),
    /// After so many milliseconds.
    Slow(u16),
    Silent,
    Status(u8, Vec<u8>),
    Twice,
    OtherId(u32),
    OtherType(u8, Vec<u8>),
    /// Of a READ: so many bytes, more than asked for too.
    Length(u16),
    /// Of a STAT.
    Size(u64),
    /// Bytes that are no packet.
    Bytes(Vec<u8>),
    /// Half of the answer, and the end.
    Cut,
    Close,
}

/// What the server has said.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// By type of request: how many were answered with what was hoped for.
    pub(crate) done: BTreeMap<u8, usize>,
    /// Offset and length of each WRITE that was answered with OK.
    pub(crate) written: BTreeMap<u64, u64>,
    /// Bytes were sent that may be any answer, so that nothing of this can be compared.
    pub(crate) is_garbled: bool,
}

impl Told {
    /// Up to where everything is acknowledged.
    pub(crate) fn acknowledged(&self) -> u64 {
        let mut end = 0;
        for (offset, length) in &self.written {
            if *offset > end {
                break;
            }
            end = end.max(offset + length);
        }
        end
    }
}

pub(crate) struct Server {
    script: Script,
    told: Arc<Mutex<Told>>,
    answers: VecDeque<Answer>,
    /// Every request so far, by its id.
    asked: BTreeMap<u32, Request>,
    /// What is sent behind so many further answers.
    held: Vec<(u8, Vec<u8>)>,
    size: u64,
}

/// Nothing more is said.
struct Over;

impl Server {
    pub(crate) fn new(mut script: Script) -> Self {
        let answers = std::mem::take(&mut script.answers).into();
        Self {
            script,
            told: Arc::default(),
            answers,
            asked: BTreeMap::new(),
            held: Vec::new(),
            size: 0,
        }
    }

    pub(crate) fn told(&self) -> Arc<Mutex<Told>> {
        Arc::clone(&self.told)
    }

    pub(crate) async fn run<R, W>(mut self, mut reader: R, mut writer: W)
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        while let Ok(Some(packet)) = timeout(PATIENCE, packet(&mut reader)).await {
            if self.answer(&packet, &mut writer).await.is_err() {
                return;
            }
        }
    }

    async fn answer<W: AsyncWrite + Unpin>(
        &mut self,
        packet: &[u8],
        writer: &mut W,
    ) -> Result<(), Over> {
        if packet[0] == 1 {
            let hello = self.hello();
            self.garble(matches!(self.script.version, Hello::Bytes(_)));
            return self.send(writer, &hello).await;
        }
        let request = Request::read(packet);
        let kind = request.kind;
        self.asked.insert(request.id, request);
        let honest = self.honest(&request);
        let id = request.id;
        match self.answers.pop_front().unwrap_or(Answer::Honest) {
            Answer::Honest => self.hoped_for(writer, &request, &honest).await?,
            Answer::Later(after) => {
                // It counts as said from here on: nobody knows it before it is.
                self.note(&request);
                self.held.push((after % 8, honest));
            }
            Answer::Slow(millis) => {
                sleep(Duration::from_millis(millis.into())).await;
                self.hoped_for(writer, &request, &honest).await?;
            }
            Answer::Silent => {}
            Answer::Status(code, message) => {
                let code = u32::from(code);
                if code == 0 {
                    self.note(&request);
                }
                let mut rest = code.to_be_bytes().to_vec();
                rest.extend(message);
                self.send(writer, &framed(STATUS, id, &rest)).await?;
            }
            Answer::Twice => {
                self.hoped_for(writer, &request, &honest).await?;
                self.send(writer, &honest).await?;
            }
            Answer::OtherId(id) => {
                // Perhaps that of another request, which then is answered.
                if let Some(other) = self.asked.get(&id) {
                    self.note(other);
                }
                self.garble(kind == READ);
                let mut honest = honest;
                honest[5..9].copy_from_slice(&id.to_be_bytes());
                self.send(writer, &honest).await?;
            }
            Answer::OtherType(other, rest) => {
                if other != STATUS {
                    self.garble(true);
                    self.send(writer, &framed(other, id, &rest)).await?;
                }
            }
            Answer::Length(length) if kind == READ => {
                let honest = framed(DATA, id, &string(&ramps(request.offset, length.into())));
                self.hoped_for(writer, &request, &honest).await?;
            }
            Answer::Size(size) if [STAT, FSTAT, LSTAT].contains(&kind) => {
                let honest = framed(ATTRS, id, &attributes(size));
                self.hoped_for(writer, &request, &honest).await?;
            }
            Answer::Length(_) | Answer::Size(_) => {
                self.hoped_for(writer, &request, &honest).await?
            }
            Answer::Bytes(bytes) => {
                self.garble(true);
                self.send(writer, &bytes).await?;
            }
            Answer::Cut => {
                self.send(writer, &honest[..honest.len() / 2]).await?;
                return Err(Over);
            }
            Answer::Close => return Err(Over),
        }
        for (after, _) in &mut self.held {
            *after = after.saturating_sub(1);
        }
        while let Some(due) = self.held.iter().position(|(after, _)| *after == 0) {
            let (_, answer) = self.held.remove(due);
            self.send(writer, &answer).await?;
        }
        Ok(())
    }

    async fn hoped_for<W: AsyncWrite + Unpin>(
        &mut self,
        writer: &mut W,
        request: &Request,
        answer: &[u8],
    ) -> Result<(), Over> {
        self.note(request);
        self.send(writer, answer).await
    }

    fn garble(&self, is_so: bool) {
        self.told.lock().expect("nobody panics with it").is_garbled |= is_so;
    }

    fn note(&self, request: &Request) {
        let mut told = self.told.lock().expect("nobody panics with it");
        *told.done.entry(request.kind).or_default() += 1;
        if request.kind == WRITE {
            let length = told.written.entry(request.offset).or_default();
            *length = (*length).max(request.length);
        }
    }

    async fn send<W: AsyncWrite + Unpin>(&self, writer: &mut W, bytes: &[u8]) -> Result<(), Over> {
        for piece in bytes.chunks(usize::from(self.script.piece).max(1)) {
            writer.write_all(piece).await.map_err(|_| Over)?;
        }
        Ok(())
    }

    fn hello(&self) -> Vec<u8> {
        let mut names = Vec::new();
        let mut list = |name: &str| names.extend([string(name.as_bytes()), string(b"1")].concat());
        if self.script.has_limits {
            list("limits@openssh.com");
        }
        if self.script.has_others {
            list("posix-rename@openssh.com");
            list("fsync@openssh.com");
        }
        match &self.script.version {
            Hello::Three => framed(2, 3, &names),
            Hello::Other(version) => framed(2, *version, &names),
            Hello::Bytes(bytes) => bytes.clone(),
            Hello::Nothing => Vec::new(),
        }
    }

    /// What a server would answer that means well.
    fn honest(&mut self, request: &Request) -> Vec<u8> {
        let id = request.id;
        let status = |code: u32| framed(STATUS, id, &code.to_be_bytes());
        match request.kind {
            OPEN | OPENDIR => framed(HANDLE, id, &string(&id.to_be_bytes())),
            WRITE => {
                self.size = self.size.max(request.offset + request.length);
                status(0)
            }
            READ => {
                let file = u64::from(self.script.file);
                match file.saturating_sub(request.offset).min(request.length) {
                    0 => status(1),
                    length => framed(DATA, id, &string(&ramps(request.offset, length))),
                }
            }
            STAT | FSTAT | LSTAT => framed(ATTRS, id, &attributes(self.size)),
            READDIR | REALPATH => {
                let name = [
                    string(b"a"),
                    string(b"-rw-r--r-- a"),
                    0_u32.to_be_bytes().to_vec(),
                ]
                .concat();
                framed(NAME, id, &[&1_u32.to_be_bytes()[..], &name].concat())
            }
            EXTENDED if request.is_limits => framed(
                EXTENDED_REPLY,
                id,
                &self.script.limits.map(u64::to_be_bytes).concat(),
            ),
            _ => status(0),
        }
    }
}

#[derive(Clone, Copy)]
struct Request {
    kind: u8,
    id: u32,
    offset: u64,
    length: u64,
    is_limits: bool,
}

impl Request {
    /// Checks what a client has to keep to, too.
    fn read(packet: &[u8]) -> Self {
        let number =
            |at: usize| u32::from_be_bytes(packet[at..at + 4].try_into().expect("four bytes"));
        let (kind, id) = (packet[0], number(1));
        let mut request = Self {
            kind,
            id,
            offset: 0,
            length: 0,
            is_limits: false,
        };
        let behind = 9 + if packet.len() >= 9 {
            number(5) as usize
        } else {
            0
        };
        match kind {
            READ | WRITE => {
                let offset = packet[behind..behind + 8].try_into().expect("eight bytes");
                request.offset = u64::from_be_bytes(offset);
                request.length = number(behind + 8).into();
            }
            EXTENDED => request.is_limits = &packet[9..behind] == b"limits@openssh.com",
            _ => {}
        }
        if kind == WRITE {
            let payload = &packet[behind + 12..];
            assert_eq!(payload.len() as u64, request.length);
            let expected = (request.offset..).map(ramp);
            assert!(
                payload.iter().copied().eq(expected.take(payload.len())),
                "bytes in their places"
            );
        }
        request
    }
}

async fn packet(reader: &mut (impl AsyncRead + Unpin)) -> Option<Vec<u8>> {
    let length = reader.read_u32().await.ok()?;
    assert!(
        (1..=300_000).contains(&length),
        "a client's packet of {length} bytes"
    );
    let mut packet = vec![0; length as usize];
    reader.read_exact(&mut packet).await.ok()?;
    Some(packet)
}

fn framed(kind: u8, id: u32, rest: &[u8]) -> Vec<u8> {
    let length = u32::try_from(5 + rest.len()).expect("short");
    [&length.to_be_bytes()[..], &[kind], &id.to_be_bytes(), rest].concat()
}

fn string(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).expect("short");
    [&length.to_be_bytes()[..], bytes].concat()
}

fn ramps(offset: u64, length: u64) -> Vec<u8> {
    (0..length).map(|at| ramp(offset + at)).collect()
}

fn attributes(size: u64) -> Vec<u8> {
    [&1_u32.to_be_bytes()[..], &size.to_be_bytes()].concat()
}

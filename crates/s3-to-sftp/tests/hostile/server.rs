//! A server that means well up to one step, and is hostile from there on.

use std::io;
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use aws_lc_rs::signature::Ed25519KeyPair;
use russh::keys::PublicKey;

use crate::files::{
    CLOSE, FSTAT, Files, INIT, OPEN, RENAME, Request, STAT, WRITE, take_number, take_string,
};
use crate::line::{DISCONNECT, IDENTIFICATION, Line, NEWKEYS, Over, exchange, kexinit, key_blob};

const SERVICE_REQUEST: u8 = 5;
const SERVICE_ACCEPT: u8 = 6;
const USERAUTH_REQUEST: u8 = 50;
const USERAUTH_FAILURE: u8 = 51;
const USERAUTH_SUCCESS: u8 = 52;
const GLOBAL_REQUEST: u8 = 80;
const REQUEST_FAILURE: u8 = 82;
const CHANNEL_OPEN: u8 = 90;
const CHANNEL_OPEN_CONFIRMATION: u8 = 91;
const CHANNEL_WINDOW_ADJUST: u8 = 93;
const CHANNEL_DATA: u8 = 94;
const CHANNEL_CLOSE: u8 = 97;
const CHANNEL_REQUEST: u8 = 98;
const CHANNEL_SUCCESS: u8 = 99;

/// Bytes that the client may send on its channel before they are taken in.
const WINDOW: u32 = 2 * 1024 * 1024;

/// What the server is about to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Identification,
    KeyExchange,
    ExchangeReply,
    NewKeys,
    Service,
    Login,
    Channel,
    Subsystem,
    Version,
    Open,
    Write,
    Close,
    Stat,
    Rename,
    Fstat,
}

impl Step {
    fn of(kind: u8) -> Option<Self> {
        Some(match kind {
            INIT => Self::Version,
            OPEN => Self::Open,
            WRITE => Self::Write,
            CLOSE => Self::Close,
            STAT => Self::Stat,
            RENAME => Self::Rename,
            FSTAT => Self::Fstat,
            _ => return None,
        })
    }
}

/// What is due at the step.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Due {
    /// The SFTP request's; 0 before there are any.
    pub(crate) id: u32,
    /// How often the step was reached, over all connections.
    pub(crate) times: usize,
}

/// What the server does then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    AsDue,
    /// It has answered already.
    Nothing,
}

/// What it does in place of what is due, or before it. An error is the connection's end.
pub(crate) type Fault = fn(&mut Line, Due) -> io::Result<Then>;

/// What a server is like.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Script {
    pub(crate) step: Step,
    pub(crate) fault: Fault,
    pub(crate) compression: &'static str,
    pub(crate) are_files_read: bool,
}

impl Script {
    pub(crate) fn new(step: Step, fault: Fault) -> Self {
        Self {
            step,
            fault,
            compression: "none",
            are_files_read: true,
        }
    }
}

/// See the module. On a free port of loopback, until it is dropped.
pub(crate) struct Server {
    pub(crate) port: u16,
    pub(crate) host_key: String,
    shared: Arc<Shared>,
    listening: Option<JoinHandle<()>>,
}

struct Shared {
    script: Script,
    files: Files,
    host_key: Ed25519KeyPair,
    connections: Mutex<Vec<TcpStream>>,
    /// How often the step was reached.
    reached: Mutex<usize>,
    over: Arc<Over>,
    /// What the clients offered: their KEXINIT.
    offers: Mutex<Vec<Vec<u8>>>,
}

impl Server {
    pub(crate) fn start(script: Script) -> Self {
        let host_key = Ed25519KeyPair::generate().expect("a key can be made");
        let blob = key_blob(&host_key);
        let public = PublicKey::from_bytes(&blob).expect("it is a key");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port of loopback");
        let address = listener
            .local_addr()
            .expect("a bound socket has an address");
        let shared = Arc::new(Shared {
            script,
            files: Files::new(script.are_files_read),
            host_key,
            connections: Mutex::default(),
            reached: Mutex::default(),
            over: Arc::default(),
            offers: Mutex::default(),
        });
        let serving = Arc::clone(&shared);
        let listening = std::thread::spawn(move || serving.listen(&listener));
        Self {
            port: address.port(),
            host_key: public.to_openssh().expect("it has a text form"),
            shared,
            listening: Some(listening),
        }
    }

    pub(crate) fn files(&self) -> &Files {
        &self.shared.files
    }

    /// How often a connection got so far as to be treated badly.
    pub(crate) fn reached(&self) -> usize {
        *lock(&self.shared.reached)
    }

    /// What the first client offered of the kind that has this place in KEXINIT (RFC 4253, section 7.1).
    pub(crate) fn offered(&self, place: usize) -> String {
        let offers = lock(&self.shared.offers);
        // The type and the cookie come before.
        let mut rest = &offers.first().expect("one has connected")[17..];
        let lists = std::iter::repeat_with(|| take_string(&mut rest));
        let list = lists.into_iter().nth(place).expect("there are ten");
        String::from_utf8(list.to_vec()).expect("it is ASCII")
    }

    pub(crate) fn connections(&self) -> usize {
        lock(&self.shared.connections).len()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.over.set();
        // Wakes whoever accepts.
        TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).ok();
        for connection in lock(&self.shared.connections).iter() {
            connection.shutdown(Shutdown::Both).ok();
        }
        if let Some(listening) = self.listening.take() {
            // A panic in it has been seen already.
            listening.join().ok();
        }
    }
}

impl Shared {
    fn listen(self: &Arc<Self>, listener: &TcpListener) {
        let mut serving = Vec::new();
        for connection in listener.incoming() {
            if self.over.is_set() {
                break;
            }
            let Ok(connection) = connection else { continue };
            connection.set_nodelay(true).ok();
            let copy = connection.try_clone().expect("a socket can be held twice");
            lock(&self.connections).push(copy);
            let shared = Arc::clone(self);
            serving.push(std::thread::spawn(move || {
                let mut line = Line::new(connection, Arc::clone(&shared.over));
                // How a connection ends is the client's to judge.
                shared.serve(&mut line).ok();
                line.end();
            }));
        }
        for thread in serving {
            // As above.
            thread.join().ok();
        }
    }

    /// Does its worst, where this is the step for it.
    fn reach(&self, step: Step, line: &mut Line, id: u32) -> io::Result<Then> {
        if self.script.step != step {
            return Ok(Then::AsDue);
        }
        let times = {
            let mut reached = lock(&self.reached);
            *reached += 1;
            *reached
        };
        (self.script.fault)(line, Due { id, times })
    }

    fn serve(&self, line: &mut Line) -> io::Result<()> {
        self.reach(Step::Identification, line, 0)?;
        line.raw(&[IDENTIFICATION, b"\r\n"].concat())?;
        let identification = line.receive_identification()?;

        self.reach(Step::KeyExchange, line, 0)?;
        let ours = kexinit(self.script.compression);
        line.send(&ours)?;
        let theirs = line.receive()?;
        lock(&self.offers).push(theirs.clone());
        let begun = line.receive()?;
        self.reach(Step::ExchangeReply, line, 0)?;
        let half = take_string(&mut &begun[1..]).to_vec();
        let (reply, secrets) = exchange(&identification, &theirs, &ours, &half, &self.host_key);
        line.send(&reply)?;

        self.reach(Step::NewKeys, line, 0)?;
        line.send(&[NEWKEYS])?;
        line.seal(&secrets);
        let new_keys = line.receive()?;
        assert_eq!(new_keys, [NEWKEYS]);
        line.open(&secrets);
        self.encrypted(line)
    }

    fn encrypted(&self, line: &mut Line) -> io::Result<()> {
        let mut stream = Vec::new();
        loop {
            let packet = line.receive()?;
            let mut rest = &packet[1..];
            match packet[0] {
                SERVICE_REQUEST => {
                    self.reach(Step::Service, line, 0)?;
                    line.send(&[&[SERVICE_ACCEPT], rest].concat())?;
                }
                USERAUTH_REQUEST => {
                    let _user = take_string(&mut rest);
                    let _service = take_string(&mut rest);
                    if take_string(&mut rest) == b"password" {
                        self.reach(Step::Login, line, 0)?;
                        line.send(&[USERAUTH_SUCCESS])?;
                    } else {
                        let methods = [&[0, 0, 0, 8], &b"password"[..], &[0]].concat();
                        line.send(&[&[USERAUTH_FAILURE], &methods[..]].concat())?;
                    }
                }
                GLOBAL_REQUEST => {
                    let _name = take_string(&mut rest);
                    if rest[0] > 0 {
                        line.send(&[REQUEST_FAILURE])?;
                    }
                }
                CHANNEL_OPEN => {
                    let _kind = take_string(&mut rest);
                    line.channel = take_number(&mut rest);
                    self.reach(Step::Channel, line, 0)?;
                    let told = [line.channel, 0, WINDOW, 32 * 1024].map(u32::to_be_bytes);
                    line.send(&[&[CHANNEL_OPEN_CONFIRMATION], &told.concat()[..]].concat())?;
                }
                CHANNEL_REQUEST => {
                    self.reach(Step::Subsystem, line, 0)?;
                    let told = line.channel.to_be_bytes();
                    line.send(&[&[CHANNEL_SUCCESS], &told[..]].concat())?;
                }
                CHANNEL_DATA => {
                    let _channel = take_number(&mut rest);
                    let data = take_string(&mut rest);
                    let told = [line.channel.to_be_bytes(), crate::line::number(data.len())];
                    line.send(&[&[CHANNEL_WINDOW_ADJUST], &told.concat()[..]].concat())?;
                    stream.extend_from_slice(data);
                    self.requests(&mut stream, line)?;
                }
                CHANNEL_CLOSE => {
                    let told = line.channel.to_be_bytes();
                    line.send(&[&[CHANNEL_CLOSE], &told[..]].concat())?;
                }
                DISCONNECT => return Ok(()),
                _ => {}
            }
        }
    }

    /// Every whole request of SFTP in the stream.
    fn requests(&self, stream: &mut Vec<u8>, line: &mut Line) -> io::Result<()> {
        while let Some(length) = stream.first_chunk() {
            let end = 4 + u32::from_be_bytes(*length) as usize;
            if stream.len() < end {
                break;
            }
            let packet: Vec<u8> = stream.drain(..end).skip(4).collect();
            let request = Request::read(&packet);
            let then = match Step::of(request.kind) {
                Some(step) => self.reach(step, line, request.id)?,
                None => Then::AsDue,
            };
            if then == Then::AsDue {
                let answer = self.files.answer(&request);
                line.data(&answer)?;
            }
        }
        Ok(())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

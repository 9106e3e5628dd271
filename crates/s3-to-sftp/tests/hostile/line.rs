//! One connection, from the server's side: SSH's packets as RFC 4253 has them, and nothing that keeps to them.
//!
//! No SSH library: none would send what these servers send. There is one key exchange (`curve25519-sha256`), one type of key
//! and one cipher, which every client here offers.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::agreement::{EphemeralPrivateKey, UnparsedPublicKey, X25519, agree_ephemeral};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};

pub(crate) const IDENTIFICATION: &[u8] = b"SSH-2.0-hostile";

pub(crate) const DISCONNECT: u8 = 1;
const KEXINIT: u8 = 20;
pub(crate) const NEWKEYS: u8 = 21;
const KEX_ECDH_REPLY: u8 = 31;
const CHANNEL_DATA: u8 = 94;

/// The pace of a server that sends one byte at a time.
const DRIP: Duration = Duration::from_secs(1);

/// The tag behind a packet of AES-GCM (RFC 5647, section 7.3).
const TAG: usize = 16;

/// See the module.
pub(crate) struct Line {
    tcp: TcpStream,
    sending: Option<Keys>,
    receiving: Option<Keys>,
    /// From now on every byte takes a second.
    pub(crate) drips: bool,
    /// What the client calls its channel.
    pub(crate) channel: u32,
    over: Arc<Over>,
}

/// Whether the server goes.
#[derive(Debug, Default)]
pub(crate) struct Over {
    is_over: Mutex<bool>,
    changed: Condvar,
}

impl Over {
    pub(crate) fn set(&self) {
        *self.lock() = true;
        self.changed.notify_all();
    }

    pub(crate) fn is_set(&self) -> bool {
        *self.lock()
    }

    fn wait(&self) {
        let waited = self.changed.wait_while(self.lock(), |is_over| !*is_over);
        drop(waited);
    }

    fn lock(&self) -> MutexGuard<'_, bool> {
        self.is_over.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// AES-256-GCM in one direction: `aes256-gcm@openssh.com`.
struct Keys {
    key: LessSafeKey,
    nonce: [u8; 12],
}

impl Keys {
    fn next(&mut self) -> Nonce {
        let nonce = Nonce::assume_unique_for_key(self.nonce);
        // RFC 5647, section 7.1: the last eight bytes count packets.
        let counter = self.nonce[4..].try_into().expect("eight bytes");
        let counter = u64::from_be_bytes(counter).wrapping_add(1);
        self.nonce[4..].copy_from_slice(&counter.to_be_bytes());
        nonce
    }
}

impl Line {
    pub(crate) fn new(tcp: TcpStream, over: Arc<Over>) -> Self {
        Self {
            tcp,
            over,
            sending: None,
            receiving: None,
            drips: false,
            channel: 0,
        }
    }

    /// Bytes as they are, encrypted or not, framed or not.
    pub(crate) fn raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        if !self.drips {
            return self.tcp.write_all(bytes);
        }
        for byte in bytes {
            self.tcp.write_all(&[*byte])?;
            self.listen(Instant::now() + DRIP)?;
        }
        Ok(())
    }

    /// A moment, in which what the client sends is taken in.
    pub(crate) fn pause(&mut self) -> io::Result<()> {
        self.listen(Instant::now() + DRIP / 20)
    }

    /// Takes in what the client sends, and says nothing until then.
    fn listen(&mut self, until: Instant) -> io::Result<()> {
        let mut space = [0; 4096];
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return self.tcp.set_read_timeout(None);
            }
            self.tcp.set_read_timeout(Some(left))?;
            match self.tcp.read(&mut space) {
                Ok(0) => return Err(gone()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Takes in what the client sends, until it goes.
    pub(crate) fn be_silent(&mut self) -> io::Error {
        let mut space = [0; 4096];
        loop {
            match self.tcp.read(&mut space) {
                Ok(0) => return gone(),
                Ok(_) => {}
                Err(error) => return error,
            }
        }
    }

    /// Takes in nothing, until this server goes.
    pub(crate) fn be_deaf(&self) -> io::Error {
        self.over.wait();
        gone()
    }

    /// Closes the connection.
    pub(crate) fn end(&self) {
        // The client may have done so before.
        self.tcp.shutdown(Shutdown::Both).ok();
    }

    /// A packet, under the keys that hold by now.
    pub(crate) fn send(&mut self, payload: &[u8]) -> io::Result<()> {
        let packet = self.packet(payload);
        self.raw(&packet)
    }

    /// Its bytes.
    pub(crate) fn packet(&mut self, payload: &[u8]) -> Vec<u8> {
        // What is encrypted is padded alone, else with the length before it.
        let (block, outside) = match self.sending {
            Some(_) => (16, 0),
            None => (8, 4),
        };
        let mut padding = block - (outside + 1 + payload.len()) % block;
        if padding < 4 {
            padding += block;
        }
        let padding = u8::try_from(padding).expect("less than two blocks");
        let mut body = vec![padding];
        body.extend_from_slice(payload);
        body.resize(body.len() + usize::from(padding), 0);
        let length = number(body.len());
        if let Some(keys) = &mut self.sending {
            let nonce = keys.next();
            keys.key
                .seal_in_place_append_tag(nonce, Aad::from(length), &mut body)
                .expect("it is short enough");
        }
        [&length[..], &body].concat()
    }

    /// The client's next packet, without its padding.
    pub(crate) fn receive(&mut self) -> io::Result<Vec<u8>> {
        let mut length = [0; 4];
        self.tcp.read_exact(&mut length)?;
        let tag = if self.receiving.is_some() { TAG } else { 0 };
        let size = u32::from_be_bytes(length) as usize;
        assert!(size < 300_000, "a client's packet of {size} bytes");
        let mut body = vec![0; size + tag];
        self.tcp.read_exact(&mut body)?;
        if let Some(keys) = &mut self.receiving {
            let nonce = keys.next();
            let opened = keys
                .key
                .open_in_place(nonce, Aad::from(length), &mut body)
                .map_err(|_| io::Error::other("the client's packet is not authentic"))?;
            let opened = opened.len();
            body.truncate(opened);
        }
        let end = body.len() - usize::from(body[0]);
        Ok(body[1..end].to_vec())
    }

    /// The client's first line.
    pub(crate) fn receive_identification(&mut self) -> io::Result<Vec<u8>> {
        let mut line = Vec::new();
        let mut byte = [0];
        while byte != *b"\n" {
            self.tcp.read_exact(&mut byte)?;
            line.extend_from_slice(&byte);
        }
        Ok(line.trim_ascii_end().to_vec())
    }

    /// Bytes of the SFTP server, in one message or several.
    pub(crate) fn data(&mut self, bytes: &[u8]) -> io::Result<()> {
        for piece in bytes.chunks(32 * 1024) {
            let head = [&[CHANNEL_DATA][..], &self.channel.to_be_bytes()].concat();
            self.send(&[head, string(piece)].concat())?;
        }
        Ok(())
    }

    /// From here on what is sent is encrypted.
    pub(crate) fn seal(&mut self, secrets: &Secrets) {
        self.sending = Some(secrets.keys(b'B', b'D'));
    }

    /// From here on what is received is.
    pub(crate) fn open(&mut self, secrets: &Secrets) {
        self.receiving = Some(secrets.keys(b'A', b'C'));
    }
}

fn gone() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the client has gone")
}

/// KEXINIT: one algorithm of each kind, and `compression`.
pub(crate) fn kexinit(compression: &str) -> Vec<u8> {
    let lists = [
        "curve25519-sha256",
        "ssh-ed25519",
        "aes256-gcm@openssh.com",
        "aes256-gcm@openssh.com",
        "hmac-sha2-256",
        "hmac-sha2-256",
        compression,
        compression,
        "",
        "",
    ];
    let mut packet = vec![KEXINIT];
    packet.extend_from_slice(&[7; 16]);
    for list in lists {
        packet.extend(string(list.as_bytes()));
    }
    packet.extend_from_slice(&[0; 5]);
    packet
}

/// The answer to the client's half of the exchange (RFC 5656, section 4), and what both know behind it.
pub(crate) fn exchange(
    identification: &[u8],
    theirs: &[u8],
    ours: &[u8],
    half: &[u8],
    host_key: &Ed25519KeyPair,
) -> (Vec<u8>, Secrets) {
    let mine = EphemeralPrivateKey::generate(&X25519, &SystemRandom::new()).expect("a key");
    let public = mine.compute_public_key().expect("it has a public half");
    let peer = UnparsedPublicKey::new(&X25519, half);
    let shared = agree_ephemeral(mine, peer, (), |secret| Ok(mpint(secret)));
    let shared = shared.expect("the client's half is one");
    let blob = key_blob(host_key);
    let hashed = [
        string(identification),
        string(IDENTIFICATION),
        string(theirs),
        string(ours),
        string(&blob),
        string(half),
        string(public.as_ref()),
        shared.clone(),
    ];
    let hash = digest(&SHA256, &hashed.concat()).as_ref().to_vec();
    let signature = [
        string(b"ssh-ed25519"),
        string(host_key.sign(&hash).as_ref()),
    ]
    .concat();
    let reply = [
        vec![KEX_ECDH_REPLY],
        string(&blob),
        string(public.as_ref()),
        string(&signature),
    ];
    (reply.concat(), Secrets { shared, hash })
}

/// What the keys are made of (RFC 4253, section 7.2).
pub(crate) struct Secrets {
    shared: Vec<u8>,
    hash: Vec<u8>,
}

impl Secrets {
    fn keys(&self, nonce: u8, key: u8) -> Keys {
        let derive = |letter: u8| {
            let parts = [&self.shared[..], &self.hash, &[letter], &self.hash];
            digest(&SHA256, &parts.concat()).as_ref().to_vec()
        };
        let nonce = derive(nonce)[..12].try_into().expect("twelve bytes");
        let key = UnboundKey::new(&AES_256_GCM, &derive(key)).expect("32 bytes");
        Keys {
            key: LessSafeKey::new(key),
            nonce,
        }
    }
}

/// A host key as it is sent.
pub(crate) fn key_blob(key: &Ed25519KeyPair) -> Vec<u8> {
    [string(b"ssh-ed25519"), string(key.public_key().as_ref())].concat()
}

/// A string of RFC 4251, section 5.
pub(crate) fn string(bytes: &[u8]) -> Vec<u8> {
    [&number(bytes.len())[..], bytes].concat()
}

fn mpint(bytes: &[u8]) -> Vec<u8> {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    let bytes = &bytes[zeros..];
    match bytes.first() {
        Some(first) if *first >= 0x80 => string(&[&[0], bytes].concat()),
        _ => string(bytes),
    }
}

pub(crate) fn number(length: usize) -> [u8; 4] {
    u32::try_from(length).expect("short").to_be_bytes()
}

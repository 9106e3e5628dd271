//! Variations of the server.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use russh::keys::ssh_key::LineEnding;
use russh::keys::ssh_key::private::{Ed25519Keypair, KeypairData};
use russh::keys::{HashAlg, PrivateKey};
use russh::server::Config;
use russh::{MethodKind, MethodSet, Preferred, SshId};

use super::extensions::Extensions;
use super::hook::{Action, Hook};
use super::path::Root;
use super::record::Record;
use super::request::Request;
use super::server::{self, SftpServer};
use super::session::{Questions, Rules};
use crate::account::Account;
use crate::secrets;

/// What the server is like; everything has a default that resembles OpenSSH.
#[must_use = "nothing runs before `start`"]
pub struct Builder {
    username: String,
    password: Option<String>,
    questions: Option<Questions>,
    password_method: bool,
    public_key: bool,
    both: bool,
    reject: bool,
    keeps_list: bool,
    root: Option<PathBuf>,
    login_directory: String,
    extensions: Extensions,
    opaque_handles: bool,
    verify_ramp: bool,
    identification: String,
    auth_banner: Option<String>,
    host_key_seed: Option<u64>,
    host_keys: Vec<PrivateKey>,
    max_channels: usize,
    subsystem: bool,
    preferred: Option<Preferred>,
    window: u32,
    packet_size: u32,
    port: u16,
    hooks: Vec<Hook>,
}

impl Builder {
    pub(super) fn new() -> Self {
        Self {
            username: "acme".into(),
            password: Some(secrets::PASSWORD.into()),
            questions: None,
            password_method: true,
            public_key: true,
            both: false,
            reject: false,
            keeps_list: false,
            root: None,
            login_directory: "/".into(),
            extensions: Extensions::OPENSSH,
            opaque_handles: false,
            verify_ramp: false,
            identification: "SSH-2.0-testkit".into(),
            auth_banner: None,
            host_key_seed: None,
            host_keys: Vec::new(),
            // OpenSSH's MaxSessions.
            max_channels: 10,
            subsystem: true,
            preferred: None,
            window: 2 * 1024 * 1024,
            packet_size: 32 * 1024,
            port: 0,
            hooks: Vec::new(),
        }
    }

    /// The name of the one user; `acme` by default.
    pub fn user(mut self, name: &str) -> Self {
        self.username = name.into();
        self
    }

    /// The password, or none for a server that takes keys only; [`secrets::PASSWORD`] by default.
    pub fn password(mut self, password: Option<&str>) -> Self {
        self.password = password.map(Into::into);
        self
    }

    /// Takes no keys.
    pub fn no_public_key(mut self) -> Self {
        self.public_key = false;
        self
    }

    /// Asks for the password by keyboard-interactive, and does not take the method `password`.
    pub fn keyboard_interactive(mut self) -> Self {
        self.password_method = false;
        self.questions.get_or_insert_with(Questions::password);
        self
    }

    /// Asks for the password by keyboard-interactive as well, as OpenSSH with PAM does.
    pub fn also_keyboard_interactive(mut self) -> Self {
        self.questions.get_or_insert_with(Questions::password);
        self
    }

    /// What keyboard-interactive asks, round by round: a text, and whether the answer may be shown. Each is answered rightly by
    /// the password.
    pub fn questions(mut self, rounds: &[&[(&str, bool)]]) -> Self {
        self.questions = Some(Questions::new(rounds));
        self
    }

    /// A refusal lists all methods, as OpenSSH's does; without it the one that was refused is left out, as russh's servers do.
    pub fn keeps_list(mut self) -> Self {
        self.keeps_list = true;
        self
    }

    /// Wants the key *and* the password.
    pub fn requires_both(mut self) -> Self {
        self.both = true;
        self
    }

    /// Lets nobody in.
    pub fn reject_auth(mut self) -> Self {
        self.reject = true;
        self
    }

    /// A directory of this machine that clients see as `/`; by default a temporary one that goes with the server.
    pub fn home(mut self, directory: impl Into<PathBuf>) -> Self {
        self.root = Some(directory.into());
        self
    }

    /// Where clients begin, as they see it; it is made if it is not there. `/` by default.
    pub fn login_directory(mut self, path: &str) -> Self {
        self.login_directory = path.into();
        self
    }

    /// Which extensions the server has; OpenSSH's by default.
    pub fn extensions(mut self, extensions: Extensions) -> Self {
        self.extensions = extensions;
        self
    }

    /// Handles that are neither UTF-8 nor free of zero bytes. By default they are four bytes, as OpenSSH's.
    pub fn opaque_handles(mut self) -> Self {
        self.opaque_handles = true;
        self
    }

    /// Compares what is written with the ramp of [`crate::payload`] and stores none of it, so that a file of any size takes
    /// no room. Names, lengths, renames and removals are as ever, and READ answers what was written. Whether it was the
    /// ramp: [`SftpServer::written`].
    pub fn verify_ramp(mut self) -> Self {
        self.verify_ramp = true;
        self
    }

    /// The server's first line, such as `SSH-2.0-OpenSSH_9.2p1`, by which clients guess what it can.
    pub fn identification(mut self, line: &str) -> Self {
        self.identification = line.into();
        self
    }

    /// A text that the client is sent before it logs in.
    pub fn auth_banner(mut self, text: &str) -> Self {
        self.auth_banner = Some(text.into());
        self
    }

    /// The same host key in every run; without it each server has its own.
    pub fn host_key_seed(mut self, seed: u64) -> Self {
        self.host_key_seed = Some(seed);
        self
    }

    /// Host keys of any kind, in place of the ed25519 key; the first is the one that [`SftpServer::host_key`] shows.
    pub fn host_keys(mut self, keys: Vec<PrivateKey>) -> Self {
        self.host_keys = keys;
        self
    }

    /// How many channels a connection may have open; 10 by default.
    pub fn max_channels(mut self, channels: usize) -> Self {
        self.max_channels = channels;
        self
    }

    /// Has no SFTP: the login works, the subsystem is refused.
    pub fn no_subsystem(mut self) -> Self {
        self.subsystem = false;
        self
    }

    /// The algorithms offered, for old servers; russh's safe ones by default.
    pub fn algorithms(mut self, preferred: Preferred) -> Self {
        self.preferred = Some(preferred);
        self
    }

    /// Bytes that a channel may send before they are taken in; 2 MiB by default, as OpenSSH's.
    pub fn window(mut self, bytes: u32) -> Self {
        self.window = bytes;
        self
    }

    /// Bytes that one CHANNEL_DATA may hold; 32 KiB by default, as OpenSSH's (RFC 4254, section 5.1).
    pub fn packet_size(mut self, bytes: u32) -> Self {
        self.packet_size = bytes;
        self
    }

    /// A port that the test knows to be free, such as that of a server that was dropped: a partner that comes back.
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// A hook from the start: see [`SftpServer::hook`].
    pub fn hook(mut self, hook: impl Fn(&Request) -> Action + Send + Sync + 'static) -> Self {
        self.hooks.push(Box::new(hook));
        self
    }

    /// Starts the server on a free port of loopback.
    ///
    /// # Panics
    ///
    /// When the port cannot be bound or the directory cannot be made: the test cannot go on then.
    pub async fn start(self) -> SftpServer {
        secrets::record();
        let (temporary, disk) = match self.root {
            Some(directory) => (None, directory),
            None => {
                let temporary = tempfile::Builder::new()
                    .prefix("sftp-")
                    .tempdir()
                    .expect("a temporary directory");
                let path = temporary.path().to_owned();
                (Some(temporary), path)
            }
        };
        let root = Arc::new(Root::new(disk, &self.login_directory));
        std::fs::create_dir_all(root.home()).expect("the login directory can be made");

        let host_keys = match (self.host_keys, self.host_key_seed) {
            (keys, _) if !keys.is_empty() => keys,
            (_, Some(seed)) => vec![ed25519(seeded(seed))],
            (_, None) => vec![ed25519(rand::random())],
        };
        let user_key = self.public_key.then(|| ed25519(rand::random()));
        let host_key = host_keys[0].public_key();
        let facts = server::Facts {
            host_key: host_key
                .to_openssh()
                .expect("a generated key has a text form"),
            fingerprint: host_key.fingerprint(HashAlg::Sha256).to_string(),
            ramps: self.verify_ramp.then(Arc::default),
        };

        let mut methods = Vec::new();
        if self.public_key {
            methods.push(MethodKind::PublicKey);
        }
        let takes_password = self.password.is_some() && self.password_method;
        if takes_password {
            methods.push(MethodKind::Password);
        }
        if self.password.is_some() && self.questions.is_some() {
            methods.push(MethodKind::KeyboardInteractive);
        }
        let config = Config {
            server_id: SshId::Standard(self.identification.into()),
            methods: MethodSet::from(&methods[..]),
            // Real servers wait after a wrong password; tests need not.
            auth_rejection_time: Duration::ZERO,
            keys: host_keys,
            window_size: self.window,
            maximum_packet_size: self.packet_size,
            inactivity_timeout: None,
            preferred: self.preferred.unwrap_or_default(),
            nodelay: true,
            ..Config::default()
        };
        let account = Account {
            host: "127.0.0.1".into(),
            port: 0,
            username: self.username.clone(),
            password: self.password.clone(),
            private_key: user_key.as_ref().map(|key| {
                key.to_openssh(LineEnding::LF)
                    .expect("a generated key has a text form")
                    .to_string()
            }),
            host_key: facts.host_key.clone(),
            home: root.home(),
            dir: None,
        };
        if let Some(key) = &account.private_key {
            secrets::register(key);
        }
        let rules = Rules {
            ramps: facts.ramps.clone(),
            username: self.username,
            password: self.password,
            public_key: user_key.map(|key| key.public_key().clone()),
            takes_password,
            questions: self.questions,
            methods: methods.clone(),
            both: self.both,
            reject: self.reject,
            keeps_list: self.keeps_list,
            auth_banner: self.auth_banner,
            max_channels: self.max_channels,
            subsystem: self.subsystem,
            extensions: self.extensions,
            opaque_handles: self.opaque_handles,
            root,
        };
        let record = Arc::new(Record::default());
        for hook in self.hooks {
            record.hook(hook);
        }
        SftpServer::run(account, facts, config, rules, record, temporary, self.port)
    }
}

fn ed25519(seed: [u8; 32]) -> PrivateKey {
    PrivateKey::new(
        KeypairData::Ed25519(Ed25519Keypair::from_seed(&seed)),
        "testkit",
    )
    .expect("an ed25519 key of 32 bytes is a key")
}

fn seeded(seed: u64) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_be_bytes());
    bytes
}

//! The SSH side of one connection: login, channels, the `sftp` subsystem.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use russh::keys::PublicKey;
use russh::server::{
    Auth, ChannelOpenHandle, Handler, Msg, PublicKeyOffer, Response, Session, VerifiedPublicKey,
};
use russh::{Channel, ChannelId, ChannelOpenFailure, MethodKind, MethodSet};
use tokio_util::sync::CancellationToken;

use super::channel::SftpChannel;
use super::disk::Disk;
use super::extensions::Extensions;
use super::path::Root;
use super::ramp::Ramps;
use super::record::{Method, Record};

/// Who may log in, and to what.
pub(super) struct Rules {
    pub(super) username: String,
    pub(super) password: Option<String>,
    pub(super) public_key: Option<PublicKey>,
    /// The method `password`.
    pub(super) takes_password: bool,
    /// Keyboard-interactive.
    pub(super) questions: Option<Questions>,
    /// All that are offered.
    pub(super) methods: Vec<MethodKind>,
    /// Both key and password are needed.
    pub(super) both: bool,
    pub(super) reject: bool,
    pub(super) keeps_list: bool,
    pub(super) auth_banner: Option<String>,
    pub(super) max_channels: usize,
    pub(super) subsystem: bool,
    pub(super) extensions: Extensions,
    pub(super) opaque_handles: bool,
    /// Where files are compared and not stored.
    pub(super) ramps: Option<Arc<Ramps>>,
    pub(super) root: Arc<Root>,
}

/// What keyboard-interactive asks, round by round.
pub(super) struct Questions(Vec<Vec<Question>>);

type Question = (Cow<'static, str>, bool);

impl Questions {
    pub(super) fn new(rounds: &[&[(&str, bool)]]) -> Self {
        let own = |(text, echo): &(&str, bool)| (Cow::Owned((*text).to_owned()), *echo);
        Self(
            rounds
                .iter()
                .map(|round| round.iter().map(own).collect())
                .collect(),
        )
    }

    pub(super) fn password() -> Self {
        Self::new(&[&[("Password: ", false)]])
    }

    fn ask(&self, round: usize) -> Option<Auth> {
        let prompts = self.0.get(round)?.clone();
        Some(Auth::Partial {
            name: Cow::Borrowed(""),
            instructions: Cow::Borrowed(""),
            prompts: Cow::Owned(prompts),
        })
    }
}

/// One connection.
pub(super) struct Connection {
    rules: Arc<Rules>,
    record: Arc<Record>,
    cut: CancellationToken,
    number: u64,
    /// Proven so far, where both are needed.
    proven: Vec<MethodKind>,
    /// Of keyboard-interactive.
    round: usize,
    /// Open, and not yet a subsystem.
    waiting: HashMap<ChannelId, Channel<Msg>>,
    channels: usize,
}

impl Connection {
    pub(super) fn new(
        rules: Arc<Rules>,
        record: Arc<Record>,
        cut: CancellationToken,
        number: u64,
    ) -> Self {
        Self {
            rules,
            record,
            cut,
            number,
            proven: Vec::new(),
            round: 0,
            waiting: HashMap::new(),
            channels: 0,
        }
    }

    fn attempt(&mut self, user: &str, method: Method, right: bool) -> Auth {
        let right = right && !self.rules.reject && user == self.rules.username;
        self.record.login(user, method, right);
        if right {
            self.prove(method)
        } else {
            self.refuse()
        }
    }

    /// It is enough, or a half of what is needed.
    fn prove(&mut self, method: Method) -> Auth {
        let secret = if self.rules.takes_password {
            MethodKind::Password
        } else {
            MethodKind::KeyboardInteractive
        };
        self.proven.push(match method {
            Method::PublicKey => MethodKind::PublicKey,
            _ => secret,
        });
        let missing = [MethodKind::PublicKey, secret]
            .into_iter()
            .find(|kind| !self.proven.contains(kind));
        match missing {
            Some(missing) if self.rules.both => Auth::Reject {
                proceed_with_methods: Some(MethodSet::from(&[missing][..])),
                partial_success: true,
            },
            _ => Auth::Accept,
        }
    }

    fn refuse(&self) -> Auth {
        let all = || MethodSet::from(&self.rules.methods[..]);
        Auth::Reject {
            proceed_with_methods: self.rules.keeps_list.then(all),
            partial_success: false,
        }
    }
}

impl Handler for Connection {
    type Error = russh::Error;

    async fn authentication_banner(&mut self) -> Result<Option<String>, Self::Error> {
        Ok(self.rules.auth_banner.clone())
    }

    async fn auth_none(&mut self, user: &str) -> Result<Auth, Self::Error> {
        self.record.login(user, Method::None, false);
        Ok(Auth::reject())
    }

    async fn auth_password(&mut self, user: &str, password: &str) -> Result<Auth, Self::Error> {
        if !self.rules.takes_password {
            // Not looked at, as little as by a server that has no such method.
            self.record.login(user, Method::Password, false);
            return Ok(self.refuse());
        }
        let right = self.rules.password.as_deref() == Some(password);
        Ok(self.attempt(user, Method::Password, right))
    }

    async fn auth_publickey_offered(
        &mut self,
        user: &str,
        offer: PublicKeyOffer<'_>,
    ) -> Result<Auth, Self::Error> {
        let rules = &self.rules;
        let right = !rules.reject && user == rules.username && is_key(rules, offer.public_key);
        self.record.login(user, Method::PublicKeyOffer, right);
        Ok(if right { Auth::Accept } else { Auth::reject() })
    }

    async fn auth_publickey(
        &mut self,
        user: &str,
        key: VerifiedPublicKey<'_>,
    ) -> Result<Auth, Self::Error> {
        let right = is_key(&self.rules, key.public_key);
        Ok(self.attempt(user, Method::PublicKey, right))
    }

    async fn auth_keyboard_interactive<'a>(
        &'a mut self,
        user: &str,
        _submethods: &str,
        response: Option<Response<'a>>,
    ) -> Result<Auth, Self::Error> {
        let rules = Arc::clone(&self.rules);
        let Some(questions) = &rules.questions else {
            return Ok(Auth::UnsupportedMethod);
        };
        let Some(response) = response else {
            self.round = 0;
            return Ok(questions.ask(0).unwrap_or_else(Auth::reject));
        };
        let answers: Vec<_> = response.collect();
        let is_right =
            |answer: &[u8]| rules.password.as_ref().map(String::as_bytes) == Some(answer);
        let asked = questions.0.get(self.round).map_or(0, Vec::len);
        let right = answers.len() == asked && answers.iter().all(|answer| is_right(&answer[..]));
        if !right || rules.reject || user != rules.username {
            return Ok(self.attempt(user, Method::KeyboardInteractive, false));
        }
        if asked > 0 {
            self.record.login(user, Method::KeyboardInteractive, true);
        }
        self.round += 1;
        let next = questions.ask(self.round);
        Ok(next.unwrap_or_else(|| self.prove(Method::KeyboardInteractive)))
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        if self.channels >= self.rules.max_channels {
            self.record.refused_channel();
            // What OpenSSH answers beyond MaxSessions.
            reply.reject(ChannelOpenFailure::ConnectFailed).await;
            return Ok(());
        }
        self.channels += 1;
        self.waiting.insert(channel.id(), channel);
        reply.accept().await;
        Ok(())
    }

    async fn channel_close(
        &mut self,
        channel: ChannelId,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        self.waiting.remove(&channel);
        self.channels = self.channels.saturating_sub(1);
        Ok(())
    }

    async fn subsystem_request(
        &mut self,
        id: ChannelId,
        name: &str,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        if name != "sftp" || !self.rules.subsystem {
            return session.channel_failure(id);
        }
        let Some(channel) = self.waiting.remove(&id) else {
            return session.channel_failure(id);
        };
        let rules = &self.rules;
        let record = Arc::clone(&self.record);
        let sftp = SftpChannel {
            disk: Disk::new(
                Arc::clone(&rules.root),
                Arc::clone(&record),
                rules.extensions,
                rules.opaque_handles,
                rules.ramps.clone(),
            ),
            cut: self.cut.clone(),
            connection: self.number,
            number: record.next_channel(),
            is_frozen: false,
            overtaken: Vec::new(),
            record,
        };
        session.channel_success(id)?;
        tokio::spawn(sftp.serve(channel));
        Ok(())
    }

    async fn shell_request(
        &mut self,
        channel: ChannelId,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        session.channel_failure(channel)
    }

    async fn exec_request(
        &mut self,
        channel: ChannelId,
        _: &[u8],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        session.channel_failure(channel)
    }
}

fn is_key(rules: &Rules, key: &PublicKey) -> bool {
    rules
        .public_key
        .as_ref()
        .is_some_and(|known| known.key_data() == key.key_data())
}

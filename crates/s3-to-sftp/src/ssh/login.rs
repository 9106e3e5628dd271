//! The methods that are tried, and in which order.
//!
//! No question is asked before the first credential: a login takes as few round trips as it can. What the server answers
//! to that tells what it offers, and nothing that it does not offer is tried after it.

mod progress;
mod prompts;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::SystemTime;

use russh::client::{AuthResult, Handle, Handler, KeyboardInteractiveAuthResponse};
use russh::keys::{Algorithm, PrivateKeyWithHashAlg};
use russh::{MethodKind, MethodSet};

use super::algorithms::Algorithms;
use super::certificate::{Certificate, CertificateError, CertificateSigner, NotSigned};
use super::error::{ConnectError, LOGIN, ssh};
use super::farewell::Farewell;
use super::inquiry::Inquiry;
use super::private_key::PrivateKey;
use crate::secret::Secret;
pub(super) use progress::Progress;
use progress::Sent;

/// What an account logs in with.
#[derive(Debug, Clone, Default)]
pub struct Credentials {
    /// Offered first.
    pub private_key: Option<PrivateKey>,
    /// What the key is offered with, in place of the key alone.
    pub certificate: Option<Certificate>,
    /// Sent only where there is no key, or where the server still asks after the key.
    pub password: Option<Secret<String>>,
}

/// Which credentials a server has judged and not taken: they are not offered again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Refused {
    /// The private key.
    pub private_key: bool,
    /// The password.
    pub password: bool,
}

impl PartialEq for Credentials {
    fn eq(&self, other: &Self) -> bool {
        self.has_key_of(other) && self.has_password_of(other)
    }
}

impl Credentials {
    /// Whether a login at `now` could succeed, as far as that can be told here.
    ///
    /// # Errors
    ///
    /// Says why no server would take the certificate.
    pub fn check(&self, now: SystemTime) -> Result<(), CertificateError> {
        match (&self.certificate, &self.private_key) {
            (Some(certificate), Some(key)) => certificate.check(key, now),
            _ => Ok(()),
        }
    }

    /// Less what is the same as in `other`, and was refused there. None where nothing is left to offer.
    pub(crate) fn without(&self, other: &Self, refused: Refused) -> Option<Self> {
        let mut left = self.clone();
        if refused.private_key && self.has_key_of(other) {
            left.private_key = None;
            left.certificate = None;
        }
        if refused.password && self.has_password_of(other) {
            left.password = None;
        }
        (left.private_key.is_some() || left.password.is_some()).then_some(left)
    }

    fn has_key_of(&self, other: &Self) -> bool {
        // Who holds the public half proves the same with the private one.
        let key = |it: &Self| Some(it.private_key.as_ref()?.0.public_key().key_data().clone());
        key(self) == key(other) && self.certificate == other.certificate
    }

    fn has_password_of(&self, other: &Self) -> bool {
        match (&self.password, &other.password) {
            (Some(own), Some(other)) => own.expose() == other.expose(),
            (own, other) => own.is_none() && other.is_none(),
        }
    }
}

/// Why a login did not come to its end.
pub(super) enum LoginError {
    Connect(ConnectError),
    /// The server does not list `password` behind the one that it was sent: it may have judged it, and taken it off the
    /// list for that, or it has no such method. A connection that asks first will tell.
    Unclear(Progress),
}

impl From<ConnectError> for LoginError {
    fn from(error: ConnectError) -> Self {
        Self::Connect(error)
    }
}

/// A login that is under way.
pub(super) struct Login<'a, H: Handler> {
    pub(super) handle: &'a mut Handle<H>,
    pub(super) address: SocketAddr,
    pub(super) username: &'a str,
    pub(super) credentials: &'a Credentials,
    pub(super) algorithms: &'a Algorithms,
    pub(super) farewell: &'a Farewell,
    /// Who wants to know what is offered.
    pub(super) inquiry: Option<&'a Inquiry>,
    /// Whether the list of methods that comes with a refusal is always the whole one.
    pub(super) lists_all: bool,
}

/// What a method came to.
enum Answer {
    In,
    /// Not in, or not yet.
    More {
        offered: MethodSet,
        partial: bool,
    },
}

impl From<AuthResult> for Answer {
    fn from(result: AuthResult) -> Self {
        match result {
            AuthResult::Success => Self::In,
            AuthResult::Failure {
                remaining_methods: offered,
                partial_success: partial,
            } => Self::More { offered, partial },
        }
    }
}

impl<H: Handler> Login<'_, H> {
    /// Logs in; the methods by which that was, in order. A credential that the server refuses is not offered again.
    pub(super) async fn run(mut self, mut progress: Progress) -> Result<String, LoginError> {
        if progress.asks_first() {
            let answer = self.handle.authenticate_none(self.username).await;
            match self.answered(answer, &progress)? {
                Answer::In => return Ok("none".to_owned()),
                Answer::More { offered, .. } => progress.learn(offered),
            }
            if let Some(inquiry) = self.inquiry {
                inquiry.offers(progress.offered());
            }
        }
        while let Some(method) = progress.next() {
            let (answer, sent) = match method {
                MethodKind::PublicKey => (self.public_key(&mut progress).await?, Sent::Key),
                MethodKind::Password => (self.password(&mut progress).await?, Sent::Password),
                _ => self.keyboard_interactive(&mut progress).await?,
            };
            let Answer::More { offered, partial } = answer else {
                return Ok(progress.succeeded());
            };
            // russh reports a connection that ends during the login as a refusal without methods. A server
            // that refuses names at least one, or its refusal would be its end of the talk too.
            if offered.is_empty() && self.handle.is_closed() {
                progress.refuse(sent);
                return Err(self.ended(russh::Error::Disconnect, &progress).into());
            }
            let is_unclear = progress.judge(method, sent, offered, partial);
            if is_unclear && !self.lists_all && !progress.asks_first() {
                return Err(LoginError::Unclear(progress));
            }
        }
        Err(self.refused(&progress, None).into())
    }

    async fn public_key(&mut self, progress: &mut Progress) -> Result<Answer, ConnectError> {
        let Some(key) = &self.credentials.private_key else {
            return Err(self.refused(progress, None));
        };
        let algorithm = key.0.algorithm();
        let not_allowed = |by_server| ConnectError::KeyNotAllowed {
            address: self.address,
            key: algorithm.to_string(),
            allowed: self.algorithms.public_keys.to_string(),
            by_server,
        };
        if !self.algorithms.allows(&algorithm) {
            return Err(not_allowed(None));
        }
        let hash = if matches!(algorithm, Algorithm::Rsa { .. }) {
            let best = self.handle.best_supported_rsa_hash().await;
            let best = best.map_err(|source| self.ended(source, progress))?;
            let taken = || best.map(|hash| Algorithm::Rsa { hash }.to_string());
            self.algorithms
                .rsa_hash(best)
                .ok_or_else(|| not_allowed(taken()))?
        } else {
            None
        };
        if let Some(certificate) = &self.credentials.certificate {
            progress.tries(format!("publickey ({})", self.described(certificate)));
            let mut signer = CertificateSigner(key);
            let certificate = (*certificate.0).clone();
            let answer = self
                .handle
                .authenticate_certificate_with(self.username, certificate, hash, &mut signer)
                .await
                .map_err(|NotSigned(error)| error);
            return self.answered(answer, progress);
        }
        let key = PrivateKeyWithHashAlg::new(Arc::clone(&key.0), hash);
        progress.tries(format!("publickey ({})", key.algorithm()));
        let answer = self.handle.authenticate_publickey(self.username, key).await;
        self.answered(answer, progress)
    }

    fn described(&self, certificate: &Certificate) -> String {
        let mut text = certificate.description();
        if !certificate.names(self.username) {
            text += &format!(" and not for {}", self.username);
        }
        text
    }

    async fn password(&mut self, progress: &mut Progress) -> Result<Answer, ConnectError> {
        let Some(password) = &self.credentials.password else {
            return Err(self.refused(progress, None));
        };
        progress.tries("password".to_owned());
        let password = password.expose().as_str();
        let answer = self
            .handle
            .authenticate_password(self.username, password)
            .await;
        self.answered(answer, progress)
    }

    /// RFC 4256: rounds of prompts, any of which may have none.
    async fn keyboard_interactive(
        &mut self,
        progress: &mut Progress,
    ) -> Result<(Answer, Sent), ConnectError> {
        /// A server asks once or twice.
        const ROUNDS: usize = 10;
        progress.tries("keyboard-interactive".to_owned());
        let mut sent = Sent::Nothing;
        let mut reply = self
            .handle
            .authenticate_keyboard_interactive_start(self.username, None)
            .await;
        for _ in 0..ROUNDS {
            let reply_or_end = reply.map_err(|source| {
                progress.refuse(sent);
                self.ended(source, progress)
            });
            let prompts = match reply_or_end? {
                KeyboardInteractiveAuthResponse::Success => return Ok((Answer::In, sent)),
                KeyboardInteractiveAuthResponse::Failure {
                    remaining_methods: offered,
                    partial_success: partial,
                } => return Ok((Answer::More { offered, partial }, sent)),
                KeyboardInteractiveAuthResponse::InfoRequest {
                    name,
                    instructions,
                    prompts,
                } => prompts::Prompts {
                    texts: [name, instructions],
                    prompts,
                },
            };
            let password = self.credentials.password.as_ref();
            let is_spent = sent == Sent::Password || !progress.may_send_password();
            let answers = prompts.answers(self.username, password, is_spent);
            let answers = answers.map_err(|why| ConnectError::PromptNotAnswered {
                address: self.address,
                username: self.username.to_owned(),
                prompts: prompts.to_string(),
                why,
            })?;
            if !answers.is_empty() {
                sent = Sent::Password;
            }
            reply = self
                .handle
                .authenticate_keyboard_interactive_respond(answers)
                .await;
        }
        let endless = russh::Error::Inconsistent;
        Err(ssh(self.address, "the login, which never ends", endless))
    }

    fn answered(
        &self,
        answer: Result<AuthResult, russh::Error>,
        progress: &Progress,
    ) -> Result<Answer, ConnectError> {
        let answer = answer.map_err(|source| self.ended(source, progress))?;
        Ok(answer.into())
    }

    /// The connection ended, and perhaps the server said why: a refusal, if credentials have been sent.
    fn ended(&self, source: russh::Error, progress: &Progress) -> ConnectError {
        match self.farewell.said() {
            Some(said) if progress.has_tried() => self.refused(progress, Some(said)),
            Some(said) => ConnectError::Ended {
                address: self.address,
                step: LOGIN,
                said,
            },
            None => ssh(self.address, LOGIN, source),
        }
    }

    fn refused(&self, progress: &Progress, said: Option<String>) -> ConnectError {
        ConnectError::LoginRefused {
            address: self.address,
            username: self.username.to_owned(),
            tried: progress.tried(),
            answer: match said {
                Some(said) => format!("ended the connection, saying {said:?}"),
                None => format!("offers {}", progress.offered()),
            },
            missing: progress.missing(),
            refused: progress.refused(),
        }
    }
}

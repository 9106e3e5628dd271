//! What a server has made of the credentials so far, and what it can be offered next.

use russh::{MethodKind, MethodSet};

use super::{Credentials, Refused};

/// How far one credential is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// There is none.
    Missing,
    Fresh,
    /// It was sent, and the server did not look at it: it has no such method, or not yet.
    NotJudged,
    /// Taken, and the server wants more.
    Taken,
    Refused,
}

impl State {
    fn of<T>(credential: Option<&T>) -> Self {
        credential.map_or(Self::Missing, |_| Self::Fresh)
    }

    fn may_be_sent(self) -> bool {
        matches!(self, Self::Fresh | Self::NotJudged)
    }
}

/// What a method has sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sent {
    Key,
    Password,
    /// Questions of keyboard-interactive may all be empty, or never come.
    Nothing,
}

/// A login from its first request to its last, over two connections where one does not tell.
#[derive(Debug, Clone)]
pub(in crate::ssh) struct Progress {
    key: State,
    password: State,
    tried: Vec<String>,
    offered: Option<MethodSet>,
    /// Methods that were tried since the server last took something: none of them is tried again.
    since_taken: Vec<MethodKind>,
    /// Whether the server took something and wants more.
    is_partial: bool,
    asks_first: bool,
}

impl Progress {
    pub(in crate::ssh) fn new(credentials: &Credentials) -> Self {
        Self {
            key: State::of(credentials.private_key.as_ref()),
            password: State::of(credentials.password.as_ref()),
            tried: Vec::new(),
            offered: None,
            since_taken: Vec::new(),
            is_partial: false,
            asks_first: false,
        }
    }

    /// The same login over another connection, which begins by asking what is offered. What was refused stays so; what
    /// was taken has to be proven again.
    pub(in crate::ssh) fn asking_first(mut self) -> Self {
        self.asks_first = true;
        self.is_partial = false;
        self.since_taken.clear();
        if self.key == State::Taken {
            self.key = State::Fresh;
        }
        self
    }

    pub(super) fn asks_first(&self) -> bool {
        self.asks_first
    }

    /// What is offered before anything was proven. Who offers `password` has judged the one that it was sent.
    pub(super) fn learn(&mut self, offered: MethodSet) {
        if self.password == State::NotJudged && offered.contains(&MethodKind::Password) {
            self.password = State::Refused;
        }
        self.offered = Some(offered);
    }

    /// The method that is tried next. A key before a password; a password by its own method, which takes one round trip
    /// less than questions and answers.
    pub(super) fn next(&self) -> Option<MethodKind> {
        let Some(offered) = &self.offered else {
            // Nothing is known yet.
            return if self.key == State::Fresh {
                Some(MethodKind::PublicKey)
            } else {
                (self.password == State::Fresh).then_some(MethodKind::Password)
            };
        };
        let is_open = |method| offered.contains(&method) && !self.since_taken.contains(&method);
        if self.key.may_be_sent() && is_open(MethodKind::PublicKey) {
            return Some(MethodKind::PublicKey);
        }
        if self.password.may_be_sent() && is_open(MethodKind::Password) {
            return Some(MethodKind::Password);
        }
        // Behind what was taken the questions are looked at in any case: the error shows them.
        let asks =
            self.password.may_be_sent() || (self.is_partial && self.password != State::Refused);
        (asks && is_open(MethodKind::KeyboardInteractive))
            .then_some(MethodKind::KeyboardInteractive)
    }

    pub(super) fn tries(&mut self, method: String) {
        self.tried.push(method);
    }

    /// Behind a login that was taken: the method that the server was content with, and what it had taken before.
    pub(super) fn succeeded(&self) -> String {
        let taken = if self.is_partial {
            self.tried.as_slice()
        } else {
            self.tried
                .last()
                .map(std::slice::from_ref)
                .unwrap_or_default()
        };
        taken.join(", then ")
    }

    pub(super) fn has_tried(&self) -> bool {
        !self.tried.is_empty()
    }

    pub(super) fn may_send_password(&self) -> bool {
        self.password.may_be_sent()
    }

    /// The server ended the connection when it was sent this.
    pub(super) fn refuse(&mut self, sent: Sent) {
        match sent {
            Sent::Key => self.key = State::Refused,
            Sent::Password => self.password = State::Refused,
            Sent::Nothing => {}
        }
    }

    /// Takes in what the server answered to a method. Whether it is unclear if the password has been judged.
    pub(super) fn judge(
        &mut self,
        method: MethodKind,
        sent: Sent,
        offered: MethodSet,
        partial: bool,
    ) -> bool {
        let was_listed = self.offered.as_ref().map(|before| before.contains(&method));
        let is_listed = offered.contains(&method);
        // One that the server still lists it has judged; one that it listed before and does not now, too.
        let state = if partial {
            State::Taken
        } else if is_listed || was_listed == Some(true) {
            State::Refused
        } else {
            State::NotJudged
        };
        match sent {
            Sent::Key => self.key = state,
            Sent::Password => self.password = state,
            Sent::Nothing => {}
        }
        if partial {
            self.since_taken.clear();
            self.is_partial = true;
            if let Some(tried) = self.tried.last_mut() {
                tried.push_str(", which it took");
            }
        } else {
            self.since_taken.push(method);
        }
        let is_unclear = sent == Sent::Password
            && state == State::NotJudged
            && offered.contains(&MethodKind::KeyboardInteractive);
        self.offered = Some(offered);
        is_unclear
    }

    /// What was tried; or, where none of it is offered, what was not.
    pub(super) fn tried(&self) -> String {
        if !self.tried.is_empty() {
            return self.tried.join(" and ");
        }
        let has = [(self.key, "the key"), (self.password, "the password")].into_iter();
        let has = has.filter(|(state, _)| *state != State::Missing);
        let names: Vec<_> = has.map(|(_, name)| name).collect();
        format!("{}, which was not sent", names.join(" and "))
    }

    pub(super) fn offered(&self) -> String {
        let methods: &[MethodKind] = self.offered.as_deref().unwrap_or_default();
        if methods.is_empty() {
            return "no method".to_owned();
        }
        let names = methods.iter().map(<&'static str>::from);
        names.collect::<Vec<_>>().join(", ")
    }

    /// What the server asks for behind what it took, and the settings do not have.
    pub(super) fn missing(&self) -> Option<&'static str> {
        let offered = self.offered.as_ref().filter(|_| self.is_partial)?;
        let asks = |method| offered.contains(&method);
        if self.password == State::Missing
            && (asks(MethodKind::Password) || asks(MethodKind::KeyboardInteractive))
        {
            Some("SSH_PASSWORD")
        } else if self.key == State::Missing && asks(MethodKind::PublicKey) {
            Some("SSH_PRIVATE_KEY")
        } else {
            None
        }
    }

    pub(super) fn refused(&self) -> Refused {
        Refused {
            private_key: self.key == State::Refused,
            password: self.password == State::Refused,
        }
    }
}

#[cfg(test)]
mod tests {
    use MethodKind::{KeyboardInteractive as Questions, Password, PublicKey as Key};

    use super::*;

    /// A login with these credentials, on a server whose answers are these: the methods that are tried.
    fn methods(key: bool, password: bool, answers: &[(&[MethodKind], bool)]) -> Vec<MethodKind> {
        let mut progress = Progress {
            key: State::of(key.then_some(&())),
            password: State::of(password.then_some(&())),
            ..Progress::new(&Credentials::default())
        };
        let mut tried = Vec::new();
        for (offered, partial) in answers {
            let Some(method) = progress.next() else { break };
            tried.push(method);
            let sent = match method {
                Key => Sent::Key,
                _ if progress.may_send_password() => Sent::Password,
                _ => Sent::Nothing,
            };
            progress.judge(method, sent, MethodSet::from(*offered), *partial);
        }
        tried.extend(progress.next());
        tried
    }

    #[test]
    fn what_is_tried_follows_what_the_server_offers() {
        const KEY_PASSWORD: &[MethodKind] = &[Key, Password];
        const ALL: &[MethodKind] = &[Key, Password, Questions];
        for (key, password, answers, expected) in [
            // A refused key, and the server takes passwords.
            (true, true, &[(ALL, false)][..], &[Key, Password][..]),
            // The password is refused: it is not sent by the other method.
            (true, true, &[(ALL, false), (ALL, false)], &[Key, Password]),
            (false, true, &[(ALL, false)], &[Password]),
            // Nor where the server takes the method off its list for that.
            (
                true,
                true,
                &[(ALL, false), (&[Key, Questions], false)],
                &[Key, Password],
            ),
            // A server that has questions alone did not look at the password.
            (
                false,
                true,
                &[(&[Questions], false)],
                &[Password, Questions],
            ),
            (
                false,
                true,
                &[(&[Questions], false), (&[Questions], false)],
                &[Password, Questions],
            ),
            // A password that the server does not ask for is not sent.
            (true, true, &[(&[Key], false)], &[Key]),
            (true, false, &[(ALL, false)], &[Key]),
            // Key and password, in either order.
            (true, true, &[(&[Password], true)], &[Key, Password]),
            (true, true, &[(&[Questions], true)], &[Key, Questions]),
            (
                true,
                true,
                &[(&[Password], false), (&[Key], true)],
                &[Key, Password, Key],
            ),
            // A password that was refused behind a key that was taken.
            (
                true,
                true,
                &[(KEY_PASSWORD, true), (KEY_PASSWORD, false)],
                &[Key, Password],
            ),
            // A second factor behind the password, or behind the key: its questions are looked at.
            (false, true, &[(&[Questions], true)], &[Password, Questions]),
            (true, false, &[(&[Questions], true)], &[Key, Questions]),
            // A second key is wanted, and there is none.
            (true, false, &[(&[Key], true)], &[Key]),
        ] {
            assert_eq!(methods(key, password, answers), expected, "{answers:?}");
        }
    }

    #[test]
    fn a_server_that_offers_passwords_has_judged_the_one_it_was_sent() {
        let sent = || {
            let mut progress = Progress {
                password: State::Fresh,
                ..Progress::new(&Credentials::default())
            };
            let questions = MethodSet::from(&[Questions][..]);
            assert!(progress.judge(Password, Sent::Password, questions, false));
            progress.asking_first()
        };
        let mut progress = sent();
        progress.learn(MethodSet::from(&[Password, Questions][..]));
        assert_eq!(progress.next(), None);
        assert!(progress.refused().password);
        let mut progress = sent();
        progress.learn(MethodSet::from(&[Questions][..]));
        assert_eq!(progress.next(), Some(Questions));
        assert!(!progress.refused().password);
    }
}

//! The questions of keyboard-interactive (RFC 4256). The password answers a single hidden one; nobody is there to answer
//! any other.

use std::fmt;

use russh::client::Prompt;

use crate::secret::Secret;
use crate::ssh::error::Unanswered;
use crate::ssh::foreign::said;

/// One round of questions.
pub(super) struct Prompts {
    /// A title and instructions.
    pub(super) texts: [String; 2],
    pub(super) prompts: Vec<Prompt>,
}

impl Prompts {
    /// The answer to each, or why there is none. `is_spent`: the password has been sent already.
    pub(super) fn answers(
        &self,
        username: &str,
        password: Option<&Secret<String>>,
        is_spent: bool,
    ) -> Result<Vec<String>, Unanswered> {
        let [prompt] = &self.prompts[..] else {
            return if self.prompts.is_empty() {
                // A round that only tells something is answered with nothing.
                Ok(Vec::new())
            } else {
                Err(Unanswered::Several)
            };
        };
        let words = words(&prompt.prompt, username);
        if asks_for_code(&words) {
            return Err(Unanswered::OneTimeCode);
        }
        if words.iter().any(|word| word == "new" || word == "retype") {
            return Err(Unanswered::NewPassword);
        }
        if prompt.echo {
            return Err(Unanswered::Shown);
        }
        let Some(password) = password else {
            return Err(Unanswered::NoPassword);
        };
        if is_spent {
            return Err(Unanswered::Again);
        }
        Ok(vec![password.expose().clone()])
    }
}

/// The questions as an error shows them.
impl fmt::Display for Prompts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// Of any more an error is not clearer.
        const MOST: usize = 5;
        for text in self.texts.iter().map(|text| said(text)) {
            if !text.is_empty() {
                write!(f, "{text:?}, ")?;
            }
        }
        for (index, prompt) in self.prompts.iter().take(MOST).enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            let way = if prompt.echo { "shown" } else { "hidden" };
            write!(f, "{separator}{:?} ({way})", said(&prompt.prompt))?;
        }
        match self.prompts.len().checked_sub(MOST) {
            Some(more @ 1..) => write!(f, " and {more} more"),
            _ => Ok(()),
        }
    }
}

/// The words of a prompt, without the account's name: `otp-upload` is asked for its password, too.
fn words(prompt: &str, username: &str) -> Vec<String> {
    let (mut words, name) = (split(prompt), split(username));
    if name.is_empty() {
        return words;
    }
    while let Some(at) = words.windows(name.len()).position(|it| *it == name[..]) {
        words.drain(at..at + name.len());
    }
    words
}

fn split(text: &str) -> Vec<String> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect()
}

/// What Google's and Microsoft's authenticators, OATH, RSA, Duo, Yubico and S/Key ask for. A password that is sent as a
/// code is a failed login, and shown to who may not be meant to see it.
fn asks_for_code(words: &[String]) -> bool {
    const WORDS: [&str; 12] = [
        "otp",
        "totp",
        "hotp",
        "token",
        "2fa",
        "mfa",
        "authenticator",
        "duo",
        "yubikey",
        "securid",
        "verification",
        "onetime",
    ];
    let is_pair = |pair: &[String]| match pair {
        [one, other] => matches!(
            (one.as_str(), other.as_str()),
            ("one", "time") | ("two", "factor") | ("second", "factor")
        ),
        _ => false,
    };
    // `passcode`, `Bestätigungscode`, `tokencode`.
    words
        .iter()
        .any(|word| WORDS.contains(&word.as_str()) || word.ends_with("code"))
        || words.windows(2).any(is_pair)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(prompts: &[(&str, bool)]) -> Prompts {
        let prompt = |(text, echo): &(&str, bool)| Prompt {
            prompt: (*text).to_owned(),
            echo: *echo,
        };
        Prompts {
            texts: [String::new(), String::new()],
            prompts: prompts.iter().map(prompt).collect(),
        }
    }

    fn answers(prompts: &[(&str, bool)]) -> Result<Vec<String>, Unanswered> {
        let password = Secret::new("secret".to_owned());
        ask(prompts).answers("otp-upload", Some(&password), false)
    }

    #[test]
    fn the_password_answers_a_single_hidden_prompt() {
        for prompt in [
            "Password: ",
            "Password for otp-upload@sftp.example.com:",
            "(otp-upload@host) Password: ",
            "otp-upload's password:",
            "Passwort:",
            "Mot de passe : ",
            "パスワード:",
            "Passphrase",
            "",
        ] {
            assert_eq!(
                answers(&[(prompt, false)]).as_deref(),
                Ok(&["secret".to_owned()][..])
            );
        }
        assert_eq!(answers(&[]), Ok(Vec::new()));
    }

    #[test]
    fn nothing_else_is_answered() {
        for prompt in [
            "Verification code: ",
            "One-time password (OATH) for `otp-upload': ",
            "Enter PASSCODE:",
            "Passcode or option (1-3): ",
            "otp-md5 498 ke1234 ext\nResponse: ",
            "YubiKey for `otp-upload': ",
            "Bestätigungscode: ",
            "Token:",
            "Two-factor authentication:",
        ] {
            assert_eq!(
                answers(&[(prompt, false)]),
                Err(Unanswered::OneTimeCode),
                "{prompt}"
            );
        }
        for prompt in ["New password: ", "Retype new password: "] {
            assert_eq!(answers(&[(prompt, false)]), Err(Unanswered::NewPassword));
        }
        assert_eq!(answers(&[("Password: ", true)]), Err(Unanswered::Shown));
        let two = [("Password: ", false), ("Date of birth: ", true)];
        assert_eq!(answers(&two), Err(Unanswered::Several));
        let none = ask(&[("Password: ", false)]).answers("acme", None, false);
        assert_eq!(none, Err(Unanswered::NoPassword));
        let password = Secret::new("secret".to_owned());
        let again = ask(&[("Current password: ", false)]).answers("acme", Some(&password), true);
        assert_eq!(again, Err(Unanswered::Again));
    }

    #[test]
    fn prompts_are_shown_on_one_line() {
        let mut asked = ask(&[("Pass\u{1b}[2Jword:\r\n", false), ("Code: ", true)]);
        asked.texts[1] = "Two\nlines".to_owned();
        assert_eq!(
            asked.to_string(),
            r#""Two lines", "Pass [2Jword:" (hidden), "Code:" (shown)"#
        );
        let many = vec![("?", false); 1000];
        assert!(ask(&many).to_string().ends_with(" and 995 more"));
    }
}

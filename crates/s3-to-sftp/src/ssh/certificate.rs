//! OpenSSH user certificates: a public key that somebody whom the server trusts has signed.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use russh::keys::agent::AgentIdentity;
use russh::keys::signature::Signer as _;
use russh::keys::ssh_encoding::Encode;
use russh::keys::ssh_key::certificate::CertType;
use russh::keys::ssh_key::private::KeypairData;
use russh::keys::{HashAlg, ssh_key};
use russh::{SendError, Signer};
use time::OffsetDateTime;
use time::macros::format_description;

use super::foreign::unquoted;
use super::private_key::{PrivateKey, unescaped};

/// A certificate to log in with.
#[derive(Clone, PartialEq, Eq)]
pub struct Certificate(pub(super) Box<ssh_key::Certificate>);

/// Why a text is no certificate that a login could succeed with. A certificate is no secret, but what stands in its
/// place may be one: nothing of the text is held.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// Something else.
    #[error(
        "it is no OpenSSH certificate, which is a line like \"ssh-ed25519-cert-v01@openssh.com AAAA…\""
    )]
    None,
    /// The half that is to be signed.
    #[error("it is a public key that nobody has signed")]
    PublicKey,
    /// The half that nobody else should see.
    #[error("it is a private key")]
    PrivateKey,
    /// The kind that TLS uses.
    #[error("it is an X.509 certificate; SSH servers take those of OpenSSH")]
    X509,
    /// It begins like one.
    #[error("the certificate is cut short or damaged")]
    Damaged(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Of a server.
    #[error("it is a host's certificate; a user's is asked for")]
    Host,
    /// Of another pair.
    #[error("the certificate is for the key {certified}, and SSH_PRIVATE_KEY is {key}")]
    OtherKey {
        /// Whose key was signed.
        certified: String,
        /// The one that there is.
        key: String,
    },
    /// Its time is over.
    #[error("the certificate has expired: it was good until {0}")]
    Expired(String),
    /// Its time has not come.
    #[error("the certificate is not valid before {0}")]
    NotYet(String),
}

impl Certificate {
    /// Reads the first line that holds something.
    ///
    /// # Errors
    ///
    /// Says what the text is instead.
    pub fn parse(text: &str) -> Result<Self, CertificateError> {
        let text = unescaped(text);
        let line = text
            .lines()
            .map(str::trim)
            .find(|line| !line.is_empty() && !line.starts_with('#'))
            .unwrap_or_default();
        let kind = line.split_whitespace().next().unwrap_or_default();
        if !kind.ends_with("-cert-v01@openssh.com") {
            return Err(instead(kind, &text));
        }
        // ssh-key asks for exactly one blank between the words.
        let words: Vec<&str> = line.split_whitespace().take(2).collect();
        let certificate = ssh_key::Certificate::from_openssh(&words.join(" "))
            .map_err(|error| CertificateError::Damaged(unquoted(error)))?;
        match certificate.cert_type() {
            CertType::User => Ok(Self(Box::new(certificate))),
            CertType::Host => Err(CertificateError::Host),
        }
    }

    /// Whether a login by it and by `key` can succeed at `now`.
    ///
    /// # Errors
    ///
    /// Says why no server would take it.
    pub fn check(&self, key: &PrivateKey, now: SystemTime) -> Result<(), CertificateError> {
        let of = |data: &ssh_key::public::KeyData| data.fingerprint(HashAlg::Sha256).to_string();
        let key = key.0.public_key().key_data();
        if self.0.public_key() != key {
            return Err(CertificateError::OtherKey {
                certified: of(self.0.public_key()),
                key: of(key),
            });
        }
        let now = now.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        if self.0.valid_after() > now.as_secs() {
            return Err(CertificateError::NotYet(date(self.0.valid_after())));
        }
        if self.0.valid_before() <= now.as_secs() {
            return Err(CertificateError::Expired(date(self.0.valid_before())));
        }
        Ok(())
    }

    /// Whether it names this account. A server may know principals by other names (`AuthorizedPrincipalsFile`), so that
    /// one which does not may be taken all the same.
    pub fn names(&self, username: &str) -> bool {
        let principals = self.0.valid_principals();
        principals.iter().any(|it| it == username)
    }

    /// Its type, its key id, and whom it is for: what the CA wrote, on one line.
    pub fn description(&self) -> String {
        const MOST: usize = 5;
        let principals = self.0.valid_principals();
        let shown: Vec<String> = principals.iter().take(MOST).map(|it| shown(it)).collect();
        let principals = match principals.len() {
            0 => "nobody".to_owned(),
            len if len > MOST => format!("{} and {} more", shown.join(", "), len - MOST),
            _ => shown.join(", "),
        };
        format!(
            "{} {} for {principals}",
            self.0.algorithm().to_certificate_type(),
            shown_id(self.0.key_id()),
        )
    }
}

fn shown_id(id: &str) -> String {
    format!("\"{}\"", shown(id))
}

/// Words of somebody else, without what could break a line, and not endless.
fn shown(word: &str) -> String {
    word.escape_debug().take(80).collect()
}

fn instead(kind: &str, text: &str) -> CertificateError {
    if text.contains("PRIVATE KEY-----") || text.starts_with("PuTTY-User-Key-File-") {
        return CertificateError::PrivateKey;
    }
    if text.contains("-----BEGIN CERTIFICATE-----") {
        return CertificateError::X509;
    }
    if ["ssh-", "ecdsa-sha2-"]
        .iter()
        .any(|it| kind.starts_with(it))
    {
        return CertificateError::PublicKey;
    }
    CertificateError::None
}

/// Seconds since 1970 as people read them, in UTC.
fn date(seconds: u64) -> String {
    let form = format_description!("[year]-[month]-[day] [hour]:[minute]:[second] UTC");
    i64::try_from(seconds)
        .ok()
        .and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok())
        .and_then(|time| time.format(form).ok())
        .unwrap_or_else(|| format!("{seconds} s after 1970"))
}

impl std::fmt::Debug for Certificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Certificate({})", self.description())
    }
}

/// Signs a login by a certificate. russh has a method of its own for that, which offers an RSA key as `ssh-rsa` alone
/// (0.65.1, `authenticate_openssh_cert`); servers refuse that since OpenSSH 8.8.
pub(super) struct CertificateSigner<'a>(pub(super) &'a PrivateKey);

/// Why nothing was signed, or the signature did not get out.
pub(super) struct NotSigned(pub(super) russh::Error);

impl From<SendError> for NotSigned {
    fn from(_: SendError) -> Self {
        Self(russh::Error::SendError)
    }
}

impl Signer for CertificateSigner<'_> {
    type Error = NotSigned;

    async fn auth_sign(
        &mut self,
        _: &AgentIdentity,
        hash: Option<HashAlg>,
        mut request: Vec<u8>,
    ) -> Result<Vec<u8>, NotSigned> {
        let signature = match self.0.0.key_data() {
            KeypairData::Rsa(pair) => (pair, hash).try_sign(&request),
            pair => pair.try_sign(&request),
        };
        let signature = signature.map_err(|error| NotSigned(error.into()))?;
        // What was signed goes out, with the signature behind it as a string.
        signature
            .encode_prefixed(&mut request)
            .map_err(|error| NotSigned(error.into()))?;
        Ok(request)
    }
}

#[cfg(test)]
mod tests {
    use russh::keys::ssh_key::certificate::Builder;
    use russh::keys::ssh_key::private::{Ed25519Keypair, KeypairData};

    use super::*;
    use crate::secret::Secret;

    fn pair(seed: u8) -> ssh_key::PrivateKey {
        let pair = Ed25519Keypair::from_seed(&[seed; 32]);
        ssh_key::PrivateKey::new(KeypairData::Ed25519(pair), "").expect("a pair")
    }

    fn private(seed: u8) -> PrivateKey {
        let text = pair(seed).to_openssh(ssh_key::LineEnding::LF);
        let text = Secret::new(text.expect("it has a text").to_string());
        PrivateKey::parse(&text, None).expect("it is a key")
    }

    /// Of key 1, good from 1,000 s to 2,000 s after 1970.
    fn certificate(principals: &[&str]) -> String {
        let mut builder =
            Builder::new([9; 16], pair(1).public_key().key_data().clone(), 1000, 2000)
                .expect("a time");
        builder.key_id("a \"key\"\n").expect("an id");
        for principal in principals {
            builder.valid_principal(*principal).expect("a principal");
        }
        let signed = builder.sign(&pair(2)).expect("it is signed");
        signed.to_openssh().expect("it has a text")
    }

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn its_time_begins_with_one_second_and_ends_before_another() {
        let certificate = Certificate::parse(&certificate(&["acme"])).expect("it is one");
        for (seconds, is_good) in [(999, false), (1000, true), (1999, true), (2000, false)] {
            let result = certificate.check(&private(1), at(seconds));
            assert_eq!(result.is_ok(), is_good, "{seconds}: {result:?}");
        }
        let expired = certificate.check(&private(1), at(3000)).expect_err("over");
        assert_eq!(
            expired.to_string(),
            "the certificate has expired: it was good until 1970-01-01 00:33:20 UTC"
        );
    }

    #[test]
    fn no_error_shows_what_stands_in_the_place_of_its_type() {
        let text = "hunter2\u{1b}[m-cert-v01@openssh.com AAAA";
        let error = Certificate::parse(text).expect_err("no such type");
        let shown = format!("{error:?} {:?}", std::error::Error::source(&error));
        assert!(!shown.contains("hunter2"), "{shown}");
    }

    #[test]
    fn it_is_of_one_key() {
        let certificate = Certificate::parse(&certificate(&["acme"])).expect("it is one");
        let error = certificate.check(&private(3), at(1500));
        assert!(
            matches!(error, Err(CertificateError::OtherKey { .. })),
            "{error:?}"
        );
    }

    #[test]
    fn what_the_ca_wrote_is_shown_on_one_line_and_not_endlessly() {
        let many = ["a\nb", "2", "3", "4", "5", "6", "7"];
        let certificate = Certificate::parse(&certificate(&many)).expect("it is one");
        assert_eq!(
            certificate.description(),
            "ssh-ed25519-cert-v01@openssh.com \"a \\\"key\\\"\\n\" for a\\nb, 2, 3, 4, 5 and 2 more"
        );
        assert!(certificate.names("7") && !certificate.names("8"));
    }
}

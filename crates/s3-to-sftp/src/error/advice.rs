//! What whoever reads the message can do about it.

use std::borrow::Cow;

use sftp::StatusCode;

use super::Cause;
use crate::hand_over::RelayError;
use crate::secrets::{FetchError, SecretError};
use crate::source::SourceError;
use crate::ssh::algorithms::Kind;
use crate::ssh::certificate::CertificateError;
use crate::ssh::private_key::PrivateKeyError;
use crate::ssh::{ConnectError, KEY_EXCHANGE, Unanswered};

const SILENT: &str = "ask the partner whether its server, or a firewall before it, is overloaded; SSH_STALL_TIMEOUT is how \
                      long is waited";

impl Cause {
    /// The next step; none where the cause says all there is.
    pub(crate) fn next(&self) -> Option<Cow<'static, str>> {
        let next = match self {
            Self::Event(_) | Self::Path(_) | Self::OwnObject(_) | Self::Sweep(_) => return None,
            Self::Listing(_, SourceError::ListDenied(_)) => {
                "grant the function's role s3:ListBucket on the bucket"
            }
            Self::Listing(_, SourceError::NoSuchBucket(_)) => {
                "check the bucket's name, and the region"
            }
            Self::SourceNotDeleted(_) => {
                "grant the function's role s3:DeleteObject and s3:GetObject on the objects, and s3:ListBucket on the \
                 bucket without a condition (with S3_AFTER_DELIVERY=move:… s3:PutObject below the archive's prefix \
                 too); delete by hand what the log has a receipt of"
            }
            Self::SweepNotSent(RelayError::Denied { permission, .. }) => {
                return Some(Cow::Owned(format!(
                    "grant the function's role {permission}"
                )));
            }
            Self::OtherVersion { .. } => {
                "only current versions are delivered, for an older one must not replace a newer one: leave versions out of \
                 the manifest, or copy the old one to a key of its own"
            }
            Self::SecretUnavailable {
                setting, source, ..
            } => return of_secret(setting, source),
            Self::KeyUnusable { source, .. } => of_private_key(source),
            Self::CertificateUnusable { source, .. } => of_certificate(source),
            Self::HostKeysUnusable { .. } => {
                "correct what SSH_HOST_KEY, or HostKey in SSH_SECRET, holds; no connection was made"
            }
            Self::Connect { source, .. } => match **source {
                ConnectError::Name { .. } => {
                    "check SSH_HOST, and the DNS of the function's network"
                }
                ConnectError::Tcp(_) => {
                    "check SSH_HOST and SSH_PORT, the partner's allow-list, and the function's \
                     route to the internet"
                }
                ConnectError::NoBanner { .. } => "check that SSH_PORT is the port of an SSH server",
                ConnectError::HostKey(_) => {
                    "ask the partner whether the key was changed; if so, set SSH_HOST_KEY to the new \
                     one. No credential was sent"
                }
                ConnectError::HostKeyRevoked { .. } => {
                    "do not send anything there: ask the partner for the server's new key. No credential was sent"
                }
                ConnectError::HostCertificate { .. } => {
                    "ask the partner to renew the server's certificate, or pin the key itself in SSH_HOST_KEY. No \
                     credential was sent"
                }
                ConnectError::LoginRefused {
                    missing: Some(setting),
                    ..
                } => {
                    return Some(Cow::Owned(format!(
                        "set {setting}, for which the server asks as well"
                    )));
                }
                ConnectError::LoginRefused { .. } => {
                    "check SSH_USERNAME and the password or key, and ask the partner which login the \
                     account has"
                }
                ConnectError::SftpRefused { ref source, .. } if is_no_sftp(source.as_ref()) => {
                    "ask the partner what answers there in place of SFTP; the start-up files of an account have to be \
                     silent where there is no terminal"
                }
                ConnectError::SftpRefused { .. } => {
                    "ask the partner to enable SFTP for the account"
                }
                ConnectError::PromptNotAnswered { why, .. } => prompt(why),
                ConnectError::KeyNotAllowed { .. } => {
                    "use a key of another type; or, with an old server and an RSA key, set \
                     SSH_PUBKEY_ALGORITHMS=+ssh-rsa"
                }
                ConnectError::NoCommonAlgorithm { setting, .. } => {
                    return algorithm(setting?).map(Cow::Owned);
                }
                ConnectError::KeyExchange { smallest_group, .. } if smallest_group > 2048 => {
                    "if the server has small groups only, set \
                     SSH_KEX_ALGORITHMS=+diffie-hellman-group-exchange-sha256, which takes them from \
                     2048 bits on"
                }
                ConnectError::Silent { .. } => SILENT,
                ConnectError::Ended { .. } => {
                    "ask the partner what that means; one that counts connections needs a lower concurrency of the \
                     function"
                }
                ConnectError::Ssh {
                    step: KEY_EXCHANGE, ..
                } => {
                    "try again: a server that has too many connections hangs up like this; if it stays so, ask the \
                     partner what the server's log says, or lower the function's concurrency"
                }
                ConnectError::KeyExchange { .. } | ConnectError::Ssh { .. } => {
                    "try again; if it stays so, ask the partner what the server's log says"
                }
            },
            Self::SilentAgain => SILENT,
            Self::Source(SourceError::Denied(_)) => {
                "grant the function's role s3:GetObject (in a versioned bucket s3:GetObjectVersion \
                 too) on the object, and s3:ListBucket on the bucket to tell a deleted object from \
                 a denied one"
            }
            Self::Source(SourceError::DeleteDenied(_)) => {
                "grant the function's role s3:DeleteObject on the objects, and s3:GetObject: S3 asks for both where a delete \
                 has a condition"
            }
            Self::Source(SourceError::Archived(_)) => {
                "restore the object, then send its event again"
            }
            Self::Source(SourceError::Checksum { .. }) => {
                "upload the object again, from where it came; if that fails as well, what changes \
                 the bytes is between S3 and the function"
            }
            Self::Source(SourceError::NotArchivable(_)) => {
                "set S3_AFTER_DELIVERY to `delete` or `keep` for such objects, or move them by a \
                 lifecycle rule"
            }
            Self::Source(SourceError::ArchiveDenied(_)) => {
                "grant the function's role s3:PutObject and s3:GetObject below the archive's prefix \
                 (s3:PutObjectTagging and s3:GetObjectTagging too, where objects have tags)"
            }
            Self::Source(SourceError::ArchiveTaken(_)) => {
                "see what the archive has under these names, and move it away"
            }
            Self::Sftp { request, source }
                if request.starts_with("RENAME of") && source.status().is_some() =>
            {
                "ask the partner to allow renaming, or set SSH_UPLOAD=direct, which writes under the final name"
            }
            Self::Sftp { request, source }
                if request.starts_with("STAT of") && source.status().is_some() =>
            {
                "ask the partner to allow STAT, which SSH_ON_CONFLICT=skip and fail need to see whether a file is there, \
                 and so does a rename whose answer was lost"
            }
            Self::Sftp { request, source }
                if request.ends_with(", which is there") && source.status().is_some() =>
            {
                "the server does not let this account write over a file: set SSH_UPLOAD=temporary, which replaces it by a \
                 rename, or ask the partner to take the file away"
            }
            Self::Sftp { source, .. } if source.is(StatusCode::PERMISSION_DENIED) => {
                "ask the partner for write access to the directory, or set SSH_DIR"
            }
            Self::Sftp { source, .. } if source.is(StatusCode::NO_SUCH_FILE) => {
                "ask the partner whether the account may make directories, or correct SSH_DIR"
            }
            Self::Sftp { source, .. } if source.is(StatusCode::FAILURE) => {
                "ask the partner what the server's log says: a read-only account, a quota and a filter are usual reasons"
            }
            Self::NoDirectory(_) => "make the directory on the server, or correct SSH_DIR",
            Self::Size { .. } => {
                "ask the partner whether a quota, a full disk or a filter cuts files short"
            }
            Self::TemporaryGone(_) => {
                "the server takes files as soon as they are closed, whatever their name: set \
                 SSH_UPLOAD=direct, or ask the partner which names it leaves alone until they are \
                 renamed, and set SSH_TEMPORARY_NAME"
            }
            Self::Readback { .. } => {
                "ask the partner whether the server changes files (line ends, encryption), or set \
                 SSH_VERIFY=size"
            }
            Self::Conflict(_) => {
                "ask the partner to take the file away, or set SSH_ON_CONFLICT=replace"
            }
            Self::LongerFile(_) => "ask the partner to allow FSETSTAT, or to take the file away",
            Self::HandOver(RelayError::Denied { permission, .. }) => {
                return Some(Cow::Owned(format!(
                    "grant the function's role {permission}, or give the function more time"
                )));
            }
            Self::HandOver(RelayError::Failed(_)) => "give the function more time (its time-out)",
            Self::NoProgress { .. } => {
                "give the function more time (its time-out); if the server empties files when they \
                 are opened again, a transfer has to fit into one invocation"
            }
            Self::TemporaryLost(_) => {
                "ask the partner which names its server leaves alone until they are renamed, and set \
                 SSH_TEMPORARY_NAME"
            }
            Self::Source(SourceError::NoSuchBucket(_)) => {
                "check the bucket's name and the function's region"
            }
            Self::IsDirectory(_) => "rename one of the two, or set SSH_FILENAME",
            Self::Deadline => "give the function more time (its time-out), or smaller objects",
            _ => return None,
        };
        Some(Cow::Borrowed(next))
    }
}

/// Something answers, and it is not SFTP.
fn is_no_sftp(error: &(dyn std::error::Error + Send + Sync + 'static)) -> bool {
    matches!(error.downcast_ref(), Some(sftp::Error::Protocol(_)))
}

fn of_private_key(error: &PrivateKeyError) -> &'static str {
    use PrivateKeyError as Error;
    match error {
        Error::NoKey | Error::Empty | Error::OtherFile(_) => {
            "set SSH_PRIVATE_KEY to a private key (RSA, ECDSA or ed25519; OpenSSH, PEM or PuTTY format), or to \
             where one lies"
        }
        Error::PublicKey => {
            "set SSH_PRIVATE_KEY to the file without `.pub`; the public key is for the partner"
        }
        Error::Certificate => {
            "set SSH_CERTIFICATE to it, and SSH_PRIVATE_KEY to the private key that it is for"
        }
        Error::Format(_) => {
            "load it in PuTTYgen, without a certificate, and export it as an OpenSSH key, or save it anew; then set \
             SSH_PRIVATE_KEY to that"
        }
        Error::Type(_) | Error::SecurityKey => {
            "make a key pair of another type (`ssh-keygen -t ed25519`), give the partner its public key, and set \
             SSH_PRIVATE_KEY to the private one"
        }
        Error::RsaSize(_) => {
            "make a longer key pair (`ssh-keygen -t rsa -b 3072`), give the partner its public key, and set \
             SSH_PRIVATE_KEY to the private one; many servers refuse RSA below 2048 bits"
        }
        Error::CutShort(_) | Error::Damaged(_) | Error::Mac => {
            "store the whole file again, from its first line to its last, and see that SSH_PRIVATE_KEY means it"
        }
        Error::PassphraseMissing => {
            "set SSH_PASSPHRASE, or store the key without one (`ssh-keygen -p`)"
        }
        Error::PassphraseWrong => {
            "correct SSH_PASSPHRASE; look for a blank or a line break that was taken along"
        }
        Error::Encryption(_) => {
            "encrypt it anew (`ssh-keygen -p -f KEY`), and store that behind SSH_PRIVATE_KEY"
        }
        Error::Memory(_) | Error::Effort(_) | Error::TooSlow(_) => {
            "encrypt it anew with less effort (`ssh-keygen -p -a 16`; in PuTTYgen, the parameters for saving), or give \
             the function more memory, which makes it faster"
        }
    }
}

fn of_certificate(error: &CertificateError) -> &'static str {
    use CertificateError as Error;
    match error {
        Error::None | Error::X509 | Error::Damaged(_) => {
            "set SSH_CERTIFICATE to the content of the file `…-cert.pub` that the CA made, or to where it lies"
        }
        Error::PublicKey => {
            "have the CA sign it, and set SSH_CERTIFICATE to the file `…-cert.pub` that comes of it"
        }
        Error::PrivateKey => {
            "set SSH_PRIVATE_KEY to it, and SSH_CERTIFICATE to the certificate; whoever may read SSH_CERTIFICATE \
             has seen the key"
        }
        Error::Host => {
            "ask the CA for a user's certificate (`ssh-keygen -s` without `-h`), and set SSH_CERTIFICATE to that"
        }
        Error::OtherKey { .. } => {
            "set SSH_PRIVATE_KEY to the key that was signed, or have the public half of this one signed"
        }
        Error::Expired(_) => "ask the CA for a new one, and store it behind SSH_CERTIFICATE",
        Error::NotYet(_) => {
            "wait, or ask the CA for one that is valid now, and store it behind SSH_CERTIFICATE"
        }
    }
}
/// What a setting refers to.
fn of_secret(setting: &str, error: &FetchError) -> Option<Cow<'static, str>> {
    Some(Cow::Owned(match error {
        FetchError::S3(SourceError::Missing) => format!("put it there, or correct {setting}"),
        FetchError::S3(SourceError::Denied(_)) => {
            return Some(Cow::Borrowed(
                "grant the function's role s3:GetObject on it (and s3:ListBucket on the bucket, to tell a missing \
                 object from a denied one)",
            ));
        }
        FetchError::S3(SourceError::NoSuchBucket(_)) => {
            format!("check the bucket's name in {setting}, and the function's region")
        }
        FetchError::S3(_) => return None,
        FetchError::Store(error) => match error {
            SecretError::Denied { permission, .. } => {
                format!("grant the function's role {permission}")
            }
            SecretError::Undecryptable(_) => {
                "grant the function's role kms:Decrypt on the key that encrypts it, in the key's policy too where \
                 it is another account's"
                    .to_owned()
            }
            SecretError::NotFound(_) => {
                format!("make it, or correct {setting}: name, region and account")
            }
            SecretError::Deleted(_) => "restore it (secretsmanager:RestoreSecret), or name another".to_owned(),
            SecretError::Refused(_) => format!("correct {setting}"),
            SecretError::Failed(_) => {
                "see that the function's network reaches the service: through a NAT gateway, or by an interface \
                 endpoint of the VPC"
                    .to_owned()
            }
            SecretError::NotText => "store a text".to_owned(),
            SecretError::Empty => "store a value".to_owned(),
            SecretError::NotJson { .. } => {
                format!("leave out the `#` in {setting} and what follows, or store a JSON object")
            }
            SecretError::Json { .. } => {
                format!("name the field that is meant in {setting}: the ARN, `#`, and its name")
            }
            SecretError::NoFields => {
                "store {\"Username\":…,\"Password\":…} or {\"Username\":…,\"PrivateKey\":…}".to_owned()
            }
            SecretError::NoField { .. } => {
                format!("add the field, or correct {setting}; capital letters count")
            }
            SecretError::FieldNotText { .. } => "put its value into quotes".to_owned(),
            SecretError::NoCredential { .. } => {
                "add one of the two, or set SSH_PASSWORD or SSH_PRIVATE_KEY; capital letters count".to_owned()
            }
        },
    }))
}

fn prompt(why: Unanswered) -> &'static str {
    match why {
        Unanswered::OneTimeCode => {
            "ask the partner for a login without a one-time code, such as a private key, or to leave \
             the code out for the function's address"
        }
        Unanswered::NewPassword | Unanswered::Again => {
            "ask the partner whether the password has expired; change it, and set SSH_PASSWORD"
        }
        Unanswered::Shown | Unanswered::Several => {
            "ask the partner for a login by private key, or by password alone"
        }
        Unanswered::NoPassword => "set SSH_PASSWORD",
    }
}

fn algorithm((kind, name): (Kind, Option<&'static str>)) -> Option<String> {
    let setting = kind.setting();
    Some(match name {
        // Offered, but for what was set.
        Some(name) if kind.safe().contains(&name) => {
            format!(
                "{setting} leaves out all that the server has: take it away, or set it to +{name}"
            )
        }
        Some(name) => {
            format!("ask the partner for one that is current; until then, set {setting}=+{name}")
        }
        None => format!("ask the partner for one of ours; {setting} has no other"),
    })
}

//! What whoever reads the message can do about it.

use std::borrow::Cow;

use sftp::StatusCode;

use super::Cause;
use crate::hand_over::RelayError;
use crate::source::SourceError;
use crate::ssh::algorithms::Kind;
use crate::ssh::{ConnectError, Unanswered};

impl Cause {
    /// The next step; none where the cause says all there is.
    pub(super) fn next(&self) -> Option<Cow<'static, str>> {
        let next = match self {
            Self::Event(_) | Self::Path(_) | Self::OwnObject(_) => return None,
            Self::KeyUnavailable { source, .. } => match source {
                SourceError::Missing => "put the key there, or correct SSH_PRIVATE_KEY",
                SourceError::Denied(_) => {
                    "grant the function's role s3:GetObject on the key (and s3:ListBucket, to tell a \
                     missing key from a denied one)"
                }
                _ => return None,
            },
            Self::KeyUnusable { .. } => {
                "store an unencrypted private key in OpenSSH or PEM format (RSA, ECDSA or ed25519)"
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
                ConnectError::HostKey { .. } => {
                    "ask the partner whether the key was changed; if so, set SSH_HOST_KEY to the new \
                     one. No credential was sent"
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
                ConnectError::KeyExchange { .. }
                | ConnectError::Silent { .. }
                | ConnectError::Ended { .. }
                | ConnectError::Ssh { .. } => return None,
            },
            Self::Source(SourceError::Denied(_)) => {
                "grant the function's role s3:GetObject (in a versioned bucket s3:GetObjectVersion \
                 too) on the object, and s3:ListBucket on the bucket to tell a deleted object from \
                 a denied one"
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
            Self::Sftp { source, .. } if source.is(StatusCode::PERMISSION_DENIED) => {
                "ask the partner for write access to the directory, or set SSH_DIR"
            }
            Self::Sftp { source, .. } if source.is(StatusCode::NO_SUCH_FILE) => {
                "ask the partner whether the account may make directories, or correct SSH_DIR"
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
        Some(name) => {
            format!("ask the partner for one that is current; until then, set {setting}=+{name}")
        }
        None => format!("ask the partner for one of ours; {setting} has no other"),
    })
}

//! Whether a server is the pinned one: what it shows is judged; where it may have another key as well, that is asked for.

use std::net::SocketAddr;
use std::time::SystemTime;

use russh::keys::PublicKeyOrCertificate;

use super::connection::{Connection, Target};
use super::dial::Dialed;
use super::error::ConnectError;
use super::host_key::{Distrust, Pinned, describe};
use super::login::Credentials;
use super::mismatch::Mismatch;
use super::seen::HostKey;

/// Logs in as [`Connection::open`] does, over what was dialed or over a connection of its own.
///
/// A fingerprint does not tell the type of its key, and a server with several keys shows one: the others are asked for,
/// over a connection each, before it is given up. No credential is sent over any but the last one.
///
/// # Errors
///
/// The step that failed, with the address and the account.
pub async fn connect(
    target: &Target,
    credentials: &Credentials,
    mut dialed: Option<Dialed>,
) -> Result<Connection, ConnectError> {
    let mut target = target.clone();
    let mut shown: Option<Mismatch> = None;
    loop {
        // In a box: every delivery's future would hold all that a handshake needs, in several places.
        let opened = Box::pin(Connection::open(&target, credentials, dialed.take())).await;
        let error = match opened {
            Ok(connection) => {
                if shown.is_some() {
                    tell_type(&connection);
                }
                return Ok(connection);
            }
            Err(error) => error,
        };
        let all = match (error, shown) {
            (ConnectError::HostKey(further), Some(before)) => before.and(further),
            (ConnectError::HostKey(first), None) => first,
            // It has no key of another type, or it is gone.
            (error, Some(before)) if error.is_before_host_key() => {
                return Err(ConnectError::HostKey(before));
            }
            (error, _) => return Err(error),
        };
        match &mut target.host_keys {
            Some(pinned) if pinned.may_be_of_any_type() && !all.is_of_all_types() => {
                pinned.pass_over(&all.types);
                shown = Some(all);
            }
            _ => return Err(ConnectError::HostKey(all)),
        }
    }
}

fn tell_type(connection: &Connection) {
    tracing::info!(
        address = %connection.address(),
        "the server shows another key first than the one whose fingerprint is pinned; to spare connections, set \
         SSH_HOST_KEY to the key itself, or write the type before the fingerprint, like `ssh-rsa {}`",
        connection.host_key(),
    );
}

/// Decides before anything of ours is sent but the key exchange.
pub(super) fn judge(
    address: SocketAddr,
    expected: Option<&Pinned>,
    shown: &PublicKeyOrCertificate,
) -> Result<(), ConnectError> {
    let Some(expected) = expected else {
        return Ok(());
    };
    let Err(distrust) = expected.check(shown, SystemTime::now()) else {
        return Ok(());
    };
    let found = describe(shown);
    Err(match distrust {
        Distrust::Unknown => ConnectError::HostKey(Mismatch {
            address,
            found: vec![found],
            expected: expected.expected(),
            types: vec![shown.public_key().algorithm()],
        }),
        Distrust::Revoked => ConnectError::HostKeyRevoked { address, found },
        Distrust::Certificate(source) => ConnectError::HostCertificate {
            address,
            found,
            source,
        },
    })
}

/// The key is what to pin, and not its fingerprint: it tells its type, so that a server with several keys is asked for
/// this one. The fingerprint is what the partner can be asked about.
pub(super) fn warn_unpinned(address: SocketAddr, key: &HostKey) {
    tracing::warn!(
        %address,
        fingerprint = key.fingerprint,
        metric = "HostKeyNotPinned",
        "the host key is not pinned: any server would be trusted; compare the fingerprint with what the partner tells, \
         and to pin this key, set SSH_HOST_KEY={}",
        key.line,
    );
}

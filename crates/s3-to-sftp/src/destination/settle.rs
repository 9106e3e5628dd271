//! Whether a rename whose answer was lost has happened.
//!
//! Both mistakes are possible and not alike: a file taken for published that is not is a loss, a
//! published file that is sent again is a duplicate. So only evidence counts.

use sftp::{Attributes, Session};

use super::publish::is_same_file;
use super::verify::Verified;
use super::{Place, file_digest, present};
use crate::error::Cause;
use crate::rules::Rule;
use crate::source::Digest;

/// What became of a rename.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Settled {
    /// It has happened: the final name has our file.
    Published,
    /// It has not: the temporary is there.
    NotYet,
}

/// Looks at both names on a new connection. `size` and `own` are the object's length and the checksum
/// of what was read of it.
pub(crate) async fn settle(
    session: &Session,
    place: &Place<'_>,
    verified: &Verified,
    size: u64,
    own: &Digest,
) -> Result<Settled, Cause> {
    let (name, to) = (place.name.full.as_str(), place.path.full());
    let (temporary, now) = (session.stat(name), session.stat(to));
    let (temporary, now) = (temporary.await, now.await);
    // Where nothing was synced, a server that went down may have both names, and zeros in the file.
    let is_content_known = verified.is_synced || !place.rules.hold(Rule::ReadBackWhatIsGoneOnWith);
    if let Some(temporary) = present(name, temporary)? {
        // Unless it is another one: a path that was begun anew by a server's own doing.
        if temporary.size.is_some_and(|found| found != size) {
            return Err(Cause::TemporaryLost(name.to_owned()));
        }
        if !is_content_known && !is_equal(session, name, size, own).await? {
            let name = name.to_owned();
            return Err(Cause::Readback { name });
        }
        return Ok(Settled::NotYet);
    }
    if !place.rules.hold(Rule::EvidenceForLostRename) {
        return Ok(Settled::Published);
    }
    let now = present(to, now)?;
    let ours = is_content_known && now.is_some_and(|now| is_ours(now, verified, size));
    if ours || (now.is_some() && is_equal(session, to, size, own).await?) {
        return Ok(Settled::Published);
    }
    Err(Cause::TemporaryLost(name.to_owned()))
}

/// A rename keeps a file's time. It counts only where it differs from what stood there before:
/// yesterday's file of the same length may have the same second.
fn is_ours(now: Attributes, verified: &Verified, size: u64) -> bool {
    let Some(temporary) = verified.temporary else {
        return false;
    };
    now.size == Some(size)
        && now.modified().is_some()
        && now.modified() == temporary.modified()
        && verified
            .final_file
            .is_none_or(|before| !is_same_file(Some(now), Some(before)))
        && verified.is_final_told
}

async fn is_equal(session: &Session, name: &str, size: u64, own: &Digest) -> Result<bool, Cause> {
    let digest = file_digest(session, name, size).await?;
    Ok(digest.is_some_and(|digest| digest.checksum() == own.checksum()))
}

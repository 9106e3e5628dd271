//! Two sides that have nothing in common: what each has, and which setting brings them together.

use std::net::SocketAddr;

use russh::AlgorithmKind;

use super::Kind;
use crate::ssh::error::ConnectError;
use crate::ssh::foreign::said;

/// The error that shows both lists.
pub(in crate::ssh) fn nothing_in_common(
    address: SocketAddr,
    kind: AlgorithmKind,
    ours: &[String],
    theirs: &[String],
) -> ConnectError {
    // In the list of key exchanges stand signals, too, which are none.
    let theirs = theirs
        .iter()
        .filter(|name| !name.starts_with("ext-info-") && !name.starts_with("kex-strict-"));
    let theirs: Vec<&str> = theirs.map(String::as_str).collect();
    let (name, kind) = match kind {
        AlgorithmKind::Kex => ("key exchange", Some(Kind::KeyExchange)),
        AlgorithmKind::Key => ("host key algorithm", Some(Kind::HostKeys)),
        AlgorithmKind::Cipher => ("cipher", Some(Kind::Ciphers)),
        AlgorithmKind::Mac => ("MAC", Some(Kind::Macs)),
        AlgorithmKind::Compression => ("compression", None),
    };
    let has = |name: &&'static str| theirs.contains(name);
    let could = |kind: Kind| {
        let all = kind.safe().iter().chain(kind.old()).copied();
        (kind, all.into_iter().find(has))
    };
    ConnectError::NoCommonAlgorithm {
        address,
        kind: name,
        ours: ours.join(", "),
        theirs: said(&theirs.join(", ")),
        setting: kind.map(could),
    }
}

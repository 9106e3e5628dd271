//! The five lists of algorithms.

use super::reader::Reader;
use super::value::Unfit;
use crate::ssh::Algorithms;
use crate::ssh::algorithms::{Kind, List};

/// All of them; the safe list where a setting is unset. None leaves a problem behind.
pub(super) fn algorithms(reader: &mut Reader<'_>) -> Option<Algorithms> {
    let ciphers = reader.optional("SSH_CIPHERS", |text| list(Kind::Ciphers, text));
    let key_exchange = reader.optional("SSH_KEX_ALGORITHMS", |text| list(Kind::KeyExchange, text));
    let macs = reader.optional("SSH_MACS", |text| list(Kind::Macs, text));
    let host_keys = reader.optional("SSH_HOST_KEY_ALGORITHMS", |text| list(Kind::HostKeys, text));
    let public_keys = reader.optional("SSH_PUBKEY_ALGORITHMS", |text| list(Kind::PublicKeys, text));
    let or_safe = |list: Option<List>, kind| list.unwrap_or_else(|| List::safe(kind));
    Some(Algorithms {
        key_exchange: or_safe(key_exchange?, Kind::KeyExchange),
        host_keys: or_safe(host_keys?, Kind::HostKeys),
        ciphers: or_safe(ciphers?, Kind::Ciphers),
        macs: or_safe(macs?, Kind::Macs),
        public_keys: or_safe(public_keys?, Kind::PublicKeys),
    })
}

fn list(kind: Kind, text: &str) -> Result<List, Unfit> {
    List::parse(kind, text).map_err(|error| Unfit(error.to_string()))
}

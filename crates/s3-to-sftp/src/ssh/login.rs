//! The methods that are tried, and in which order.

use std::net::SocketAddr;
use std::sync::Arc;

use russh::client::{AuthResult, Handle, Handler};
use russh::keys::{Algorithm, HashAlg, PrivateKeyWithHashAlg};
use russh::{MethodKind, MethodSet};

use super::error::{ConnectError, ssh};
use super::private_key::PrivateKey;
use crate::secret::Secret;

/// What an account logs in with.
#[derive(Debug, Clone, Default)]
pub struct Credentials {
    /// Offered first.
    pub private_key: Option<PrivateKey>,
    /// Sent only where there is no key, or where the server still asks after the key.
    pub password: Option<Secret<String>>,
}

impl PartialEq for Credentials {
    fn eq(&self, other: &Self) -> bool {
        // Who holds the public half proves the same with the private one.
        let key = |it: &Self| Some(it.private_key.as_ref()?.0.public_key().key_data().clone());
        key(self) == key(other)
            && match (&self.password, &other.password) {
                (Some(own), Some(other)) => own.expose() == other.expose(),
                (own, other) => own.is_none() && other.is_none(),
            }
    }
}

/// Logs in. A credential that the server refuses is not offered again.
pub(super) async fn log_in<H: Handler>(
    handle: &mut Handle<H>,
    address: SocketAddr,
    username: &str,
    credentials: &Credentials,
) -> Result<(), ConnectError> {
    let broken = |source| ssh(address, "the login", source);
    let mut tried = Vec::new();
    let mut offered = MethodSet::empty();

    if let Some(key) = &credentials.private_key {
        let hash = hash_for(handle, key).await.map_err(broken)?;
        let key = PrivateKeyWithHashAlg::new(Arc::clone(&key.0), hash);
        tried.push(format!("publickey ({})", key.algorithm()));
        match handle
            .authenticate_publickey(username, key)
            .await
            .map_err(broken)?
        {
            AuthResult::Success => return Ok(()),
            AuthResult::Failure {
                remaining_methods, ..
            } => offered = remaining_methods,
        }
    }
    if let Some(password) = &credentials.password
        && (tried.is_empty() || offered.contains(&MethodKind::Password))
    {
        tried.push("password".to_owned());
        match handle
            .authenticate_password(username, password.expose().as_str())
            .await
            .map_err(broken)?
        {
            AuthResult::Success => return Ok(()),
            AuthResult::Failure {
                remaining_methods, ..
            } => offered = remaining_methods,
        }
    }
    // russh reports a connection that ends during the login as a refusal without methods. A server
    // that refuses names at least one, or its refusal would be its end of the talk too.
    if offered.is_empty() && handle.is_closed() {
        return Err(broken(russh::Error::Disconnect));
    }
    Err(ConnectError::LoginRefused {
        address,
        username: username.to_owned(),
        tried: tried.join(" and "),
        offered: names(&offered),
    })
}

/// RSA keys sign with SHA-2: SHA-512, unless the server says that it takes only SHA-256.
async fn hash_for<H: Handler>(
    handle: &Handle<H>,
    key: &PrivateKey,
) -> Result<Option<HashAlg>, russh::Error> {
    if !matches!(key.0.algorithm(), Algorithm::Rsa { .. }) {
        return Ok(None);
    }
    let best = handle.best_supported_rsa_hash().await?.flatten();
    Ok(Some(best.unwrap_or(HashAlg::Sha512)))
}

fn names(methods: &MethodSet) -> String {
    if methods.is_empty() {
        return "no method".to_owned();
    }
    methods
        .iter()
        .map(<&'static str>::from)
        .collect::<Vec<_>>()
        .join(", ")
}

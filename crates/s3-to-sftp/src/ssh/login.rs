//! The methods that are tried, and in which order.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::SystemTime;

use russh::client::{AuthResult, Handle, Handler};
use russh::keys::{Algorithm, HashAlg, PrivateKeyWithHashAlg};
use russh::{MethodKind, MethodSet};

use super::certificate::{Certificate, CertificateError, CertificateSigner, NotSigned};
use super::error::{ConnectError, ssh};
use super::private_key::PrivateKey;
use crate::secret::Secret;

/// What an account logs in with.
#[derive(Debug, Clone, Default)]
pub struct Credentials {
    /// Offered first.
    pub private_key: Option<PrivateKey>,
    /// What the key is offered with, in place of the key alone.
    pub certificate: Option<Certificate>,
    /// Sent only where there is no key, or where the server still asks after the key.
    pub password: Option<Secret<String>>,
}

impl PartialEq for Credentials {
    fn eq(&self, other: &Self) -> bool {
        // Who holds the public half proves the same with the private one.
        let key = |it: &Self| Some(it.private_key.as_ref()?.0.public_key().key_data().clone());
        key(self) == key(other)
            && self.certificate == other.certificate
            && match (&self.password, &other.password) {
                (Some(own), Some(other)) => own.expose() == other.expose(),
                (own, other) => own.is_none() && other.is_none(),
            }
    }
}

impl Credentials {
    /// Whether a login at `now` could succeed, as far as that can be told here.
    ///
    /// # Errors
    ///
    /// Says why no server would take the certificate.
    pub fn check(&self, now: SystemTime) -> Result<(), CertificateError> {
        match (&self.certificate, &self.private_key) {
            (Some(certificate), Some(key)) => certificate.check(key, now),
            _ => Ok(()),
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
        let certificate = credentials.certificate.as_ref();
        let (method, result) = offer(handle, username, key, certificate)
            .await
            .map_err(broken)?;
        tried.push(method);
        match result {
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

/// Offers a key, alone or by its certificate; also says what was offered.
async fn offer<H: Handler>(
    handle: &mut Handle<H>,
    username: &str,
    key: &PrivateKey,
    certificate: Option<&Certificate>,
) -> Result<(String, AuthResult), russh::Error> {
    let hash = hash_for(handle, key).await?;
    let Some(certificate) = certificate else {
        let key = PrivateKeyWithHashAlg::new(Arc::clone(&key.0), hash);
        let method = format!("publickey ({})", key.algorithm());
        return Ok((method, handle.authenticate_publickey(username, key).await?));
    };
    let mut method = format!("publickey ({}", certificate.description());
    if !certificate.names(username) {
        method += &format!(" and not for {username}");
    }
    method.push(')');
    let mut signer = CertificateSigner(key);
    let result = handle
        .authenticate_certificate_with(username, (*certificate.0).clone(), hash, &mut signer)
        .await;
    Ok((method, result.map_err(|NotSigned(error)| error)?))
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

//! Who gets in, by what, and how many channels.

use std::sync::Arc;

use russh::client::AuthResult;
use russh::keys::{PrivateKeyWithHashAlg, PublicKey, decode_secret_key};
use testkit::secrets::{PASSWORD, WRONG};
use testkit::sftp::{Method, SftpServer};

use crate::{client, connect};

#[tokio::test]
async fn every_login_is_on_record() {
    let server = SftpServer::start().await;
    let account = server.account();
    let mut ssh = connect(server.port()).await;
    assert_eq!(server.credentials_sent(), 0);
    let wrong = ssh
        .authenticate_password("acme", WRONG)
        .await
        .expect("answered");
    assert!(matches!(wrong, AuthResult::Failure { .. }));
    let key =
        decode_secret_key(account.private_key.as_deref().expect("a key"), None).expect("a key");
    let key = PrivateKeyWithHashAlg::new(Arc::new(key), None);
    assert!(
        ssh.authenticate_publickey("acme", key)
            .await
            .expect("answered")
            .success()
    );

    let logins: Vec<_> = server
        .logins()
        .into_iter()
        .map(|login| (login.method, login.accepted))
        .collect();
    assert_eq!(logins.first(), Some(&(Method::Password, false)));
    assert_eq!(logins.last(), Some(&(Method::PublicKey, true)));
    assert_eq!(server.credentials_sent(), 2);
    let host_key: PublicKey = server.host_key().parse().expect("a key");
    assert_eq!(
        host_key
            .fingerprint(russh::keys::HashAlg::Sha256)
            .to_string(),
        server.fingerprint()
    );
}

#[tokio::test]
async fn a_server_may_want_key_and_password() {
    let server = SftpServer::builder().requires_both().start().await;
    let account = server.account();
    let mut ssh = connect(server.port()).await;
    let key =
        decode_secret_key(account.private_key.as_deref().expect("a key"), None).expect("a key");
    let key = PrivateKeyWithHashAlg::new(Arc::new(key), None);
    let first = ssh
        .authenticate_publickey("acme", key)
        .await
        .expect("answered");
    assert!(
        matches!(
            first,
            AuthResult::Failure {
                partial_success: true,
                ..
            }
        ),
        "{first:?}"
    );
    assert!(
        ssh.authenticate_password("acme", PASSWORD)
            .await
            .expect("answered")
            .success()
    );
}

#[tokio::test]
async fn channels_beyond_the_limit_are_refused() {
    let server = SftpServer::builder().max_channels(1).start().await;
    let client = client(&server).await;
    assert!(client.ssh.channel_open_session().await.is_err());
    client.put("f", b"x").await.expect("the first one works on");
}

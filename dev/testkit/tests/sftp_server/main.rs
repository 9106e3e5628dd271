//! The embedded SFTP server, by a client that is not ours: russh and russh-sftp.

mod faults;
mod files;
mod logins;
mod overtaken;
mod ramp;

use std::sync::Arc;
use std::time::Duration;

use russh::client::{self, Handle};
use russh_sftp::client::RawSftpSession;
use russh_sftp::client::error::Error;
use russh_sftp::protocol::{FileAttributes, OpenFlags, Packet, StatusCode};
use testkit::account::Account;
use testkit::sftp::SftpServer;
use tokio::time::timeout;

/// Longer than anything here takes on a slow machine.
const SOON: Duration = Duration::from_secs(20);

struct AcceptHostKey;

impl client::Handler for AcceptHostKey {
    type Error = russh::Error;

    async fn check_server_key(
        &mut self,
        _: &russh::keys::PublicKeyOrCertificate,
    ) -> Result<bool, Self::Error> {
        Ok(true)
    }
}

/// A client of a server: its SFTP channel, and the connection that has to outlive it.
struct Client {
    sftp: RawSftpSession,
    ssh: Handle<AcceptHostKey>,
}

async fn connect(port: u16) -> Handle<AcceptHostKey> {
    let config = client::Config {
        nodelay: true,
        ..client::Config::default()
    };
    timeout(
        SOON,
        client::connect(Arc::new(config), ("127.0.0.1", port), AcceptHostKey),
    )
    .await
    .expect("in time")
    .expect("connected")
}

async fn login(account: &Account) -> Handle<AcceptHostKey> {
    let mut ssh = connect(account.port).await;
    let password = account
        .password
        .clone()
        .expect("the server takes a password");
    let result = ssh
        .authenticate_password(&account.username, password)
        .await
        .expect("answered");
    assert!(result.success());
    ssh
}

async fn open_channel(ssh: &Handle<AcceptHostKey>) -> RawSftpSession {
    let channel = ssh.channel_open_session().await.expect("a channel");
    channel
        .request_subsystem(true, "sftp")
        .await
        .expect("the subsystem");
    let sftp = RawSftpSession::new(channel.into_stream());
    sftp.set_timeout(SOON.as_secs());
    sftp.init().await.expect("a version");
    sftp
}

async fn client(server: &SftpServer) -> Client {
    let ssh = login(&server.account()).await;
    Client {
        sftp: open_channel(&ssh).await,
        ssh,
    }
}

impl Client {
    async fn open(&self, path: &str, flags: OpenFlags) -> Result<String, Error> {
        Ok(self
            .sftp
            .open(path, flags, FileAttributes::empty())
            .await?
            .handle)
    }

    async fn put(&self, path: &str, data: &[u8]) -> Result<(), Error> {
        let handle = self
            .open(path, OpenFlags::WRITE | OpenFlags::CREATE)
            .await?;
        self.sftp.write(&handle, 0, data.to_vec()).await?;
        self.sftp.close(handle).await?;
        Ok(())
    }

    async fn extended(&self, name: &str, strings: &[&str]) -> u32 {
        let mut data = Vec::new();
        for string in strings {
            data.extend(u32::try_from(string.len()).expect("short").to_be_bytes());
            data.extend(string.as_bytes());
        }
        match self.sftp.extended(name, data).await.expect("an answer") {
            Packet::Status(status) => status.status_code as u32,
            other => panic!("not a status: {other:?}"),
        }
    }
}

fn code<T: std::fmt::Debug>(result: Result<T, Error>) -> StatusCode {
    match result {
        Err(Error::Status(status)) => status.status_code,
        other => panic!("not a refusal: {other:?}"),
    }
}

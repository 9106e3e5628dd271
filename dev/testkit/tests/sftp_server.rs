//! The embedded SFTP server, by a client that is not ours: russh and russh-sftp.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use russh::client::{self, AuthResult, Handle};
use russh::keys::{PrivateKeyWithHashAlg, PublicKey, decode_secret_key};
use russh_sftp::client::RawSftpSession;
use russh_sftp::client::error::Error;
use russh_sftp::protocol::{FileAttributes, OpenFlags, Packet, StatusCode};
use testkit::account::Account;
use testkit::sftp::{
    Action, Extensions, Method, Operation, SftpServer, closed_port, disk_full_beyond, every, flags,
    nth, once, silent, status,
};
use tokio::sync::oneshot;
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

#[tokio::test]
async fn a_file_arrives_whole() {
    let server = SftpServer::start().await;
    let client = client(&server).await;
    client.put("a.txt", b"hello").await.expect("written");

    assert_eq!(
        std::fs::read(server.home().join("a.txt")).expect("there"),
        b"hello"
    );
    let writes = server.requests_of(Operation::Write);
    assert_eq!(
        (writes.len(), writes[0].path.as_deref(), writes[0].len),
        (1, Some("a.txt"), 5)
    );
    assert_eq!(
        server.requests_of(Operation::Open)[0].flags,
        flags::WRITE | flags::CREAT
    );
    assert_eq!(server.open_handles(), Vec::<String>::new());
    assert_eq!(server.violations(), Vec::<String>::new());
    assert!(
        server.identifications()[0].starts_with("SSH-2.0-"),
        "{:?}",
        server.identifications()
    );
}

#[tokio::test]
async fn open_takes_its_flags_at_their_word() {
    let server = SftpServer::start().await;
    let client = client(&server).await;
    let (write, create) = (OpenFlags::WRITE, OpenFlags::CREATE);

    assert_eq!(code(client.open("f", write).await), StatusCode::NoSuchFile);
    client.put("f", b"0123456789").await.expect("written");
    assert_eq!(
        code(client.open("f", write | create | OpenFlags::EXCLUDE).await),
        StatusCode::Failure
    );

    let handle = client.open("f", write).await.expect("opened");
    client
        .sftp
        .write(&handle, 2, b"xx".to_vec())
        .await
        .expect("written");
    assert_eq!(
        std::fs::read(server.home().join("f")).expect("there"),
        b"01xx456789"
    );
    assert_eq!(server.open_handles(), ["f"]);

    let handle = client
        .open("f", write | OpenFlags::APPEND)
        .await
        .expect("opened");
    client
        .sftp
        .write(&handle, 0, b"end".to_vec())
        .await
        .expect("written");
    assert_eq!(
        std::fs::read(server.home().join("f")).expect("there"),
        b"01xx456789end"
    );

    client
        .open("f", write | create | OpenFlags::TRUNCATE)
        .await
        .expect("opened");
    assert_eq!(std::fs::read(server.home().join("f")).expect("there"), b"");
    assert_eq!(
        code(client.open("no/such", write | create).await),
        StatusCode::NoSuchFile
    );
    assert_eq!(
        code(client.open(".", OpenFlags::READ).await),
        StatusCode::Failure
    );
}

#[tokio::test]
async fn a_plain_rename_never_overwrites_and_a_posix_one_does() {
    let server = SftpServer::start().await;
    let client = client(&server).await;
    client.put("new", b"new").await.expect("written");
    client.put("old", b"old").await.expect("written");

    assert_eq!(
        code(client.sftp.rename("new", "old").await),
        StatusCode::Failure
    );
    assert_eq!(
        std::fs::read(server.home().join("old")).expect("there"),
        b"old"
    );
    assert_eq!(
        client
            .extended("posix-rename@openssh.com", &["new", "old"])
            .await,
        status::OK
    );
    assert_eq!(
        std::fs::read(server.home().join("old")).expect("there"),
        b"new"
    );
    assert_eq!(
        client
            .extended("posix-rename@openssh.com", &["new", "old"])
            .await,
        status::NO_SUCH_FILE
    );
    client.sftp.rename("old", "final").await.expect("renamed");

    let seen = &server.requests_of(Operation::PosixRename)[0];
    assert_eq!(
        (seen.path.as_deref(), seen.to.as_deref()),
        (Some("new"), Some("old"))
    );
}

#[tokio::test]
async fn without_extensions_they_are_unsupported() {
    let server = SftpServer::builder()
        .extensions(Extensions::NONE)
        .start()
        .await;
    let client = client(&server).await;
    assert_eq!(
        client
            .extended("posix-rename@openssh.com", &["a", "b"])
            .await,
        status::OP_UNSUPPORTED
    );
    assert_eq!(
        client.extended("made-up@example.com", &[]).await,
        status::OP_UNSUPPORTED
    );
}

#[tokio::test]
async fn directories_attributes_and_listings() {
    let server = SftpServer::start().await;
    let client = client(&server).await;
    client
        .sftp
        .mkdir("d", FileAttributes::empty())
        .await
        .expect("made");
    assert_eq!(
        code(client.sftp.mkdir("d", FileAttributes::empty()).await),
        StatusCode::Failure
    );
    client.put("d/f", b"0123456789").await.expect("written");

    let cut = FileAttributes {
        size: Some(4),
        permissions: Some(0o640),
        mtime: Some(99),
        atime: Some(98),
        ..FileAttributes::empty()
    };
    client.sftp.setstat("d/f", cut).await.expect("set");
    let seen = client.sftp.stat("/d/f").await.expect("there").attrs;
    assert_eq!(
        (
            seen.size,
            seen.permissions.map(|mode| mode & 0o777),
            seen.mtime
        ),
        (Some(4), Some(0o640), Some(99))
    );

    let handle = client.sftp.opendir("d").await.expect("opened").handle;
    let mut names: Vec<_> = client
        .sftp
        .readdir(&handle)
        .await
        .expect("listed")
        .files
        .into_iter()
        .map(|file| file.filename)
        .collect();
    names.sort();
    assert_eq!(names, [".", "..", "f"]);
    assert_eq!(code(client.sftp.readdir(&handle).await), StatusCode::Eof);

    assert_eq!(code(client.sftp.rmdir("d").await), StatusCode::Failure);
    client.sftp.remove("d/f").await.expect("removed");
    client.sftp.rmdir("d").await.expect("removed");
    assert_eq!(code(client.sftp.stat("d").await), StatusCode::NoSuchFile);
}

#[tokio::test]
async fn nobody_leaves_the_root() {
    let server = SftpServer::builder()
        .login_directory("/home/acme")
        .start()
        .await;
    let client = client(&server).await;
    let sftp = &client.sftp;
    let real = |path: &'static str| async move {
        sftp.realpath(path).await.expect("real").files[0]
            .filename
            .clone()
    };
    assert_eq!(real(".").await, "/home/acme");
    assert_eq!(real("../../../../etc").await, "/etc");
    assert_eq!(
        code(client.sftp.stat("/etc/passwd").await),
        StatusCode::NoSuchFile
    );
    client.put("../../top", b"x").await.expect("written");
    assert!(server.root().join("top").exists());
    client.put("here", b"x").await.expect("written");
    assert!(server.home().join("here").exists());
}

#[tokio::test]
async fn every_login_is_on_record() {
    let server = SftpServer::start().await;
    let account = server.account();
    let mut ssh = connect(server.port()).await;
    assert_eq!(server.credentials_sent(), 0);
    let wrong = ssh
        .authenticate_password("acme", "wrong")
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
        ssh.authenticate_password("acme", "secret")
            .await
            .expect("answered")
            .success()
    );
}

#[tokio::test]
async fn hooks_refuse_lie_and_fill_the_disk() {
    let server = SftpServer::start().await;
    let client = client(&server).await;
    server.hook(disk_full_beyond(4));
    let full = client.put("f", b"hello").await.expect_err("full");
    assert!(full.to_string().contains("No space left"), "{full}");
    server.clear_hooks();

    server.hook(every(Operation::Write, || Action::AcknowledgeOnly));
    client
        .put("lie", b"hello")
        .await
        .expect("said to be written");
    assert_eq!(
        std::fs::read(server.home().join("lie")).expect("there"),
        b""
    );
    // The newest hook has the first say.
    server.hook(every(Operation::Write, || Action::Keep(2)));
    client
        .put("lie", b"hello")
        .await
        .expect("said to be written");
    assert_eq!(
        std::fs::read(server.home().join("lie")).expect("there"),
        b"he"
    );
    server.clear_hooks();

    server.hook(nth(Operation::Remove, 2, || {
        Action::refuse(status::PERMISSION_DENIED)
    }));
    client.sftp.remove("lie").await.expect("the first may");
    assert_eq!(
        code(client.sftp.remove("f").await),
        StatusCode::PermissionDenied
    );
    client.sftp.remove("f").await.expect("the third may");
}

#[tokio::test]
async fn a_request_without_an_answer_holds_up_no_other() {
    let server = SftpServer::start().await;
    let client = client(&server).await;
    client.put("f", b"x").await.expect("written");
    server.hook(once(Operation::Stat, || Action::Drop));
    let lost = client.sftp.stat("f");
    let answered = client.sftp.lstat("f");
    tokio::select! {
        biased;
        _ = lost => panic!("answered"),
        answered = answered => assert_eq!(answered.expect("there").attrs.size, Some(1)),
    }
}

#[tokio::test]
async fn a_held_request_holds_up_its_channel_and_no_other() {
    let server = SftpServer::start().await;
    let client = client(&server).await;
    let second = open_channel(&client.ssh).await;
    let (release, released) = oneshot::channel();
    let released = std::sync::Mutex::new(Some(released));
    server.hook(once(Operation::Mkdir, move || {
        Action::until(released.lock().expect("whole").take().expect("once"))
    }));
    let made = client.sftp.mkdir("d", FileAttributes::empty());
    let other = second.mkdir("e", FileAttributes::empty());
    tokio::pin!(made);
    tokio::select! {
        biased;
        _ = &mut made => panic!("not released"),
        other = other => { other.expect("made"); }
    }
    assert!(!server.home().join("d").exists());
    release.send(()).expect("waited for");
    timeout(SOON, made).await.expect("in time").expect("made");
}

#[tokio::test]
async fn cuts_come_before_or_after_the_deed() {
    for (action, done) in [(false, false), (true, true)] {
        let server = SftpServer::start().await;
        let client = client(&server).await;
        client.put("a", b"x").await.expect("written");
        server.hook(every(Operation::Rename, move || {
            if action {
                Action::DisconnectAfter
            } else {
                Action::Disconnect
            }
        }));
        let result = timeout(SOON, client.sftp.rename("a", "b"))
            .await
            .expect("in time");
        assert!(
            !matches!(result, Ok(_) | Err(Error::Status(_))),
            "{result:?}"
        );
        assert_eq!(server.home().join("b").exists(), done);
        timeout(SOON, async {
            while !client.ssh.is_closed() {
                tokio::task::yield_now().await
            }
        })
        .await
        .expect("closed");
        drop(client);

        // The next connection is not affected.
        server.clear_hooks();
        self::client(&server)
            .await
            .put("c", b"x")
            .await
            .expect("written");
        assert_eq!(server.connections(), 2);
    }
}

#[tokio::test]
async fn nothing_is_left_of_a_dropped_server() {
    let server = SftpServer::start().await;
    let client = client(&server).await;
    let (port, home) = (server.port(), server.home().to_owned());
    drop(server);
    assert!(
        timeout(SOON, client.sftp.stat("."))
            .await
            .expect("in time")
            .is_err()
    );
    assert!(!home.exists());
    tokio::net::TcpStream::connect(("127.0.0.1", port))
        .await
        .expect_err("nobody listens");
}

#[tokio::test]
async fn channels_beyond_the_limit_are_refused() {
    let server = SftpServer::builder().max_channels(1).start().await;
    let client = client(&server).await;
    assert!(client.ssh.channel_open_session().await.is_err());
    client.put("f", b"x").await.expect("the first one works on");
}

#[tokio::test]
async fn ports_without_a_server() {
    let silent = silent();
    let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", silent.port()))
        .await
        .expect("connected");
    let mut byte = [0];
    let read = tokio::io::AsyncReadExt::read(&mut stream, &mut byte);
    timeout(Duration::from_millis(50), read)
        .await
        .expect_err("silence");
    let closed = closed_port();
    let error = tokio::net::TcpStream::connect(("127.0.0.1", closed.port()))
        .await
        .expect_err("refused");
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_mebibytes_take_seconds() {
    const WRITE: usize = 32 * 1024;
    const WRITES: usize = 2048;
    let server = SftpServer::start().await;
    let client = client(&server).await;
    let begin = Instant::now();
    let handle = client
        .open("big", OpenFlags::WRITE | OpenFlags::CREATE)
        .await
        .expect("opened");
    let sftp = &client.sftp;
    let handle = &handle;
    let writes = futures_util::stream::iter(0..WRITES).map(|n| async move {
        let data = vec![u8::try_from(n % 251).expect("small"); WRITE];
        sftp.write(handle, (n * WRITE) as u64, data)
            .await
            .expect("written");
    });
    writes.buffer_unordered(64).collect::<()>().await;
    sftp.close(handle).await.expect("closed");

    let took = begin.elapsed();
    let arrived = std::fs::read(server.home().join("big")).expect("there");
    assert_eq!(arrived.len(), WRITE * WRITES);
    assert!(
        arrived
            .chunks(WRITE)
            .enumerate()
            .all(|(n, chunk)| chunk.iter().all(|byte| usize::from(*byte) == n % 251))
    );
    assert!(took < SOON, "64 MiB took {took:?}");
}

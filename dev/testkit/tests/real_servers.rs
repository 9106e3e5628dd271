//! The starters of real servers, and OpenSSH's own client against them and against the embedded server.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use testkit::account::Account;
use testkit::servers::rclone::CacheMode;
use testkit::servers::{MiniStack, Rclone, SftpServerProcess, Sshd};
use testkit::sftp::{Extensions, Operation, SftpServer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::time::timeout;

/// Longer than anything here takes on a slow machine.
const SOON: Duration = Duration::from_secs(30);

/// Runs OpenSSH's `sftp` with these commands: whether all went well, and what it wrote.
async fn sftp(
    account: &Account,
    directory: &Path,
    options: &[&str],
    batch: &str,
) -> (bool, String) {
    let key = directory.join("key");
    fs::write(&key, account.private_key.as_deref().expect("a key")).expect("written");
    fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("set");
    let known = directory.join("known_hosts");
    fs::write(
        &known,
        format!("[127.0.0.1]:{} {}\n", account.port, account.host_key),
    )
    .expect("written");
    let mut child = Command::new("sftp")
        .args(["-F", "none", "-b", "-", "-P", &account.port.to_string()])
        .args([
            "-o",
            "StrictHostKeyChecking=yes",
            "-o",
            "IdentitiesOnly=yes",
        ])
        .args(["-o", &format!("UserKnownHostsFile={}", known.display())])
        .args(["-i", key.to_str().expect("text")])
        .args(options)
        .arg(format!("{}@127.0.0.1", account.username))
        .current_dir(directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("sftp is not installed: apt-get install openssh-client");
    child
        .stdin
        .take()
        .expect("asked for")
        .write_all(batch.as_bytes())
        .await
        .expect("read");
    let output = timeout(SOON, child.wait_with_output())
        .await
        .expect("in time")
        .expect("ended");
    let text = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    (output.status.success(), text)
}

fn payload(len: usize) -> Vec<u8> {
    (0..len)
        .map(|n| u8::try_from(n % 251).expect("small"))
        .collect()
}

#[tokio::test]
async fn openssh_uses_the_embedded_server() {
    for extensions in [Extensions::OPENSSH, Extensions::NONE] {
        let server = SftpServer::builder().extensions(extensions).start().await;
        let here = tempfile::tempdir().expect("made");
        let data = payload(20_000_000);
        fs::write(here.path().join("data"), &data).expect("written");
        let batch = "mkdir d\nput -p data d/data\nrename d/data d/other\nls -l d\nget d/other back\nchmod 600 d/other\n\
                     -mkdir d\nrm d/other\nrmdir d\nput data data\n";
        let (well, text) = sftp(&server.account(), here.path(), &[], batch).await;
        assert!(well, "{text}\n{:?}", server.violations());
        assert_eq!(fs::read(server.home().join("data")).expect("there"), data);
        assert_eq!(fs::read(here.path().join("back")).expect("there"), data);
        assert!(text.contains("20000000"), "{text}");
        let plain = server.requests_of(Operation::Rename).len();
        assert_eq!(plain, usize::from(extensions == Extensions::NONE));
        assert_eq!(server.violations(), Vec::<String>::new());
        assert_eq!(server.credentials_sent(), 1);
    }
}

#[tokio::test]
async fn openssh_copes_with_opaque_handles() {
    let server = SftpServer::builder().opaque_handles().start().await;
    let here = tempfile::tempdir().expect("made");
    fs::write(here.path().join("data"), payload(100_000)).expect("written");
    let (well, text) = sftp(&server.account(), here.path(), &[], "put data data\n").await;
    assert!(well, "{text}");
    assert_eq!(
        fs::read(server.home().join("data")).expect("there"),
        payload(100_000)
    );
}

#[tokio::test]
async fn sshd_starts_serves_and_ends() {
    let server = Sshd::start_with(&["MaxSessions 1"])
        .await
        .unwrap_or_else(|missing| panic!("{missing}"));
    let account = server.account();
    let here = tempfile::tempdir().expect("made");
    fs::write(here.path().join("data"), payload(1_000_000)).expect("written");
    let put = format!("put data {}/data\n", account.dir.as_deref().expect("given"));
    let (well, text) = sftp(&account, here.path(), &[], &put).await;
    assert!(well, "{text}\n{}", server.logs());
    assert_eq!(
        fs::read(account.home.join("data")).expect("there"),
        payload(1_000_000)
    );

    // A connection that is open when the server is dropped ends, too.
    let mut stream = TcpStream::connect(("127.0.0.1", account.port))
        .await
        .expect("connected");
    let mut identification = [0; 8];
    timeout(SOON, stream.read_exact(&mut identification))
        .await
        .expect("in time")
        .expect("read");
    assert_eq!(&identification, b"SSH-2.0-");
    drop(server);
    let mut rest = Vec::new();
    // A reset and an end are both an end.
    timeout(SOON, stream.read_to_end(&mut rest))
        .await
        .expect("in time")
        .ok();
    TcpStream::connect(("127.0.0.1", account.port))
        .await
        .expect_err("nobody listens");
    assert!(!account.home.exists());
}

/// Reads the greeting of a server, and keeps the connection.
async fn greeted(account: &Account) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", account.port))
        .await
        .expect("connected");
    let mut identification = [0; 8];
    timeout(SOON, stream.read_exact(&mut identification))
        .await
        .expect("in time")
        .expect("read");
    assert_eq!(&identification, b"SSH-2.0-");
    stream
}

/// A reset and an end are both an end.
async fn assert_ends(mut stream: TcpStream) {
    let mut rest = Vec::new();
    timeout(SOON, stream.read_to_end(&mut rest))
        .await
        .expect("in time")
        .ok();
}

#[tokio::test]
async fn sshd_is_killed_with_its_connections_and_comes_back() {
    let mut server = Sshd::start()
        .await
        .unwrap_or_else(|missing| panic!("{missing}"));
    let account = server.account();
    let stream = greeted(&account).await;
    assert!(!server.process().children().is_empty());
    server.kill();
    assert_ends(stream).await;
    TcpStream::connect(("127.0.0.1", account.port))
        .await
        .expect_err("nobody listens");

    fs::write(account.home.join("kept"), "kept").expect("written");
    server.restart().await;
    let here = tempfile::tempdir().expect("made");
    let get = format!("get {}/kept\n", account.dir.as_deref().expect("given"));
    // The same host key, the same user key.
    let (well, text) = sftp(&account, here.path(), &[], &get).await;
    assert!(well, "{text}\n{}", server.logs());
    assert_eq!(fs::read(here.path().join("kept")).expect("there"), b"kept");
}

#[tokio::test]
async fn rclone_starts_serves_is_killed_and_comes_back() {
    for cache_mode in [CacheMode::Off, CacheMode::Writes] {
        let mut server = Rclone::start_with(cache_mode)
            .await
            .unwrap_or_else(|missing| panic!("{missing}"));
        let account = server.account();
        let here = tempfile::tempdir().expect("made");
        fs::write(here.path().join("data"), payload(1_000_000)).expect("written");
        let (well, text) = sftp(&account, here.path(), &[], "put data\n").await;
        assert!(well, "{text}\n{}", server.logs());
        let back = "get data back\n";
        let (well, text) = sftp(&account, here.path(), &[], back).await;
        assert!(well, "{text}\n{}", server.logs());
        assert!(fs::read(here.path().join("back")).expect("there") == payload(1_000_000));
        if cache_mode == CacheMode::Off {
            assert!(fs::read(account.home.join("data")).expect("there") == payload(1_000_000));
        }

        let stream = greeted(&account).await;
        server.kill();
        assert_ends(stream).await;
        server.restart().await;
        let (well, text) = sftp(&account, here.path(), &[], "put data again\n").await;
        assert!(well, "{text}\n{}", server.logs());
        let stream = greeted(&account).await;
        drop(server);
        assert_ends(stream).await;
        assert!(!account.home.exists());
    }
}

#[tokio::test]
async fn sftp_server_talks_over_pipes() {
    let directory = tempfile::tempdir().expect("made");
    let mut server =
        SftpServerProcess::start(directory.path()).unwrap_or_else(|missing| panic!("{missing}"));
    server
        .stdin
        .write_all(&[0, 0, 0, 5, 1, 0, 0, 0, 3])
        .await
        .expect("written");
    let mut head = [0; 9];
    timeout(SOON, server.stdout.read_exact(&mut head))
        .await
        .expect("in time")
        .expect("read");
    assert_eq!(head[4..], [2, 0, 0, 0, 3], "VERSION 3");
}

#[tokio::test]
async fn ministack_starts_and_answers() {
    let server = MiniStack::start()
        .await
        .unwrap_or_else(|missing| panic!("{missing}"));
    let address = server
        .endpoint()
        .strip_prefix("http://")
        .expect("an address")
        .to_owned();
    let mut stream = TcpStream::connect(address).await.expect("connected");
    let request = b"GET /_ministack/health HTTP/1.0\r\nHost: localhost\r\n\r\n";
    stream.write_all(request).await.expect("written");
    let mut answer = Vec::new();
    timeout(SOON, stream.read_to_end(&mut answer))
        .await
        .expect("in time")
        .expect("read");
    assert!(
        answer.starts_with(b"HTTP/1.1 200") || answer.starts_with(b"HTTP/1.0 200"),
        "{answer:?}"
    );
    assert!(
        server
            .env()
            .iter()
            .any(|(name, value)| name == "AWS_ENDPOINT_URL" && value == server.endpoint())
    );
}

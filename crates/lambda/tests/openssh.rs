//! The function against OpenSSH's server, with a private key from S3, as it ships.
//!
//! `BOOTSTRAP` names another executable than the one that cargo has just built.

use std::env;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use testkit::event::{self, ObjectRef};
use testkit::payload;
use testkit::runtime_api::{Bootstrap, Invocation, RuntimeApi};
use testkit::s3::{S3Server, StoredVersion};
use testkit::servers::Sshd;

const MIB: u64 = 1024 * 1024;

struct World {
    s3: S3Server,
    sshd: Sshd,
    api: RuntimeApi,
    bootstrap: Bootstrap,
}

impl World {
    /// An S3 with the private key in it, a server that knows it, and the function between them.
    async fn new() -> Self {
        let s3 = S3Server::start().await;
        let sshd = Sshd::start()
            .await
            .unwrap_or_else(|missing| panic!("{missing}"));
        let account = sshd.account();
        s3.create_bucket("inbox");
        s3.create_bucket("secrets");
        s3.put(
            "secrets",
            "id",
            account.private_key.expect("a key to log in with"),
        );
        let api = RuntimeApi::start().await;
        let mut env = s3.env();
        let ours = [
            ("SSH_HOST", account.host),
            ("SSH_PORT", account.port.to_string()),
            ("SSH_USERNAME", account.username),
            ("SSH_PRIVATE_KEY", "secrets:id".to_owned()),
            ("SSH_HOST_KEY", account.host_key),
            ("SSH_DIR", account.dir.expect("a directory of the test's")),
        ];
        env.extend(ours.map(|(name, value)| (name.to_owned(), value)));
        let bootstrap = Bootstrap::spawn(executable(), &api, env);
        Self {
            s3,
            sshd,
            api,
            bootstrap,
        }
    }

    async fn deliver(&self, key: &str, stored: &StoredVersion, time: Duration) {
        let event = event::notification("inbox", &[ObjectRef::stored(key, stored)]);
        let outcome = self.api.run(&Invocation::new(event).time(time)).await;
        assert_eq!(
            outcome.response()["delivered"],
            1,
            "{}",
            self.bootstrap.logs()
        );
        let difference = payload::first_difference_in_file(self.sshd.home().join(key), stored.size);
        assert_eq!(difference.expect("the file is there"), None);
        assert!(!self.s3.exists("inbox", key), "the source is deleted");
    }
}

fn executable() -> PathBuf {
    env::var_os("BOOTSTRAP").map_or_else(|| env!("CARGO_BIN_EXE_bootstrap").into(), PathBuf::from)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_is_delivered_to_openssh_with_a_private_key_from_s3() {
    let world = World::new().await;
    let key = "in/red flower+é.bin";
    let stored = world.s3.put("inbox", key, payload::ramp(3_000_001));
    world.deliver(key, &stored, Duration::from_secs(60)).await;
    let logs = world.sshd.logs();
    assert!(logs.contains("Accepted publickey"), "{logs}");
}

/// Lambda's smallest function has 128 MB, and the size of an object must not matter.
#[tokio::test(flavor = "multi_thread")]
#[expect(
    clippy::print_stdout,
    reason = "figures are what this test is read for"
)]
async fn one_gibibyte_is_delivered_to_openssh_within_96_mib_of_memory() {
    const SIZE: u64 = 1024 * MIB;
    let world = World::new().await;
    let stored = world.s3.put_generated("inbox", "large.bin", SIZE);
    let begin = Instant::now();
    world
        .deliver("large.bin", &stored, Duration::from_secs(900))
        .await;
    let seconds = begin.elapsed().as_secs_f64();
    let peak = world.bootstrap.peak_memory();
    println!("VmHWM {:.1} MiB, 1 GiB in {seconds:.1} s", mib(peak));
    assert!(peak < 96 * MIB, "VmHWM is {:.1} MiB", mib(peak));
    // The measurement measures: it is no page of an empty process.
    assert!(peak > 4 * MIB, "VmHWM is {:.1} MiB", mib(peak));
}

#[expect(clippy::cast_precision_loss, reason = "shown with one decimal")]
fn mib(bytes: u64) -> f64 {
    bytes as f64 / MIB as f64
}

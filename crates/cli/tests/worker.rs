//! `s3-to-sftp worker`, with MiniStack's queues and OpenSSH's sshd: what it delivers, and what is left when it is stopped or killed.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_sqs::types::{QueueAttributeName as Attribute, SendMessageBatchRequestEntry};
use rustix::process::{Pid, Signal, kill_process};
use testkit::event::{self, ObjectRef};
use testkit::payload;
use testkit::program::{Ended, SOON};
use testkit::proxy::Proxy;
use testkit::s3::S3Server;
use testkit::servers::{MiniStack, Sshd};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::{sleep, timeout};

const BUCKET: &str = "inbox";

/// How often it is looked.
const LOOK: Duration = Duration::from_millis(50);

/// Longer than a thousand files and two kills take on a slow machine.
const LONG: Duration = Duration::from_secs(240);

struct World {
    s3: S3Server,
    ministack: MiniStack,
    sshd: Sshd,
    sqs: Client,
}

impl World {
    async fn new() -> Self {
        let s3 = S3Server::start().await;
        s3.create_bucket(BUCKET);
        let ministack = MiniStack::start()
            .await
            .unwrap_or_else(|missing| panic!("{missing}"));
        let config = aws_sdk_sqs::Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new("us-east-1"))
            .credentials_provider(Credentials::new("test", "test", None, None, "test"))
            .endpoint_url(ministack.endpoint())
            .build();
        Self {
            s3,
            sqs: Client::from_conf(config),
            ministack,
            sshd: Sshd::start()
                .await
                .unwrap_or_else(|missing| panic!("{missing}")),
        }
    }

    /// A queue whose messages are hidden for the least time that a worker hides them for; its URL.
    async fn queue(&self, name: &str) -> String {
        let mut request = self.sqs.create_queue().queue_name(name);
        request = request.attributes(Attribute::VisibilityTimeout, "5");
        if name.ends_with(".fifo") {
            request = request.attributes(Attribute::FifoQueue, "true");
        }
        let answer = request.send().await.expect("a queue can be made");
        answer.queue_url.expect("it has a URL")
    }

    /// A message for each object, in order. Of a FIFO queue they are of the group that the key begins with.
    async fn notify(&self, queue: &str, keys: &[String]) {
        for keys in keys.chunks(10) {
            let mut request = self.sqs.send_message_batch().queue_url(queue);
            for (number, key) in keys.iter().enumerate() {
                let stored = self.s3.stored(BUCKET, key).expect("it was put");
                let event = event::notification(BUCKET, &[ObjectRef::stored(key, &stored)]);
                let mut entry = SendMessageBatchRequestEntry::builder()
                    .id(number.to_string())
                    .message_body(event.to_string());
                if queue.ends_with(".fifo") {
                    let group = key.split('-').next().unwrap_or_default();
                    entry = entry.message_group_id(group).message_deduplication_id(key);
                }
                request = request.entries(entry.build().expect("complete"));
            }
            let answer = request.send().await.expect("messages can be sent");
            assert!(answer.failed.is_empty(), "{:?}", answer.failed);
        }
    }

    /// Messages that can be received, and those that are hidden.
    async fn held(&self, queue: &str) -> (u32, u32) {
        let answer = self
            .sqs
            .get_queue_attributes()
            .queue_url(queue)
            .attribute_names(Attribute::All)
            .send()
            .await
            .expect("the queue is there");
        let attributes = answer.attributes.unwrap_or_default();
        let count = |name| {
            let count = attributes.get(&name).expect("every queue has it");
            count.parse().expect("a number")
        };
        (
            count(Attribute::ApproximateNumberOfMessages),
            count(Attribute::ApproximateNumberOfMessagesNotVisible),
        )
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let account = self.sshd.account();
        let mut command = Command::new(env!("CARGO_BIN_EXE_s3-to-sftp"));
        command
            .arg("worker")
            .args(arguments)
            .env_clear()
            .envs(self.ministack.env())
            .envs(self.s3.env())
            .env("AWS_ENDPOINT_URL_SQS", self.ministack.endpoint())
            .envs(account.env())
            .env("SSH_PRIVATE_KEY", account.private_key.unwrap_or_default())
            .env("SSH_DIR", account.dir.unwrap_or_default());
        command
    }

    fn start(&self, queue: &str, arguments: &[&str]) -> Running {
        self.start_by(self.command(&[&["--queue", queue], arguments].concat()))
    }

    fn start_by(&self, mut command: Command) -> Running {
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn();
        let mut child = child.expect("the program starts");
        let stdout = child.stdout.take().expect("piped");
        Running {
            child,
            lines: BufReader::new(stdout).lines(),
        }
    }

    /// Files of the server, relative to the login directory.
    fn files(&self) -> BTreeSet<String> {
        let mut files = BTreeSet::new();
        walk(self.sshd.home(), "", &mut files);
        files
    }

    fn file(&self, name: &str) -> Vec<u8> {
        fs::read(self.sshd.home().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }
}

fn walk(directory: &Path, name: &str, files: &mut BTreeSet<String>) {
    for entry in fs::read_dir(directory).expect("a directory of the server") {
        let entry = entry.expect("readable");
        let name = format!("{name}{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            walk(&entry.path(), &format!("{name}/"), files);
        } else {
            files.insert(name);
        }
    }
}

/// A worker.
struct Running {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Running {
    /// Waits until it has told so many results; the last of them.
    async fn told(&mut self, results: usize) -> String {
        let mut last = String::new();
        for _ in 0..results {
            let line = timeout(SOON, self.lines.next_line()).await;
            last = line.expect("in time").expect("readable").expect("more");
        }
        last
    }

    fn signal(&self, signal: Signal) {
        let pid = self
            .child
            .id()
            .and_then(|id| Pid::from_raw(id.cast_signed()));
        kill_process(pid.expect("it runs"), signal).expect("it can be signalled");
    }

    /// Waits for its end; what it had not told before.
    async fn ended(mut self) -> Ended {
        let mut stdout = String::new();
        while let Ok(Some(line)) = self.lines.next_line().await {
            stdout += &line;
            stdout.push('\n');
        }
        let output = timeout(SOON, self.child.wait_with_output()).await;
        Ended {
            stdout,
            ..Ended::from(output.expect("in time").expect("it ends"))
        }
    }
}

/// Objects of many sizes, an empty one among them, each of bytes that no other has.
fn put_many(s3: &S3Server, count: usize) -> Vec<(String, Vec<u8>)> {
    let objects = (0..count).map(|number| {
        let key = format!("{:02}/{number:04}.bin", number % 7);
        let size = number * 61 % (32 << 10);
        let mut bytes = payload::ramp_at(number as u64, size).to_vec();
        let own = key.len().min(size);
        bytes[..own].copy_from_slice(&key.as_bytes()[..own]);
        s3.put(BUCKET, &key, bytes.clone());
        (key, bytes)
    });
    objects.collect()
}

#[tokio::test]
async fn a_thousand_objects_arrive_though_the_worker_is_killed_twice() {
    let world = World::new().await;
    let objects = put_many(&world.s3, 1000);
    let queue = world.queue("uploads").await;
    let keys: Vec<String> = objects.iter().map(|(key, _)| key.clone()).collect();
    world.notify(&queue, &keys).await;

    for results in [150, 300] {
        let mut worker = world.start(&queue, &[]);
        worker.told(results).await;
        worker.signal(Signal::KILL);
        assert_eq!(worker.ended().await.code, None, "killed");
    }
    let worker = world.start(&queue, &[]);
    let emptied = timeout(LONG, async {
        while world.held(&queue).await != (0, 0) {
            sleep(LOOK).await;
        }
    });
    emptied.await.expect("in time");
    worker.signal(Signal::TERM);
    let ended = worker.ended().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");

    assert_eq!(
        world.files(),
        keys.into_iter().collect(),
        "nothing else, no temporary either"
    );
    for (key, bytes) in &objects {
        assert!(world.file(key) == *bytes, "{key}");
    }
    assert_eq!(world.s3.keys(BUCKET), [""; 0], "no source is left");
}

/// Hidden for 5 s, and at work for longer: others must not get it meanwhile.
#[tokio::test]
async fn a_message_stays_hidden_for_as_long_as_it_is_worked_at() {
    const SIZE: usize = 2 << 20;
    let world = World::new().await;
    let proxy = Proxy::start(world.sshd.account().port).await;
    proxy.rate(SIZE as u64 / 9);
    world.s3.put(BUCKET, "slow", payload::ramp(SIZE));
    let queue = world.queue("uploads").await;
    world.notify(&queue, &["slow".to_owned()]).await;
    let mut command = world.command(&["--queue", &queue]);
    command.env("SSH_PORT", proxy.port().to_string());
    let mut worker = world.start_by(command);
    let told = {
        let mut telling = std::pin::pin!(worker.told(1));
        loop {
            tokio::select! {
                told = &mut telling => break told,
                () = sleep(LOOK) => {
                    let (shown, _) = world.held(&queue).await;
                    assert!(shown == 0 || proxy.bytes_sent() == 0, "it is shown to others");
                }
            }
        }
    };
    assert!(told.starts_with("delivered s3://inbox/slow"), "{told}");
    worker.signal(Signal::TERM);
    assert_eq!(worker.ended().await.code, Some(0));
    assert_eq!(world.held(&queue).await, (0, 0));
    assert!(world.file("slow") == payload::ramp(SIZE));
}

#[tokio::test]
async fn a_stop_lets_end_what_ends_in_time_and_gives_the_rest_back_at_once() {
    const SIZE: usize = 4 << 20;
    for (seconds, grace, fits) in [(4, "20", true), (60, "1", false)] {
        let world = World::new().await;
        let proxy = Proxy::start(world.sshd.account().port).await;
        proxy.rate(SIZE as u64 / seconds);
        world.s3.put(BUCKET, "large", payload::ramp(SIZE));
        let queue = world.queue("uploads").await;
        world.notify(&queue, &["large".to_owned()]).await;
        let mut command = world.command(&["--queue", &queue, "--jobs", "1", "--grace", grace]);
        command.env("SSH_PORT", proxy.port().to_string());
        let worker = world.start_by(command);
        let begun = timeout(SOON, async {
            while proxy.bytes_sent() < 100_000 {
                sleep(LOOK).await;
            }
        });
        begun.await.expect("in time");
        // One more comes, and is nobody's.
        world.s3.put(BUCKET, "later", "1");
        worker.signal(Signal::TERM);
        world.notify(&queue, &["later".to_owned()]).await;
        let ended = worker.ended().await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert_eq!(
            ended.stdout.contains("delivered s3://inbox/large"),
            fits,
            "{ended:?}"
        );
        let (files, shown) = if fits {
            (&["large"][..], 1)
        } else {
            (&[][..], 2)
        };
        // The line is too slow to take the temporary back over: the next delivery does.
        let mut there = world.files();
        there.retain(|name| !name.starts_with(".large."));
        assert!(there.iter().eq(files), "{there:?}: {ended:?}");
        assert_eq!(world.held(&queue).await, (shown, 0), "{ended:?}");
        assert_eq!(world.s3.exists(BUCKET, "large"), !fits);
        assert!(world.s3.exists(BUCKET, "later"));
    }
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once() {
    let world = World::new().await;
    let proxy = Proxy::start(world.sshd.account().port).await;
    proxy.rate(20_000);
    world.s3.put(BUCKET, "large", payload::ramp(4 << 20));
    let queue = world.queue("uploads").await;
    world.notify(&queue, &["large".to_owned()]).await;
    let mut command = world.command(&["--queue", &queue, "--grace", "100"]);
    command.env("SSH_PORT", proxy.port().to_string());
    let worker = world.start_by(command);
    let begun = timeout(SOON, async {
        while proxy.bytes_sent() < 50_000 {
            sleep(LOOK).await;
        }
    });
    begun.await.expect("in time");
    worker.signal(Signal::INT);
    worker.signal(Signal::TERM);
    let ended = worker.ended().await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(world.s3.exists(BUCKET, "large"));
    assert!(!world.sshd.home().join("large").exists());
}

#[tokio::test]
async fn what_can_never_be_delivered_is_given_up_and_holds_nothing_up() {
    let world = World::new().await;
    for key in ["a", "../b", "c"] {
        world.s3.put(BUCKET, key, key);
    }
    let (queue, dead) = (world.queue("uploads").await, world.queue("dead").await);
    world
        .notify(&queue, &["a", "../b", "c"].map(str::to_owned))
        .await;
    let mut command = world.command(&["--queue", &queue, "--until-empty", "--json"]);
    command.env("DEAD_LETTER_QUEUE_URL", &dead);
    let ended = Ended::of(command).await;
    let mut outcomes: Vec<String> = Vec::new();
    for line in ended.stdout.lines() {
        let record: serde_json::Value = serde_json::from_str(line).expect("JSON");
        testkit::receipt::check(&record);
        outcomes.push(format!("{} {}", record["outcome"], record["key"]));
    }
    outcomes.sort();
    let expected = [
        r#""delivered" "a""#,
        r#""delivered" "c""#,
        r#""failed" "../b""#,
    ];
    assert_eq!(outcomes, expected, "{ended:?}");
    assert_eq!(ended.code, Some(1), "something is not delivered: {ended:?}");
    assert_eq!(world.held(&queue).await, (0, 0));
    assert_eq!(world.held(&dead).await, (1, 0));
}

/// Behind the first failure of a group the rest of it waits; the other groups go on.
#[tokio::test]
async fn a_group_of_a_fifo_queue_keeps_its_order() {
    let world = World::new().await;
    let keys = ["x-/../1", "x-2", "y-1", "y-2"].map(str::to_owned);
    for key in &keys {
        world.s3.put(BUCKET, key, key.clone());
    }
    let queue = world.queue("uploads.fifo").await;
    world.notify(&queue, &keys).await;
    let mut worker = world.start(&queue, &["--json"]);
    let mut told = Vec::new();
    for _ in 0..3 {
        let record: serde_json::Value = serde_json::from_str(&worker.told(1).await).expect("JSON");
        told.push(record["key"].as_str().expect("a key").to_owned());
    }
    worker.signal(Signal::TERM);
    assert_eq!(worker.ended().await.code, Some(0));
    told.sort();
    assert_eq!(told, ["x-/../1", "y-1", "y-2"]);
    let files = ["y-1", "y-2"].map(str::to_owned);
    assert_eq!(world.files(), files.into_iter().collect());
    assert!(
        world.s3.exists(BUCKET, "x-2"),
        "it waits for the one before it"
    );
}

#[tokio::test]
async fn what_cannot_be_started_says_what_to_do() {
    let world = World::new().await;
    let absent = format!("{}/000000000000/absent", world.ministack.endpoint());
    for (queue, says) in [
        (absent.as_str(), "check the URL"),
        ("uploads", "expected the URL of a queue"),
    ] {
        let ended = Ended::of(world.command(&["--queue", queue])).await;
        assert_eq!(ended.code, Some(2), "{ended:?}");
        assert!(ended.stderr.contains(says), "{ended:?}");
    }
    let empty = world.queue("empty").await;
    let ended = Ended::of(world.command(&["--queue", &empty, "--until-empty"])).await;
    assert_eq!(
        (ended.code, ended.stdout.as_str()),
        (Some(0), ""),
        "{ended:?}"
    );
}

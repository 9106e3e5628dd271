//! Many small objects through a queue, by as many invocations at once as the partner's cap allows.
//!
//! The emulator does what this rests on: a mapping has at most `MaximumConcurrency` batches out at once, each in a process of
//! its own. It differs from AWS in three things. It starts no sixth process, so that `SSH_KEEP_CONNECTION=yes` would
//! keep to the cap here, where AWS freezes environments and makes others; it knows no batching window, and asks for
//! the next batch as soon as one is done; and a process is neither frozen nor taken away.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use aws_sdk_sqs::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use serde_json::json;
use testkit::event::{self, ObjectRef};
use testkit::payload;
use testkit::proxy::Proxy;
use testkit::s3::{self, S3Server};

use crate::account::{Account, FUNCTION, INBOX, package};
use crate::process::Function;
use crate::queue::{Queue, create_queue, create_queue_before, held};
use crate::relay::{environment, inbox, mib};
use crate::sessions::Sessions;

/// The partner's cap.
const CONCURRENCY: u64 = 5;
/// Bytes of an object.
const SIZE: usize = 10 * 1024;
/// Of the function, in seconds.
const TIMEOUT: u32 = 30;
/// One of so many requests to S3 fails.
const FAULT_EVERY: u64 = 500;
/// The link is cut twice a minute.
const CUT_EVERY: Duration = Duration::from_secs(30);
/// Where that is not often enough, in the middle of somebody's file: when two of them have gone since.
const CUT_AFTER: u64 = 2 * SIZE as u64;

/// What is delivered. `make soak` sets other figures than `make test`, in the environment.
struct Crowd {
    objects: usize,
    /// Messages that an invocation gets at most.
    batch: usize,
    /// Longer than it takes on a slow machine.
    most: Duration,
}

impl Crowd {
    fn from_environment() -> Self {
        let number = |name: &str| std::env::var(name).ok()?.parse::<usize>().ok();
        let objects = number("CROWD_OBJECTS").unwrap_or(500);
        Self {
            objects,
            batch: number("CROWD_BATCH").unwrap_or(10),
            most: Duration::from_secs(200 + objects as u64 / 5),
        }
    }

    /// Puts them; each in one of eleven directories that have to be made, and with bytes that no other has.
    fn put(&self, s3: &S3Server) -> BTreeMap<String, Vec<u8>> {
        let objects = (0..self.objects).map(|number| {
            let key = format!("{:02}/{number:05}.bin", number % 11);
            let mut bytes = payload::ramp_at(number as u64, SIZE).to_vec();
            bytes[..key.len()].copy_from_slice(key.as_bytes());
            s3.put(INBOX, &key, bytes.clone());
            (key, bytes)
        });
        objects.collect()
    }
}

/// Has one of [`FAULT_EVERY`] requests fail, each time in another way; how many have.
fn fail_now_and_then(s3: &S3Server) -> Arc<AtomicU64> {
    let failed = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&failed);
    let mut requests = 0;
    s3.hook(move |request| {
        requests += 1;
        if requests % FAULT_EVERY > 0 {
            return s3::Action::Pass;
        }
        let number = counter.fetch_add(1, Ordering::SeqCst);
        match (number % 4, request.operation.as_str()) {
            // Nobody asks once more: the message comes again. (What follows the rename would leave the source, and say so.)
            (0, "GetObject") => s3::Action::Fail {
                status: 400,
                code: "BadRequest",
                message: "one of five hundred",
            },
            (1, _) => s3::Action::LoseAnswer,
            (2, "GetObject") => s3::Action::CutBody {
                after: SIZE as u64 / 2,
            },
            _ => s3::Action::slow_down(),
        }
    });
    failed
}

/// A message for each object, as S3 would send it.
async fn send_all(account: &Account, queue: &Queue, s3: &S3Server, keys: &[&String]) {
    let config = aws_sdk_sqs::Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .endpoint_url(account.ministack().endpoint())
        .build();
    let sqs = aws_sdk_sqs::Client::from_conf(config);
    for keys in keys.chunks(10) {
        let mut request = sqs.send_message_batch().queue_url(&queue.url);
        for (number, key) in keys.iter().enumerate() {
            let stored = s3.stored(INBOX, key).expect("it was put");
            let event = event::notification(INBOX, &[ObjectRef::stored(*key, &stored)]);
            let entry = SendMessageBatchRequestEntry::builder()
                .id(number.to_string())
                .message_body(event.to_string())
                .build()
                .expect("an id and a body");
            request = request.entries(entry);
        }
        let answer = request.send().await.expect("MiniStack takes ten messages");
        assert_eq!(answer.failed().len(), 0);
    }
}

/// Has the function read the queue in as many batches at once as the partner allows.
async fn trigger(account: &Account, queue: &Queue, batch: usize) {
    let scaling = json!({ "MaximumConcurrency": CONCURRENCY }).to_string();
    let mapping = [
        "lambda",
        "create-event-source-mapping",
        "--function-name",
        FUNCTION,
        "--event-source-arn",
        &queue.arn,
        "--batch-size",
        &batch.to_string(),
        "--scaling-config",
        &scaling,
        "--function-response-types",
        "ReportBatchItemFailures",
    ];
    account.aws.run(&mapping).await;
}

/// Cuts the link when it is time: twice a minute, and twice in a run that is over sooner.
struct Cutter {
    begin: Instant,
    cuts: u32,
}

impl Cutter {
    fn cut_if_due(&mut self, line: &Proxy, delivered: f64) {
        let by_clock = CUT_EVERY * (self.cuts + 1);
        if self.begin.elapsed() >= by_clock {
            line.cut();
        } else if self.cuts < 2 && delivered >= f64::from(self.cuts + 1) / 3.0 {
            line.cut_after(CUT_AFTER);
        } else {
            return;
        }
        self.cuts += 1;
    }
}

/// Every object arrives once, under its own name, over never more connections than the partner allows: while the link is
/// cut, and S3 fails.
#[tokio::test(flavor = "multi_thread")]
#[expect(
    clippy::print_stdout,
    reason = "figures are what this test is read for"
)]
async fn a_crowd_of_objects_keeps_to_the_partners_cap() {
    let crowd = Crowd::from_environment();
    let account = Account::new().await;
    let s3 = inbox(&account).await;
    let line = Proxy::start(account.sshd().account().port).await;
    let dead = create_queue(&account, "dead", &json!({})).await;
    let mut environment = environment(&s3);
    let mut set = |name: &str, value: String| environment.push((name.to_owned(), value));
    set("SSH_PORT", line.port().to_string());
    // As the template of deploy/ has them.
    set("SSH_KEEP_CONNECTION", "no".to_owned());
    set("DEAD_LETTER_QUEUE_URL", dead.url.clone());
    let (runtime, handler) = ("provided.al2023", "bootstrap");
    account
        .create_function_with(runtime, handler, TIMEOUT, &package(), environment)
        .await;
    let queue = create_queue_before(&account, &dead, 20, 6 * TIMEOUT).await;
    let expected = crowd.put(&s3);
    let keys: Vec<&String> = expected.keys().collect();
    send_all(&account, &queue, &s3, &keys).await;

    let failed = fail_now_and_then(&s3);
    let begin = Instant::now();
    trigger(&account, &queue, crowd.batch).await;
    let mut cutter = Cutter { begin, cuts: 0 };
    let (mut peak, mut processes) = (0, 0);
    loop {
        let left = s3.keys(INBOX).len();
        if left == 0 {
            break;
        }
        assert!(
            begin.elapsed() < crowd.most,
            "{left} not within {:?}:\n{}\n{}",
            crowd.most,
            account.ministack().logs(),
            account.sshd().logs()
        );
        #[expect(clippy::cast_precision_loss, reason = "thousands")]
        let delivered = 1.0 - left as f64 / crowd.objects as f64;
        cutter.cut_if_due(&line, delivered);
        let functions = Function::all(account.ministack());
        let memory = functions.iter().filter_map(|it| it.peak_memory()).max();
        peak = peak.max(memory.unwrap_or_default());
        processes = processes.max(functions.len());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let seconds = begin.elapsed().as_secs_f64();
    account
        .eventually("the queue is empty", async || {
            held(&account, &queue).await == 0
        })
        .await;

    let there = files(account.sshd().home());
    let names: BTreeSet<&String> = there.keys().collect();
    let wanted: BTreeSet<&String> = expected.keys().collect();
    let missing: Vec<_> = wanted.difference(&names).collect();
    let odd: Vec<_> = names.difference(&wanted).collect();
    assert!(missing.is_empty(), "lost: {missing:?}");
    assert!(odd.is_empty(), "under another name: {odd:?}");
    for (key, bytes) in &expected {
        assert!(there[key] == *bytes, "{key} is another file");
    }
    assert_eq!(held(&account, &dead).await, 0, "nothing was given up");

    let sessions = Sessions::of(&account.sshd().logs());
    let logs = account.ministack().logs();
    let receives = receives(&logs);
    let receipts = logs.matches("delivered s3://inbox/").count();
    println!(
        "{} objects in {seconds:.1} s, {} a batch; connections at once: {} at the line, {} at the server, {} \
         logged in, of {} and {}, {} gone without a word; {processes} processes; {} cuts, {} of {} S3 requests failed; {receives} receives, \
         {receipts} receipts; VmHWM {:.1} MiB",
        crowd.objects,
        crowd.batch,
        line.most_open(),
        sessions.most_open,
        sessions.most_logged_in,
        sessions.connections,
        sessions.logins,
        sessions.untold,
        cutter.cuts,
        failed.load(Ordering::SeqCst),
        s3.requests().len(),
        mib(peak),
    );
    let sshd = account.sshd();
    account
        .eventually("each session has ended", async || {
            sshd.process().children().is_empty()
        })
        .await;
    let logs = format!("{sessions:?}\n{logs}\n{}", sshd.logs());
    assert!(sessions.open.is_empty(), "not told of each end: {logs}");
    // Only a cut ends one so early that it is not told of.
    assert!(
        sessions.untold as u64 <= u64::from(cutter.cuts) * CONCURRENCY,
        "{logs}"
    );
    assert!(line.most_open() <= CONCURRENCY, "{logs}");
    assert!(sessions.most_logged_in as u64 <= CONCURRENCY, "{logs}");
    // The measurement measures, and what it is for has happened.
    assert_eq!(processes as u64, CONCURRENCY);
    assert!(sessions.most_logged_in > 1);
    assert!(cutter.cuts >= 2);
    assert!(failed.load(Ordering::SeqCst) >= 2);
}

/// Every file below a directory, by its path there: hidden ones too.
fn files(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut directories = vec![root.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory).expect("a directory of the test's") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                directories.push(path);
                continue;
            }
            let name = path.strip_prefix(root).expect("it is below");
            let name = name.to_str().expect("text").to_owned();
            files.insert(name, fs::read(&path).expect("a file of the test's"));
        }
    }
    files
}

/// How often messages were received: the emulator tells what has become of each batch.
fn receives(logs: &str) -> usize {
    let number =
        |text: Option<&str>| -> Option<usize> { text?.split_whitespace().next()?.parse().ok() };
    let batch = |line: &str| {
        let (_, rest) = line.split_once(" processed ")?;
        let (_, failures) = rest.split_once('(').unzip();
        Some(number(Some(rest))? + number(failures).unwrap_or(0))
    };
    logs.lines().filter_map(batch).sum()
}

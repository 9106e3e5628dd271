//! An object that takes many invocations, through a real queue; messages that fail, in one.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testkit::event::{self, ObjectRef};
use testkit::payload;
use testkit::proxy::Proxy;
use testkit::s3::{self, S3Server};

use crate::account::{Account, FUNCTION, INBOX, package, text};
use crate::process::Function;
use crate::queue::{create_queue, create_queue_before, held, receive, send, trigger_by};

const MIB: u64 = 1024 * 1024;

/// Of the function, in seconds. Lambda wants the visibility time-out to be at least that.
const TIMEOUT: u32 = 6;

/// What is relayed. `make soak` sets other figures than `make test`, in the environment.
struct Relayed {
    /// Bytes.
    size: u64,
    /// Of the function, in seconds.
    timeout: u32,
    /// What S3 sends at most in a second; none for as much as it can.
    bytes_per_second: Option<u64>,
    /// Longer than it takes on a slow machine.
    most: Duration,
}

impl Relayed {
    fn from_environment() -> Self {
        let number = |name: &str| std::env::var(name).ok()?.parse::<u64>().ok();
        let size = number("RELAY_MIB").unwrap_or(512);
        let timeout = number("RELAY_TIMEOUT").and_then(|it| it.try_into().ok());
        let rate = number("RELAY_MIB_PER_SECOND").unwrap_or(18);
        Self {
            size: size * MIB,
            timeout: timeout.unwrap_or(TIMEOUT),
            bytes_per_second: (rate > 0).then_some(rate * MIB),
            most: Duration::from_secs(200 + size / 10),
        }
    }
}

/// An S3 for large and slow objects in front of the account's: with a bucket, and the private key.
pub(crate) async fn inbox(account: &Account) -> S3Server {
    let s3 = S3Server::start().await;
    s3.create_bucket(INBOX);
    s3.create_bucket("secrets");
    let key = account.sshd().account().private_key;
    s3.put("secrets", "id", key.expect("a key to log in with"));
    s3
}

/// What has the function read from there.
pub(crate) fn environment(s3: &S3Server) -> Vec<(String, String)> {
    vec![("AWS_ENDPOINT_URL_S3".to_owned(), s3.endpoint())]
}

/// Has S3 send at most so much in a second: over one connection, and what would be read ahead over others is
/// refused.
fn slow(s3: &S3Server, bytes_per_second: u64) {
    s3.hook(move |request| match request.operation.as_str() {
        "GetObject" if is_read_ahead(request) => s3::Action::access_denied(),
        "GetObject" if request.bucket == INBOX => s3::Action::Slow { bytes_per_second },
        _ => s3::Action::Pass,
    });
}

/// What goes on where an answer or an invocation stopped asks for all the rest.
fn is_read_ahead(request: &s3::Request) -> bool {
    let range = request.range.as_deref();
    range.is_some_and(|range| !range.ends_with('-'))
}

/// The largest count of hops in the receipts of a log.
fn hops(logs: &str) -> Option<u64> {
    let receipts = logs.split(r#""hops":"#).skip(1);
    let number = |rest: &str| {
        let end = rest.find(|c: char| !c.is_ascii_digit())?;
        rest[..end].parse().ok()
    };
    receipts.filter_map(number).max()
}

/// Half a GiB takes at least six invocations of six seconds, two of which are killed. It costs neither a byte of the
/// file, nor a receive, nor more than a hop's bytes sent twice, nor memory.
#[tokio::test(flavor = "multi_thread")]
#[expect(
    clippy::print_stdout,
    reason = "figures are what this test is read for"
)]
async fn an_object_is_relayed_through_a_queue_by_invocations_that_are_killed() {
    const KEY: &str = "large.bin";
    /// Bytes of a hop after which it is killed: some, and less than half of those that it would have moved, so that two
    /// kills repeat no more than one hop.
    const KILLED_AFTER: u64 = 8 * MIB;
    /// The connections in which that happens.
    const KILLED: [u64; 2] = [3, 5];

    let relayed = Relayed::from_environment();
    let size = relayed.size;
    let account = Account::new().await;
    let s3 = inbox(&account).await;
    let line = Proxy::start(account.sshd().account().port).await;
    for connection in KILLED {
        line.stall_after(connection, KILLED_AFTER);
    }
    let mut environment = environment(&s3);
    environment.push(("SSH_PORT".to_owned(), line.port().to_string()));
    // A connection for each hop: that is what they are told by here.
    environment.push(("SSH_KEEP_CONNECTION".to_owned(), "no".to_owned()));
    account
        .create_function_with(
            "provided.al2023",
            "bootstrap",
            relayed.timeout,
            &package(),
            environment,
        )
        .await;
    let dead = create_queue(&account, "dead", &json!({})).await;
    let queue = create_queue_before(&account, &dead, 3, relayed.timeout).await;
    trigger_by(&account, &queue).await;

    let stored = s3.put_generated(INBOX, KEY, size);
    if let Some(rate) = relayed.bytes_per_second {
        slow(&s3, rate);
    }
    let event = event::notification(INBOX, &[ObjectRef::stored(KEY, &stored)]);
    let begin = Instant::now();
    send(&account, &queue, &event.to_string()).await;

    let (mut peak, mut kills) = (0, 0);
    while s3.exists(INBOX, KEY) {
        assert!(
            begin.elapsed() < relayed.most,
            "not within {:?}:\n{}",
            relayed.most,
            account.ministack().logs()
        );
        let functions = Function::all(account.ministack());
        let memory = functions.iter().filter_map(|it| it.peak_memory()).max();
        peak = peak.max(memory.unwrap_or_default());
        // However late this is looked at: not a byte more has gone.
        if line.is_stalled() {
            let [function] = functions[..] else {
                panic!("one process at a time, not {functions:?}");
            };
            function.kill().await;
            line.go_on();
            kills += 1;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let seconds = begin.elapsed().as_secs();

    let path = account.sshd().home().join(KEY);
    let difference = payload::first_difference_in_file(&path, size);
    assert_eq!(difference.expect("the file is there"), None);
    account
        .eventually("the queue is empty", async || {
            held(&account, &queue).await == 0
        })
        .await;
    assert_eq!(held(&account, &dead).await, 0, "nothing was given up");
    let hops = hops(&account.ministack().logs()).expect("a receipt");
    let (sent, longest_hop) = (line.bytes_sent(), line.most_bytes_sent());
    let connections = line.connections();
    println!(
        "{hops} hand-overs, {kills} kills, {connections} connections, {seconds} s; sent {:.1} MiB \
         of {}, the longest hop {:.1}; VmHWM {:.1} MiB",
        mib(sent),
        size / MIB,
        mib(longest_hop),
        mib(peak)
    );
    assert_eq!(kills, KILLED.len());
    assert!(hops >= 6, "{hops} hand-overs");
    assert!(sent <= size + longest_hop, "{:.1} MiB were sent", mib(sent));
    assert!(peak < 96 * MIB, "VmHWM is {:.1} MiB", mib(peak));
    assert!(peak > 4 * MIB, "the measurement measures");
}

#[expect(clippy::cast_precision_loss, reason = "shown with one decimal")]
pub(crate) fn mib(bytes: u64) -> f64 {
    bytes as f64 / MIB as f64
}

#[tokio::test]
async fn a_direct_event_is_relayed_by_the_function_that_invokes_itself() {
    const SIZE: u64 = 48 * MIB;
    let account = Account::new().await;
    let s3 = inbox(&account).await;
    account
        .create_function_with(
            "provided.al2023",
            "bootstrap",
            TIMEOUT,
            &package(),
            environment(&s3),
        )
        .await;
    let stored = s3.put_generated(INBOX, "large.bin", SIZE);
    slow(&s3, 8 * MIB);
    let event = event::notification(INBOX, &[ObjectRef::stored("large.bin", &stored)]);
    let payload = account.write("event", event.to_string());
    let answer = account.write("answer", "");
    account
        .aws
        .run(&[
            "lambda",
            "invoke",
            "--function-name",
            FUNCTION,
            "--invocation-type",
            "Event",
            "--payload",
            &format!("fileb://{}", text(&payload)),
            text(&answer),
        ])
        .await;
    account
        .eventually("the source is gone", async || {
            !s3.exists(INBOX, "large.bin")
        })
        .await;
    let path = account.sshd().home().join("large.bin");
    let difference = payload::first_difference_in_file(&path, SIZE);
    assert_eq!(difference.expect("the file is there"), None);
    let requests = s3.requests();
    let ranges = requests
        .iter()
        .filter(|it| it.operation == "GetObject" && it.key == "large.bin")
        .filter(|it| !is_read_ahead(it))
        .map(|it| it.range.is_some());
    let ranges: Vec<bool> = ranges.collect();
    assert!(ranges.len() >= 2, "another invocation went on: {ranges:?}");
    let begun_anew = ranges.iter().skip(1).any(|is_range| !is_range);
    assert!(!begun_anew, "{ranges:?}");
}

/// The queue by itself would show it after ten minutes, and give a reject up after twenty receives.
#[tokio::test]
async fn a_failed_message_comes_again_at_its_own_time_and_a_reject_is_given_up_at_once() {
    let account = Account::new().await;
    let s3 = inbox(&account).await;
    let dead = create_queue(&account, "dead", &json!({})).await;
    let queue = create_queue_before(&account, &dead, 20, 600).await;
    let mut environment = environment(&s3);
    environment.push(("DEAD_LETTER_QUEUE_URL".to_owned(), dead.url.clone()));
    account
        .create_function_with(
            "provided.al2023",
            "bootstrap",
            TIMEOUT,
            &package(),
            environment,
        )
        .await;
    // A message that fails once.
    let stored = s3.put(INBOX, "a", payload::ramp(1000));
    let (tell, attempts) = mpsc::channel();
    let mut is_first = true;
    s3.hook(move |request| {
        if request.operation != "GetObject" || request.bucket != INBOX {
            return s3::Action::Pass;
        }
        // Nobody listens when the test is over.
        tell.send(Instant::now()).ok();
        if std::mem::take(&mut is_first) {
            s3::Action::Fail {
                status: 400,
                code: "BadRequest",
                message: "once",
            }
        } else {
            s3::Action::Pass
        }
    });
    let notification = event::notification(INBOX, &[ObjectRef::stored("a", &stored)]);
    send(&account, &queue, &notification.to_string()).await;
    trigger_by(&account, &queue).await;
    send(&account, &queue, "no JSON at all").await;

    let mut letters = Vec::new();
    account
        .eventually("the reject is in the dead-letter queue", async || {
            letters.extend(receive(&account, &dead).await);
            !letters.is_empty()
        })
        .await;
    let [letter] = &letters[..] else {
        panic!("one letter, not {letters:?}");
    };
    assert_eq!(letter["Body"], "no JSON at all");
    let attribute = |name: &str| letter["MessageAttributes"][name]["StringValue"].clone();
    assert_eq!(attribute("ErrorType"), "EventNotUnderstood");
    assert_eq!(attribute("SourceQueueArn"), queue.arn);
    assert_eq!(attribute("ReceiveCount"), Value::from("1"));

    account
        .eventually("the source is gone", async || !s3.exists(INBOX, "a"))
        .await;
    let path = account.sshd().home().join("a");
    let difference = payload::first_difference_in_file(&path, 1000);
    assert_eq!(difference.expect("the file is there"), None);
    let attempts: Vec<Instant> = attempts.try_iter().collect();
    let [first, second] = attempts[..] else {
        panic!("two attempts, not {attempts:?}");
    };
    let waited = second - first;
    assert!(waited >= Duration::from_secs(24), "{waited:?}");
    assert_eq!(held(&account, &dead).await, 1);
}

//! A thousand objects, and a worker that is killed twice.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_sqs::types::{QueueAttributeName as Attribute, SendMessageBatchRequestEntry};
use testkit::event::{self, ObjectRef};
use testkit::payload;
use testkit::s3::S3Server;
use testkit::servers::process::Process;
use testkit::servers::{MiniStack, Sshd};

use crate::world::{BUCKET, command, ended, eventually, names, spawn};

const OBJECTS: u64 = 1000;
const LARGEST: usize = 64 << 10;
/// Directories on the server.
const DIRECTORIES: u64 = 10;
const JOBS: usize = 16;
/// The least for which a worker hides a message: what a killed one had in hand is there for the next one soon.
const VISIBILITY: &str = "5";

/// At how many files on the server it is killed.
const KILLS: [usize; 2] = [200, 600];

/// Killed in the midst of what it does, a worker leaves nothing undone that the next one does not do, and nothing half done
/// under a name that somebody reads.
#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_objects_arrive_though_the_worker_is_killed_twice() {
    let ministack = MiniStack::start()
        .await
        .unwrap_or_else(|missing| panic!("{missing}"));
    let sshd = Sshd::start()
        .await
        .unwrap_or_else(|missing| panic!("{missing}"));
    let s3 = S3Server::start().await;
    s3.create_bucket(BUCKET);
    let sqs = client(ministack.endpoint());
    let created = sqs
        .create_queue()
        .queue_name("inbox")
        .attributes(Attribute::VisibilityTimeout, VISIBILITY)
        .send();
    let created = created.await.expect("a queue");
    let url = created.queue_url.expect("its URL");
    let objects = upload(&s3, &sqs, &url).await;

    let start = || {
        let jobs = JOBS.to_string();
        let mut command = command(
            &sshd.account(),
            &["--queue", &url, "--jobs", &jobs, "--grace", "30"],
        );
        command
            .envs(s3.env())
            .env("AWS_ENDPOINT_URL_SQS", ministack.endpoint());
        spawn(command)
    };
    for files in KILLS {
        let worker = start();
        eventually("some files", &worker, async || {
            delivered(sshd.home(), &objects) >= files
        })
        .await;
        worker.kill();
        ended(&worker).await;
        // It was in the middle.
        let count = delivered(sshd.home(), &objects);
        assert!(count < objects.len(), "{count}");
    }
    let worker = start();
    eventually("the queue is empty", &worker, async || {
        held(&sqs, &url).await == 0
    })
    .await;
    worker.terminate();
    let last = ended(&worker).await;
    assert_eq!(last.code, Some(0), "{last:?}");

    assert_eq!(held(&sqs, &url).await, 0);
    assert_eq!(s3.keys(BUCKET), [""; 0], "{}", last.logs);
    assert_all_there(sshd.home(), &objects, &worker);
}

/// Every object byte by byte under its name, and beside them nothing but temporaries of what was killed, which `s3-to-sftp
/// clean` removes.
fn assert_all_there(home: &Path, objects: &BTreeMap<String, u64>, last: &Process) {
    for (key, seed) in objects {
        let content = fs::read(home.join(key))
            .unwrap_or_else(|error| panic!("{key}: {error}\n{}", last.logs()));
        let expected = payload::seeded(*seed, size(*seed));
        assert!(content == expected, "{key}: {} bytes", content.len());
    }
    let mut temporaries = 0;
    let mut expected_directories: Vec<String> = (0..DIRECTORIES).map(|it| it.to_string()).collect();
    expected_directories.sort();
    assert_eq!(names(home), expected_directories);
    for directory in &expected_directories {
        for name in names(&home.join(directory)) {
            if objects.contains_key(&format!("{directory}/{name}")) {
                continue;
            }
            assert!(
                is_temporary(directory, &name, objects),
                "{directory}/{name}"
            );
            temporaries += 1;
        }
    }
    let most = KILLS.len() * JOBS;
    assert!(temporaries <= most, "{temporaries}");
}

/// `.{name}.{tag}.part` with a tag of twenty hexadecimal digits, of one of the objects.
fn is_temporary(directory: &str, name: &str, objects: &BTreeMap<String, u64>) -> bool {
    let parts = name
        .strip_prefix('.')
        .and_then(|rest| rest.strip_suffix(".part"))
        .and_then(|rest| rest.rsplit_once('.'));
    parts.is_some_and(|(of, tag)| {
        objects.contains_key(&format!("{directory}/{of}"))
            && tag.len() == 20
            && tag.bytes().all(|byte| byte.is_ascii_hexdigit())
    })
}

/// Stores the objects and puts an event of each into the queue; their keys, and what each was made from.
async fn upload(s3: &S3Server, sqs: &Client, url: &str) -> BTreeMap<String, u64> {
    let mut objects = BTreeMap::new();
    let mut entries = Vec::new();
    for number in 0..OBJECTS {
        let key = format!("{}/{number:04}.bin", number % DIRECTORIES);
        let stored = s3.put(BUCKET, &key, payload::seeded(number, size(number)));
        let event = event::notification(BUCKET, &[ObjectRef::stored(&key, &stored)]);
        let entry = SendMessageBatchRequestEntry::builder()
            .id(number.to_string())
            .message_body(event.to_string())
            .build()
            .expect("an id and a body");
        entries.push(entry);
        objects.insert(key, number);
    }
    for entries in entries.chunks(10) {
        let sent = sqs.send_message_batch().queue_url(url);
        let sent = sent.set_entries(Some(entries.to_vec())).send().await;
        let sent = sent.expect("the queue takes messages");
        assert_eq!(sent.successful.len(), entries.len(), "{sent:?}");
    }
    objects
}

/// From nothing to the largest, the same in every run.
fn size(number: u64) -> usize {
    // 97 is prime to the number of steps, so that sizes are mixed.
    let step = usize::try_from(number * 97 % 256).expect("small");
    step * LARGEST / 255
}

fn delivered(home: &Path, objects: &BTreeMap<String, u64>) -> usize {
    objects.keys().filter(|key| home.join(key).exists()).count()
}

/// How many messages a queue holds, those in flight included.
async fn held(sqs: &Client, url: &str) -> u32 {
    let names = [
        Attribute::ApproximateNumberOfMessages,
        Attribute::ApproximateNumberOfMessagesNotVisible,
    ];
    let asked = sqs
        .get_queue_attributes()
        .queue_url(url)
        .set_attribute_names(Some(names.to_vec()));
    let answer = asked.send().await.expect("the queue answers");
    let attributes = answer.attributes.unwrap_or_default();
    let number = |name| attributes.get(name)?.parse::<u32>().ok();
    names
        .iter()
        .map(|name| number(name).expect("a number"))
        .sum()
}

fn client(endpoint: &str) -> Client {
    let config = aws_sdk_sqs::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .endpoint_url(endpoint)
        .build();
    Client::from_conf(config)
}

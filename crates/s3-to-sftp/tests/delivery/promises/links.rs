//! Links that break, and transfers that take longer than an invocation.

use std::sync::Mutex;
use std::time::Duration;

use s3_to_sftp::event::{Event, Item, parse};
use s3_to_sftp::hand_over::{Relay, RelayError};
use s3_to_sftp::invocation::Deliverer;
use s3_to_sftp::owner::Owner;
use s3_to_sftp::receipt::{Outcome, Receipt};
use s3_to_sftp::source::ChecksumCheck;
use testkit::payload;
use testkit::proxy::Proxy;
use testkit::s3::Action;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::world::{Lack, World, job};

/// Takes messages as a queue would.
#[derive(Debug, Default)]
pub(crate) struct Mailbox(Mutex<Vec<String>>);

impl Mailbox {
    /// The one message in it, as the event that it is.
    pub(crate) fn take(&self) -> Item {
        let message = self.take_text();
        match parse(message.as_bytes()) {
            Ok(Event::Notification(mut items)) if items.len() == 1 => items.remove(0),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn take_text(&self) -> String {
        let message = self.0.lock().expect("nobody panics").pop();
        message.expect("a message was sent")
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.lock().expect("nobody panics").is_empty()
    }
}

impl Relay for &Mailbox {
    async fn send(&self, message: &str) -> Result<(), RelayError> {
        let mut messages = self.0.lock().expect("nobody panics");
        messages.push(message.to_owned());
        Ok(())
    }
}

/// One invocation with so much time, which hands over to `mailbox`.
pub(crate) async fn invocation(
    deliverer: &Deliverer,
    mailbox: &Mailbox,
    time: Duration,
    item: Item,
    owner: Owner,
) -> Outcome {
    let now = Instant::now();
    let invocation = deliverer
        .invocation(now + time)
        .ending_by(now + time + Duration::from_secs(1));
    let invocation = invocation.handing_over_to(mailbox);
    let outcome = invocation.deliver(item, owner).await;
    invocation.finish().await;
    outcome
}

/// Invocations of so much time each, until one does not hand over: how many did, and what the last one says.
pub(crate) async fn relay(deliverer: &Deliverer, key: &str, time: Duration) -> (u32, Outcome) {
    let mailbox = Mailbox::default();
    let mut item = job(World::BUCKET, key);
    for hops in 0..50 {
        let owner = Owner::attempt(format!("message-{hops}"), 1);
        let outcome = invocation(deliverer, &mailbox, time, item, owner).await;
        if !matches!(outcome, Outcome::Continued(..)) {
            assert!(mailbox.is_empty(), "only who hands over sends");
            return (hops, outcome);
        }
        item = mailbox.take();
    }
    panic!("a relay without an end")
}

pub(crate) fn delivered(outcome: Outcome) -> Receipt {
    match outcome {
        Outcome::Delivered(receipt, _) => *receipt,
        other => panic!("{other:?}"),
    }
}

/// So slow that it takes several invocations of a second and a half.
fn slow(world: &World) {
    world.s3.hook(|request| match request.operation.as_str() {
        "GetObject" if request.key != "key" => Action::Slow {
            bytes_per_second: 1_500_000,
        },
        _ => Action::Pass,
    });
}

/// The next range comes up to its middle: told by the first, and the rest comes when the second is dropped.
fn hold_the_rest(world: &World) -> (oneshot::Receiver<()>, oneshot::Sender<()>) {
    let (reached_sender, reached) = oneshot::channel();
    let (release, released) = oneshot::channel::<()>();
    let mut hold = Some((reached_sender, released));
    world.s3.clear_hooks();
    // Where nothing can be gone on with, it is asked for from its beginning.
    let is_begun_anew = world.lacks(Lack::GoingOn);
    world.s3.hook(move |request| {
        let is_object = request.operation == "GetObject" && request.key == "f";
        let is_it = is_object && (request.range.is_some() || is_begun_anew);
        match hold.take_if(|_| is_it) {
            Some((reached, released)) => Action::hold_at(500_000, async {
                _ = reached.send(());
                released.await
            }),
            None => Action::Pass,
        }
    });
    (reached, release)
}

/// A line so long that one channel's window holds it back.
pub(crate) async fn several_channels_write_one_file(world: World) {
    const SIZE: usize = 40 * 1024 * 1024 + 7;
    world.put("f", payload::ramp(SIZE));
    let proxy = Proxy::start(world.account.port).await;
    proxy.delay(Duration::from_millis(20));
    let port = proxy.port().to_string();
    let deliverer = world.deliverer(&[("SSH_PORT", &port), ("SSH_CHANNELS", "4")]);
    let receipt = delivered(world.deliver_by(&deliverer, "f").await);
    let (channels, connections) = (receipt.channels, proxy.connections());
    if world.lacks(Lack::SeveralChannels) {
        assert_eq!(channels, 1, "{receipt:?}");
    } else {
        assert_eq!((channels, connections), (4, 1));
    }
    assert!(world.file("f") == payload::ramp(SIZE), "byte by byte");
    world.assert_only(&["f"]);
}

/// The link is cut in the middle: what was acknowledged is not sent again.
pub(crate) async fn a_broken_link_is_gone_on_with(world: World) {
    const SIZE: usize = 24 * 1024 * 1024;
    world.put("f", payload::ramp(SIZE));
    let proxy = Proxy::start(world.account.port).await;
    proxy.cut_after(SIZE as u64 * 2 / 3);
    let port = proxy.port().to_string();
    let deliverer = world.deliverer(&[("SSH_PORT", &port)]);
    let outcome = world.deliver_by(&deliverer, "f").await;
    assert!(matches!(outcome, Outcome::Delivered(..)), "{outcome:?}");
    assert_eq!(proxy.connections(), 2);
    assert!(
        world.file("f") == payload::ramp(SIZE),
        "it arrived byte by byte"
    );
    world.assert_only(&["f"]);
    if world.lacks(Lack::GoingOn) {
        return;
    }
    // The window, and what the kernel and the proxy held, were lost; nothing near the whole.
    let twice = proxy.bytes_sent() - SIZE as u64;
    assert!(twice < SIZE as u64 / 2, "{twice} bytes were sent twice");
}

pub(crate) async fn a_transfer_longer_than_an_invocation_is_handed_over(world: World) {
    const SIZE: usize = 3 * 1024 * 1024 + 7;
    world.put("f", payload::ramp(SIZE));
    slow(&world);
    let deliverer = world.deliverer(&[]);
    let (hops, outcome) = relay(&deliverer, "f", Duration::from_millis(1500)).await;
    if world.lacks(Lack::GoingOn) {
        let Outcome::Failed(error) = outcome else {
            panic!("{outcome:?}")
        };
        assert_eq!(error.name(), "NoProgress", "{}", error.report());
        assert!(world.has_source("f"));
        world.assert_only(&[]);
        return;
    }
    let receipt = delivered(outcome);
    assert!(hops >= 2, "{hops} hand-overs");
    assert_eq!(receipt.hops, hops);
    assert!(
        matches!(receipt.checksum, ChecksumCheck::Equal { .. }),
        "every byte is compared with S3's checksum: {receipt:?}"
    );
    assert!(receipt.bytes_resumed > 0, "{receipt:?}");
    assert!(
        receipt.bytes_sent + receipt.bytes_resumed >= SIZE as u64,
        "{receipt:?}"
    );
    assert!(
        world.file("f") == payload::ramp(SIZE),
        "it arrived byte by byte"
    );
    assert!(!world.has_source("f"));
    world.assert_only(&["f"]);
}

/// An invocation dies in the middle of a relay; its message comes again.
pub(crate) async fn a_relay_survives_a_crash(world: World) {
    const SIZE: usize = 3 * 1024 * 1024;
    let time = Duration::from_millis(1500);
    world.put("f", payload::ramp(SIZE));
    slow(&world);
    let deliverer = world.deliverer(&[]);
    let mailbox = Mailbox::default();
    let first = Owner::attempt("first", 1);
    let outcome = invocation(&deliverer, &mailbox, time, job(World::BUCKET, "f"), first).await;
    let Outcome::Continued(_, Some(offset)) = outcome else {
        panic!("{outcome:?}")
    };
    let item = mailbox.take();
    let (reached, release) = hold_the_rest(&world);
    {
        let crashing = deliverer.invocation(world.soon()).handing_over_to(&mailbox);
        tokio::select! {
            outcome = crashing.deliver(item.clone(), Owner::attempt("second", 1)) => panic!("{outcome:?}"),
            // It has taken the file over and writes to it.
            _ = reached => {}
        }
    }
    drop(release);
    assert!(mailbox.is_empty());
    world.s3.clear_hooks();
    let again = Owner::attempt("second", 2);
    let outcome = invocation(&deliverer, &mailbox, Duration::from_secs(30), item, again).await;
    delivered(outcome);
    assert!(offset > 0);
    assert!(
        world.file("f") == payload::ramp(SIZE),
        "it arrived byte by byte"
    );
    world.assert_only(&["f"]);
}

/// Something else is put under the key between two invocations: it is delivered, and nothing else is left.
pub(crate) async fn a_relay_whose_object_changes_begins_anew(world: World) {
    const SIZE: usize = 3 * 1024 * 1024;
    world.put("f", payload::ramp(SIZE));
    slow(&world);
    let deliverer = world.deliverer(&[]);
    let mailbox = Mailbox::default();
    let time = Duration::from_millis(1500);
    let first = Owner::attempt("first", 1);
    let outcome = invocation(&deliverer, &mailbox, time, job(World::BUCKET, "f"), first).await;
    assert!(matches!(outcome, Outcome::Continued(..)), "{outcome:?}");
    world.s3.clear_hooks();
    world.put("f", payload::seeded(2, SIZE));
    let second = Owner::attempt("second", 1);
    let time = Duration::from_secs(30);
    let outcome = invocation(&deliverer, &mailbox, time, mailbox.take(), second).await;
    delivered(outcome);
    assert!(world.file("f") == payload::seeded(2, SIZE), "the newer one");
    world.assert_only(&["f"]);
}

/// It is deleted between two invocations: nothing is left.
pub(crate) async fn a_relay_whose_object_is_deleted_leaves_nothing(world: World) {
    world.put("f", payload::ramp(3 * 1024 * 1024));
    slow(&world);
    let deliverer = world.deliverer(&[]);
    let mailbox = Mailbox::default();
    let time = Duration::from_millis(1500);
    let first = Owner::attempt("first", 1);
    let outcome = invocation(&deliverer, &mailbox, time, job(World::BUCKET, "f"), first).await;
    assert!(matches!(outcome, Outcome::Continued(..)), "{outcome:?}");
    world.s3.store().delete(World::BUCKET, "f");
    let second = Owner::attempt("second", 1);
    let outcome = invocation(&deliverer, &mailbox, time, mailbox.take(), second).await;
    assert!(matches!(outcome, Outcome::Gone(_)), "{outcome:?}");
    world.assert_only(&[]);
}

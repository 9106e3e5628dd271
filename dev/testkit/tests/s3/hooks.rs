//! What a test can do to a request.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::{ResponseChecksumValidation, StalledStreamProtectionConfig};
use testkit::payload::ramp;
use testkit::s3::{Action, Request};
use tokio::sync::oneshot;

use super::*;

/// A client that tries once and looks at no checksum: what is seen is what the hook did.
fn plain(server: &S3Server) -> Client {
    let config = server.config().retry_config(RetryConfig::disabled());
    let config = config.response_checksum_validation(ResponseChecksumValidation::WhenRequired);
    Client::from_conf(
        config
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .build(),
    )
}

/// All of the body that arrived, and whether it ended well.
async fn drain(mut body: ByteStream) -> (Vec<u8>, bool) {
    let mut got = Vec::new();
    loop {
        match body.next().await {
            Some(Ok(chunk)) => got.extend_from_slice(&chunk),
            Some(Err(_)) => return (got, false),
            None => return (got, true),
        }
    }
}

fn once(
    mut action: impl FnMut() -> Action + Send + 'static,
) -> impl FnMut(&Request) -> Action + Send + 'static {
    move |request| {
        if request.number == 1 {
            action()
        } else {
            Action::Pass
        }
    }
}

#[tokio::test]
async fn a_request_is_failed_as_asked() -> Outcome {
    let (server, s3) = server().await;
    let once_only = plain(&server);
    server.put(BUCKET, "k", "abc");
    server.hook(|request| {
        if request.operation == "GetObject" {
            Action::access_denied()
        } else {
            Action::Pass
        }
    });
    assert_eq!(
        refusal(once_only.get_object().bucket(BUCKET).key("k").send().await),
        refused(403, "AccessDenied")
    );
    assert!(
        once_only
            .head_object()
            .bucket(BUCKET)
            .key("k")
            .send()
            .await
            .is_ok()
    );
    // The last one registered is asked first.
    server.hook(once(Action::slow_down));
    let put = once_only
        .put_object()
        .bucket(BUCKET)
        .key("new")
        .body(ramp(100_000).into());
    assert_eq!(refusal(put.send().await), refused(503, "SlowDown"));
    assert!(!server.exists(BUCKET, "new"));
    let teapot = || Action::Fail {
        status: 418,
        code: "Teapot",
        message: "short and stout",
    };
    server.hook(move |_| teapot());
    assert_eq!(
        refusal(once_only.get_object().bucket(BUCKET).key("k").send().await),
        refused(418, "Teapot")
    );
    server.clear_hooks();
    assert!(s3.get_object().bucket(BUCKET).key("k").send().await.is_ok());
    Ok(())
}

#[tokio::test]
async fn a_lost_answer_is_one_to_a_request_that_was_carried_out() -> Outcome {
    let (server, _) = server().await;
    server.put(BUCKET, "k", "abc");
    server.hook(once(|| Action::LoseAnswer));
    let s3 = plain(&server);
    let lost = s3
        .delete_object()
        .bucket(BUCKET)
        .key("k")
        .send()
        .await
        .expect_err("no answer");
    assert!(lost.raw_response().is_none());
    assert!(!server.exists(BUCKET, "k"));
    Ok(())
}

#[tokio::test]
async fn a_body_is_cut_to_the_byte() -> Outcome {
    let (server, _) = server().await;
    let size = 3 << 20;
    server.put(BUCKET, "k", ramp(size));
    let s3 = plain(&server);
    for after in [0, 1, 256 << 10, (1 << 20) + 7, size - 1] {
        server.hook(move |_| Action::CutBody {
            after: after as u64,
        });
        let got = s3.get_object().bucket(BUCKET).key("k").send().await?;
        assert_eq!(got.content_length(), Some(i64::try_from(size)?));
        let (bytes, complete) = drain(got.body).await;
        assert_eq!((bytes.len(), complete), (after, false));
        assert_eq!(bytes, ramp(after));
    }
    server.hook(move |_| Action::CutBody { after: size as u64 });
    let (bytes, complete) = drain(s3.get_object().bucket(BUCKET).key("k").send().await?.body).await;
    assert_eq!((bytes.len(), complete), (size, true));
    Ok(())
}

/// The detector detects: with its defaults the SDK notices one wrong byte.
#[tokio::test]
async fn a_corrupt_byte_is_one_byte() -> Outcome {
    let (server, s3) = server().await;
    server.put(BUCKET, "k", ramp(1 << 20));
    server.hook(|_| Action::Corrupt { offset: 300_000 });
    let (bytes, _) = drain(
        plain(&server)
            .get_object()
            .bucket(BUCKET)
            .key("k")
            .send()
            .await?
            .body,
    )
    .await;
    assert_eq!(
        testkit::payload::first_difference(&bytes[..], 1 << 20)?,
        Some(300_000)
    );
    assert_eq!(
        bytes
            .iter()
            .zip(ramp(1 << 20))
            .filter(|(got, sent)| *got != sent)
            .count(),
        1
    );
    assert!(
        s3.get_object()
            .bucket(BUCKET)
            .key("k")
            .send()
            .await?
            .body
            .collect()
            .await
            .is_err()
    );
    Ok(())
}

#[tokio::test]
async fn a_body_trickles_and_a_request_is_late() -> Outcome {
    let (server, _) = server().await;
    server.put(BUCKET, "k", ramp(40_000));
    server.hook(|_| Action::Slow {
        bytes_per_second: 200_000,
    });
    let s3 = plain(&server);
    let start = Instant::now();
    let (bytes, complete) = drain(s3.get_object().bucket(BUCKET).key("k").send().await?.body).await;
    assert_eq!((bytes, complete), (ramp(40_000).to_vec(), true));
    assert!(
        start.elapsed() > Duration::from_millis(140),
        "{:?}",
        start.elapsed()
    );
    server.hook(|_| Action::Delay(Duration::from_millis(100)));
    let start = Instant::now();
    s3.head_object().bucket(BUCKET).key("k").send().await?;
    assert!(start.elapsed() >= Duration::from_millis(100));
    Ok(())
}

#[tokio::test]
async fn a_request_is_held_until_the_test_lets_go() -> Outcome {
    let (server, s3) = server().await;
    server.put(BUCKET, "k", "old");
    let (arrived, has_arrived) = oneshot::channel();
    let (release, released) = oneshot::channel::<()>();
    let mut ends = Some((arrived, released));
    server.hook(move |_| match ends.take() {
        Some((arrived, released)) => {
            arrived.send(()).expect("the test waits");
            Action::hold(released)
        }
        None => Action::Pass,
    });
    let get = tokio::spawn(s3.get_object().bucket(BUCKET).key("k").send());
    has_arrived.await?;
    server.put(BUCKET, "k", "new");
    release.send(()).expect("the server waits");
    assert_eq!(read(get.await??.body).await?, "new");
    Ok(())
}

#[tokio::test]
async fn an_object_is_replaced_at_that_very_moment() -> Outcome {
    let (server, s3) = server().await;
    let etag = server.put(BUCKET, "k", "one").etag;
    let store = server.store();
    server.hook(move |request| {
        let store = store.clone();
        match request.operation.as_str() {
            "DeleteObject" => Action::run(move || drop(store.put(BUCKET, "k", "two"))),
            _ => Action::Pass,
        }
    });
    let deleted = s3
        .delete_object()
        .bucket(BUCKET)
        .key("k")
        .if_match(etag)
        .send()
        .await;
    assert_eq!(refusal(deleted), refused(412, "PreconditionFailed"));
    assert_eq!(server.get(BUCKET, "k").as_deref(), Some(&b"two"[..]));
    Ok(())
}

#[tokio::test]
async fn an_object_is_replaced_while_it_is_read() -> Outcome {
    let (server, s3) = server().await;
    let size = 2 << 20;
    let etag = server.put(BUCKET, "k", ramp(size)).etag;
    for offset in [0, 1, 1 << 20, size as u64 - 1] {
        server.put(BUCKET, "k", ramp(size));
        let store = server.store();
        let mut run = Some(move || drop(store.put(BUCKET, "k", "new")));
        server.hook(move |_| {
            run.take()
                .map_or(Action::Pass, |run| Action::run_at(offset, run))
        });
        let got = s3.get_object().bucket(BUCKET).key("k").send().await?;
        // What is being read stays what it was.
        assert_eq!(read(got.body).await?, ramp(size));
        let rest = s3
            .get_object()
            .bucket(BUCKET)
            .key("k")
            .range("bytes=1-")
            .if_match(&etag)
            .send()
            .await;
        assert_eq!(
            refusal(rest),
            refused(412, "PreconditionFailed"),
            "at {offset}"
        );
    }
    // Not longer than the offset: not run.
    server.put(BUCKET, "k", "abc");
    let ran = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&ran);
    server.hook(move |_| {
        let count = Arc::clone(&count);
        Action::run_at(3, move || drop(count.fetch_add(1, Ordering::SeqCst)))
    });
    assert_eq!(
        read(s3.get_object().bucket(BUCKET).key("k").send().await?.body).await?,
        "abc"
    );
    assert_eq!(ran.load(Ordering::SeqCst), 0);
    Ok(())
}

#[tokio::test]
async fn every_request_is_in_the_log() -> Outcome {
    let (server, s3) = server().await;
    let etag = server.put(BUCKET, "a b", "abc").etag;
    s3.get_object()
        .bucket(BUCKET)
        .key("a b")
        .range("bytes=0-1")
        .if_match(&etag)
        .send()
        .await?;
    assert_eq!(
        refusal(
            s3.get_object()
                .bucket(BUCKET)
                .key("a b")
                .part_number(7)
                .send()
                .await
        )
        .0,
        416
    );
    s3.head_object()
        .bucket(BUCKET)
        .key("a b")
        .version_id("null")
        .send()
        .await?;
    let [first, second, third] = &server.requests()[..] else {
        panic!("three requests")
    };
    assert_eq!(
        (
            first.operation.as_str(),
            first.bucket.as_str(),
            first.key.as_str()
        ),
        ("GetObject", BUCKET, "a b")
    );
    assert_eq!(
        (
            first.range.as_deref(),
            first.if_match.as_ref(),
            first.number
        ),
        (Some("bytes=0-1"), Some(&etag), 1)
    );
    assert_eq!((second.part_number, second.number), (Some(7), 2));
    assert_eq!(
        (
            third.operation.as_str(),
            third.version_id.as_deref(),
            third.number
        ),
        ("HeadObject", Some("null"), 1)
    );
    assert_eq!(server.count("GetObject"), 2);
    server.forget_requests();
    assert!(server.requests().is_empty());
    Ok(())
}

#[tokio::test]
async fn a_stranger_is_refused() -> Outcome {
    let (server, _) = server().await;
    let stranger =
        aws_sdk_s3::config::Credentials::new("AKIASTRANGER", "secret", None, None, "test");
    let s3 = Client::from_conf(server.config().credentials_provider(stranger).build());
    assert!(s3.head_bucket().bucket(BUCKET).send().await.is_err());
    assert!(server.requests().is_empty());
    Ok(())
}

/// Nagle's algorithm would make each of these wait 40 ms for a delayed acknowledgement.
#[tokio::test]
async fn small_objects_do_not_stall() -> Outcome {
    let (server, s3) = server().await;
    server.put(BUCKET, "k", ramp(10_000));
    let start = Instant::now();
    for _ in 0..50 {
        assert_eq!(
            read(s3.get_object().bucket(BUCKET).key("k").send().await?.body)
                .await?
                .len(),
            10_000
        );
    }
    assert!(
        start.elapsed() < Duration::from_secs(2),
        "{:?}",
        start.elapsed()
    );
    Ok(())
}

#[tokio::test]
async fn dropped_it_is_gone() -> Outcome {
    let (server, _) = server().await;
    let s3 = plain(&server);
    let (arrived, has_arrived) = oneshot::channel();
    let mut arrived = Some(arrived);
    server.hook(move |_| {
        arrived
            .take()
            .expect("one request")
            .send(())
            .expect("the test waits");
        Action::hold(std::future::pending::<()>())
    });
    let address = server.endpoint().trim_start_matches("http://").to_owned();
    let held = tokio::spawn(s3.head_bucket().bucket(BUCKET).send());
    has_arrived.await?;
    drop(server);
    assert!(held.await?.is_err());
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
    Ok(())
}

//! What a test can do to a request.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use testkit::payload::ramp;
use testkit::s3::{Action, Request};
use tokio::sync::oneshot;

use super::*;

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
        Action::run_at(3, move || count.store(1, Ordering::SeqCst))
    });
    assert_eq!(
        read(s3.get_object().bucket(BUCKET).key("k").send().await?.body).await?,
        "abc"
    );
    assert_eq!(ran.load(Ordering::SeqCst), 0);
    Ok(())
}

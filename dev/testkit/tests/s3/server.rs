//! The server itself: its log, who may enter, its speed, its end.

use std::time::{Duration, Instant};

use testkit::payload::ramp;
use testkit::s3::Action;
use tokio::sync::oneshot;

use super::*;

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
async fn every_answer_has_a_request_id() -> Outcome {
    let (server, s3) = server().await;
    server.put(BUCKET, "k", "abc");
    let got = s3.get_object().bucket(BUCKET).key("k").send().await?;
    assert!(aws_sdk_s3::operation::RequestId::request_id(&got).is_some());
    let error = s3
        .get_object()
        .bucket(BUCKET)
        .key("other")
        .send()
        .await
        .expect_err("missing");
    assert!(aws_sdk_s3::operation::RequestId::request_id(&error).is_some());
    Ok(())
}

/// A child process knows nothing but [`S3Server::env`], and so does not force path style.
#[tokio::test]
async fn a_client_addresses_by_path_on_its_own() -> Outcome {
    let (server, _) = server().await;
    server.put(BUCKET, "k", "abc");
    let s3 = Client::from_conf(server.config().force_path_style(false).build());
    assert_eq!(
        read(s3.get_object().bucket(BUCKET).key("k").send().await?.body).await?,
        "abc"
    );
    let env = server.env();
    assert!(env.contains(&("AWS_ENDPOINT_URL".to_owned(), server.endpoint())));
    assert_eq!(env.len(), 4);
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

/// An answer of two small writes is what Nagle's algorithm makes wait 40 ms for a delayed acknowledgement.
#[tokio::test]
async fn small_writes_do_not_stall() -> Outcome {
    let (server, s3) = server().await;
    server.put(BUCKET, "k", ramp(10_000));
    server.hook(|_| Action::run_at(50, || {}));
    let start = Instant::now();
    for _ in 0..50 {
        let got = s3.get_object().bucket(BUCKET).key("k").send().await?;
        assert_eq!(read(got.body).await?.len(), 10_000);
    }
    let elapsed = start.elapsed();
    assert!(
        elapsed < Duration::from_millis(1500),
        "{elapsed:?} for 50 objects"
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
    let answer = tokio::time::timeout(Duration::from_secs(10), held).await;
    assert!(answer.expect("the connection is closed")?.is_err());
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
    Ok(())
}

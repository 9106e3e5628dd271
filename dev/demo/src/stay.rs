//! `--stay`: uploads by others, delivered as they come.
//!
//! A hook of the S3 sees every upload when it begins, as a bucket notification would when it has ended. Between the
//! two the key is looked for in memory.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use testkit::s3::Action;
use tokio::signal::ctrl_c;
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::Failure;
use crate::delivery;
use crate::transcript::{Total, Transcript};
use crate::world::{BUCKET, World};

/// The requests that make an object.
const CREATIONS: [&str; 3] = ["PutObject", "CompleteMultipartUpload", "CopyObject"];

/// How often an upload that has begun is looked for.
const LOOK: Duration = Duration::from_millis(20);

/// How long an upload may take over loopback; one that takes longer was broken off.
const UPLOAD: Duration = Duration::from_secs(60);

/// One delivery at a time, and one line.
struct Desk<Out> {
    world: World,
    serving: Mutex<(Transcript<Out>, Total)>,
}

/// Delivers everything that is uploaded, until Ctrl-C.
pub(crate) async fn stay<Out: Write + Send + 'static>(
    world: World,
    mut transcript: Transcript<Out>,
) -> Result<(), Failure> {
    let (seen, mut uploads) = mpsc::unbounded_channel();
    world.s3.hook(move |request| {
        if request.bucket == BUCKET && CREATIONS.contains(&request.operation.as_str()) {
            // Nobody listens any more once this has ended.
            seen.send(request.key.clone()).ok();
        }
        Action::Pass
    });
    transcript.staying(&world)?;
    transcript.heading()?;
    let desk = Arc::new(Desk {
        world,
        serving: Mutex::new((transcript, Total::default())),
    });

    let mut deliveries = JoinSet::new();
    loop {
        tokio::select! {
            // First: Ctrl-C reaches the function as well, and what it breaks off is no failure to show.
            biased;
            _ = ctrl_c() => break,
            Some(key) = uploads.recv() => {
                let desk = Arc::clone(&desk);
                deliveries.spawn(async move { desk.serve(&key).await });
            }
            Some(served) = deliveries.join_next() => served??,
        }
    }
    deliveries.shutdown().await;
    let (transcript, total) = &mut *desk.serving.lock().await;
    transcript.ended(total)?;
    Ok(())
}

impl<Out: Write> Desk<Out> {
    /// One upload that has begun: waits for it, delivers it, and prints its line.
    async fn serve(&self, key: &str) -> Result<(), Failure> {
        let begun = Instant::now();
        while !self.world.s3.exists(BUCKET, key) {
            if begun.elapsed() > UPLOAD {
                return Ok(());
            }
            sleep(LOOK).await;
        }
        let (transcript, total) = &mut *self.serving.lock().await;
        // Gone by now: uploaded twice in a row, and delivered with the other upload's notification.
        let Some(content) = self.world.s3.get(BUCKET, key) else {
            return Ok(());
        };
        transcript.uploading(key, content.len())?;
        let delivery = delivery::deliver(&self.world, key, &content).await;
        transcript.delivered(&delivery)?;
        total.count(&delivery);
        Ok(())
    }
}

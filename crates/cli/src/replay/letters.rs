//! Where they lie: a queue, or a bucket.

use std::str::FromStr;

use aws_config::SdkConfig;
use s3_to_sftp::source::S3;

use super::bucket::Records;
use super::letter::Letter;
use super::queue::Messages;
use crate::place::Place;
use crate::queue::QueueUrl;

/// What is asked for and received in one go.
pub(super) const AT_ONCE: usize = 10;

/// As it is typed.
#[derive(Debug, Clone)]
pub(super) enum GivenUp {
    Queue(QueueUrl),
    Below(Place),
}

impl FromStr for GivenUp {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if !text.starts_with("s3:") {
            return match text.parse() {
                Ok(queue) => Ok(Self::Queue(queue)),
                Err(expected) => Err(format!("{expected}, or s3://BUCKET/PREFIX/")),
            };
        }
        let place: Place = text
            .parse()
            .map_err(|_| "expected s3://BUCKET/PREFIX/".to_owned())?;
        if place.is_directory() {
            Ok(Self::Below(place))
        } else {
            Err(format!(
                "{place} is no directory: give {place}/ for everything below it"
            ))
        }
    }
}

/// They are taken out one after the other, and each once.
pub(super) enum Letters {
    Messages(Messages),
    Records(Records),
}

impl Letters {
    pub(super) fn new(aws: &SdkConfig, given_up: GivenUp) -> Self {
        match given_up {
            GivenUp::Queue(queue) => Self::Messages(Messages::new(aws, queue)),
            GivenUp::Below(place) => Self::Records(Records::new(S3::new(aws), place)),
        }
    }

    /// What is said where there are none.
    pub(super) fn none(&self) -> String {
        match self {
            Self::Messages(messages) => format!("{} is empty", messages.queue()),
            Self::Records(records) => format!("nothing lies below {}", records.place()),
        }
    }

    /// What one of them is called.
    pub(super) fn noun(&self) -> &'static str {
        match self {
            Self::Messages(_) => "message",
            Self::Records(_) => "record",
        }
    }

    /// Some more; none where there are no more. A queue may show one again that it has shown.
    pub(super) async fn receive(&mut self) -> Result<Vec<Letter>, String> {
        match self {
            Self::Messages(messages) => messages.receive().await.map_err(|it| it.to_string()),
            Self::Records(records) => records.receive().await,
        }
    }

    /// It is done, and nobody needs it any more.
    pub(super) async fn delete(&self, letter: &Letter) -> Result<(), String> {
        match self {
            Self::Messages(messages) => messages.delete(letter).await.map_err(|it| it.to_string()),
            Self::Records(records) => records.delete(letter).await,
        }
    }

    /// Has nobody else see it for some more minutes.
    pub(super) async fn hide(&self, letter: &Letter) {
        if let Self::Messages(messages) = self {
            messages.hide(letter).await;
        }
    }

    /// Has others see them at once.
    pub(super) async fn show(&self, letters: &[Letter]) {
        if let Self::Messages(messages) = self {
            messages.show(letters).await;
        }
    }
}

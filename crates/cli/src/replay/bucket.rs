//! The records that Lambda puts into a bucket as the destination of failed invocations, each an object of its own:
//! `aws/lambda/async/FUNCTION/YYYY/MM/DD/…`, so that the oldest is the first
//! ([AWS](https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html)).

use std::collections::VecDeque;

use futures_util::future::join_all;
use s3_to_sftp::error::{Cause, Error, Stage};
use s3_to_sftp::object::ObjectName;
use s3_to_sftp::source::{Body, Disposal, Found, Listed, S3, SourceError};
use s3_to_sftp::transfer::Source;

use super::letter::{Handle, Letter, OfLambda};
use super::letters::AT_ONCE;
use crate::place::Place;

/// A record holds an event and an answer, of which Lambda takes 1 MB and 6 MB at most. What is larger is not read: this may be
/// pointed at a bucket of other things.
const LARGEST: u64 = 8 * 1024 * 1024;

/// What lies below a prefix.
pub(super) struct Records {
    s3: S3,
    place: Place,
    listed: VecDeque<Listed>,
    next: Next,
}

/// The page of the listing that is asked for next.
enum Next {
    First,
    Page(String),
    None,
}

impl Records {
    pub(super) fn new(s3: S3, place: Place) -> Self {
        Self {
            s3,
            place,
            listed: VecDeque::new(),
            next: Next::First,
        }
    }

    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    /// Up to ten; none where no more lie there.
    pub(super) async fn receive(&mut self) -> Result<Vec<Letter>, String> {
        while self.listed.is_empty() {
            let page = match std::mem::replace(&mut self.next, Next::None) {
                Next::First => None,
                Next::Page(token) => Some(token),
                Next::None => return Ok(Vec::new()),
            };
            let Place { bucket, key } = &self.place;
            let page = self.s3.list(bucket, key, page).await.map_err(|error| {
                let error = Error {
                    stage: Stage::OpenSource,
                    object: None,
                    cause: Cause::Listing(self.place.to_string(), error),
                };
                error.report()
            })?;
            let is_folder_marker = |it: &Listed| it.size == 0 && it.key.ends_with('/');
            let objects = page.objects.into_iter();
            self.listed
                .extend(objects.filter(|it| !is_folder_marker(it)));
            self.next = page.next.map_or(Next::None, Next::Page);
        }
        let count = self.listed.len().min(AT_ONCE);
        let letters: Vec<_> = self.listed.drain(..count).collect();
        Ok(join_all(letters.into_iter().map(|listed| self.letter(listed))).await)
    }

    async fn letter(&self, listed: Listed) -> Letter {
        let name = ObjectName {
            bucket: self.place.bucket.clone(),
            key: listed.key,
        };
        let unreadable = |why| Letter {
            id: name.to_string(),
            handle: Handle::None,
            content: Err(why),
            error_type: None,
            reason: None,
        };
        let read = async {
            match self.s3.open(&name).await? {
                Found::Object(version, _) if version.size > LARGEST => {
                    Err(SourceError::TooLarge { limit: LARGEST })
                }
                Found::Object(version, body) => Ok((version, text(*body).await?)),
                Found::Nothing => Err(SourceError::Missing),
            }
        };
        match read.await {
            // Whatever else lies there is not taken for an event, which would be deleted once it is delivered.
            Ok((version, text)) => match OfLambda::of(&text) {
                Some(record) => Letter {
                    id: name.to_string(),
                    handle: Handle::Object(version),
                    error_type: record.error_type(),
                    reason: record.reason(),
                    content: Ok(text),
                },
                None => unreadable(format!("{name} is no record of a failed invocation")),
            },
            Err(error) => unreadable(report(Stage::OpenSource, &name, error)),
        }
    }

    /// If it is still the one that was read.
    pub(super) async fn delete(&self, letter: &Letter) -> Result<(), String> {
        let Handle::Object(version) = &letter.handle else {
            return Err("it was not read".to_owned());
        };
        match self.s3.delete(version).await {
            Ok(Disposal::Replaced) => Err("another one was put in its place".to_owned()),
            Ok(_) => Ok(()),
            Err(error) => Err(report(Stage::Dispose, &version.name, error)),
        }
    }
}

/// Never more than was announced.
async fn text(mut body: Body) -> Result<String, SourceError> {
    let mut bytes = Vec::new();
    while let Some(some) = body.next().await? {
        bytes.extend_from_slice(&some);
    }
    String::from_utf8(bytes).map_err(|_| SourceError::NotText)
}

fn report(stage: Stage, name: &ObjectName, error: SourceError) -> String {
    let error = Error {
        stage,
        object: Some(name.clone()),
        cause: Cause::Source(error),
    };
    error.report()
}

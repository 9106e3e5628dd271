//! A stretch of an object as one answer after the other brings it: what breaks off is gone on with.

use std::sync::Arc;

use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;

use super::error::SourceError;
use super::pinned::Pinned;

/// A stream that breaks off is gone on with this often without a byte in between.
const RESUMES_WITHOUT_PROGRESS: u32 = 3;

/// The bytes from one offset on.
#[derive(Debug)]
pub(super) struct Stream {
    pinned: Arc<Pinned>,
    /// Of the next byte.
    at: u64,
    /// Where the stretch ends; none where it is the rest of the object.
    end: Option<u64>,
    /// None where the next bytes have to be asked for.
    answer: Option<ByteStream>,
    resumes_left: u32,
}

impl Stream {
    /// Nothing is asked for before the first byte is wanted.
    pub(super) fn new(pinned: Arc<Pinned>, at: u64, end: Option<u64>) -> Self {
        Self {
            pinned,
            at,
            end,
            answer: None,
            resumes_left: RESUMES_WITHOUT_PROGRESS,
        }
    }

    /// Its bytes are on their way.
    pub(super) fn answered(self, answer: ByteStream) -> Self {
        Self {
            answer: Some(answer),
            ..self
        }
    }

    pub(super) fn offset(&self) -> u64 {
        self.at
    }

    /// Lets go of the answer. What follows is asked for anew, should it be wanted.
    pub(super) fn close(&mut self) {
        self.answer = None;
    }

    /// The next bytes as they come. Never none: whoever asks knows that there are more.
    ///
    /// May be dropped and called again.
    pub(super) async fn next(&mut self) -> Result<Bytes, SourceError> {
        loop {
            let Some(answer) = &mut self.answer else {
                self.answer = Some(self.pinned.get(self.at, self.end).await?);
                continue;
            };
            let broken = match answer.try_next().await {
                Ok(Some(bytes)) if bytes.is_empty() => continue,
                Ok(Some(bytes)) => {
                    let at = self.at.saturating_add(bytes.len() as u64);
                    if at > self.end() {
                        // What is behind it is at no offset that anybody knows.
                        self.answer = None;
                        return Err(self.wrong_length(at));
                    }
                    self.at = at;
                    self.resumes_left = RESUMES_WITHOUT_PROGRESS;
                    return Ok(bytes);
                }
                Ok(None) => self.wrong_length(self.at),
                Err(error) => SourceError::Body(error.into()),
            };
            self.answer = None;
            if self.resumes_left == 0 {
                return Err(broken);
            }
            self.resumes_left -= 1;
            tracing::warn!(
                object = %self.pinned.version.name,
                offset = self.at,
                "the body broke off; going on from there"
            );
        }
    }

    /// The object's last byte is taken: fails if more come. A body that is longer than it was said to
    /// be is another one.
    pub(super) async fn finish(&mut self) -> Result<(), SourceError> {
        if let Some(answer) = &mut self.answer {
            // That it breaks off behind the last byte harms nobody.
            if let Ok(Some(more)) = answer.try_next().await
                && !more.is_empty()
            {
                return Err(self.wrong_length(self.at.saturating_add(more.len() as u64)));
            }
            self.answer = None;
        }
        Ok(())
    }

    fn end(&self) -> u64 {
        self.end.unwrap_or(self.pinned.version.size)
    }

    fn wrong_length(&self, got: u64) -> SourceError {
        SourceError::Length {
            expected: self.end(),
            got,
        }
    }
}

//! What is left of an answer once the hoped-for one has been taken out of it. The type has been checked on arrival.

use crate::error::{Error, Result};
use crate::packet::{Attributes, Handle, Response, StatusCode};

pub(crate) fn done(response: Response) -> Result<()> {
    match response {
        Response::Status(status) if status.code == StatusCode::OK => Ok(()),
        other => refused(other),
    }
}

pub(crate) fn handle(response: Response) -> Result<Handle> {
    match response {
        Response::Handle(handle) => Ok(handle),
        other => refused(other),
    }
}

pub(crate) fn attributes(response: Response) -> Result<Attributes> {
    match response {
        Response::Attributes(attributes) => Ok(attributes),
        other => refused(other),
    }
}

pub(crate) fn none_at_eof<T>(response: Response) -> Result<Option<T>> {
    match response {
        Response::Status(status) if status.code == StatusCode::EOF => Ok(None),
        other => refused(other),
    }
}

/// What is left when the hoped-for answer has been taken out. The type has been checked on arrival.
pub(crate) fn refused<T>(response: Response) -> Result<T> {
    match response {
        Response::Status(status) if status.code == StatusCode::OK => {
            Err(Error::protocol("OK in answer to a request for data"))
        }
        Response::Status(status) => Err(Error::Status(status)),
        other => Err(Error::protocol(format!("unexpected answer {other:?}"))),
    }
}

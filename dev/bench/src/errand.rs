//! One run of one program: what goes where, by which line.

use std::path::PathBuf;

use serde_json::Value;

use crate::payload::Payload;
use crate::workload::Start;

pub(crate) struct Errand {
    pub(crate) payload: Payload,
    pub(crate) start: Start,
    pub(crate) memory_mib: u32,
    /// The server's, behind the line.
    pub(crate) port: u16,
    /// The notification of the objects in S3.
    pub(crate) event: Value,
    /// The directory with the same files, for those that read no S3.
    pub(crate) local: Option<PathBuf>,
}

//! The draft's primitive types: integers in network order, strings with a length before them.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::error::{Error, Result};

/// Reads fields off the front of a packet. Never panics, whatever the bytes.
#[derive(Debug, Clone)]
pub struct Fields(Bytes);

impl Fields {
    /// The fields of `packet`.
    pub fn new(packet: Bytes) -> Self {
        Self(packet)
    }

    /// Whether all has been read.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What has not been read yet.
    pub fn into_bytes(self) -> Bytes {
        self.0
    }

    pub(crate) fn u8(&mut self) -> Result<u8> {
        self.0.try_get_u8().map_err(|_| short())
    }

    pub(crate) fn u32(&mut self) -> Result<u32> {
        self.0.try_get_u32().map_err(|_| short())
    }

    pub(crate) fn u64(&mut self) -> Result<u64> {
        self.0.try_get_u64().map_err(|_| short())
    }

    /// A string: any bytes, shared with the packet and not copied.
    pub(crate) fn string(&mut self) -> Result<Bytes> {
        let length = self.u32()? as usize;
        if length > self.0.len() {
            return Err(short());
        }
        Ok(self.0.split_to(length))
    }
}

fn short() -> Error {
    Error::protocol("a packet ends before its last field")
}

/// Writes a packet; its length is filled in at the end.
#[derive(Debug)]
pub(crate) struct Builder(BytesMut);

impl Builder {
    pub(crate) fn new(kind: u8) -> Self {
        let mut buffer = BytesMut::with_capacity(64);
        buffer.put_u32(0);
        buffer.put_u8(kind);
        Self(buffer)
    }

    pub(crate) fn u32(mut self, value: u32) -> Self {
        self.0.put_u32(value);
        self
    }

    pub(crate) fn u64(mut self, value: u64) -> Self {
        self.0.put_u64(value);
        self
    }

    pub(crate) fn string(mut self, value: &[u8]) -> Self {
        self.0.put_u32(wire_length(value.len()));
        self.0.put_slice(value);
        self
    }

    /// The whole packet.
    pub(crate) fn finish(self) -> Bytes {
        self.finish_before(0)
    }

    /// The packet up to a payload of `payload` bytes that is sent right behind it.
    pub(crate) fn finish_before(mut self, payload: usize) -> Bytes {
        let length = wire_length(self.0.len() - 4 + payload);
        self.0[..4].copy_from_slice(&length.to_be_bytes());
        self.0.freeze()
    }
}

/// A length on the wire. Paths are kilobytes and payloads are cut to the server's write limit.
pub(crate) fn wire_length(length: usize) -> u32 {
    u32::try_from(length).expect("no field of a request reaches 4 GiB")
}

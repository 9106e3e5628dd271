//! The two ends of a session's stream: packets are written, and answers read and handed out, each by a task of its own.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::error::{Error, Result};
use crate::extensions::Extensions;
use crate::packet::{Deframer, Fields, Incoming, VERSION};
use crate::pending::Pending;
use crate::transport::{Receive, Transmit};

/// A packet for the writer: what precedes the payload, and the payload of a WRITE.
#[derive(Debug)]
pub(crate) struct Packet {
    pub(crate) head: Bytes,
    pub(crate) payload: Vec<Bytes>,
}

/// Reads up to the server's VERSION packet.
pub(crate) async fn version<R: Receive>(
    receive: &mut R,
    deframer: &mut Deframer,
) -> Result<Extensions> {
    loop {
        if let Some(packet) = deframer.next_packet()? {
            return match Incoming::decode(packet)? {
                // A server may answer a higher number than it was asked for only by mistake, and
                // means 3 then: nothing newer was offered to it.
                Incoming::Version(version, rest) if version >= VERSION => {
                    Extensions::read(&mut Fields::new(rest))
                }
                Incoming::Version(version, _) => Err(Error::protocol(format!(
                    "version {version}, this client speaks {VERSION}"
                ))),
                Incoming::Answer(..) => Err(Error::protocol("an answer before the version")),
            };
        }
        let bytes = receive.receive().await?.ok_or(Error::Closed)?;
        deframer.push(&bytes);
    }
}

/// Small packets up to this many bytes are put together, so that a flight travels as one.
const BATCH: usize = 16 * 1024;

/// Writes packets until the session ends. Nothing cancels it inside a packet but the session's end.
pub(crate) async fn write_packets<T: Transmit>(
    mut transmit: T,
    mut packets: mpsc::UnboundedReceiver<Packet>,
    pending: Arc<Pending>,
) {
    let mut batch = Vec::with_capacity(BATCH);
    let result = async {
        while let Some(mut packet) = packets.recv().await {
            loop {
                batch.extend_from_slice(&packet.head);
                if !packet.payload.is_empty() {
                    let head = Bytes::from(std::mem::take(&mut batch));
                    transmit.transmit(head).await?;
                    for piece in packet.payload {
                        transmit.transmit(piece).await?;
                    }
                } else if batch.len() >= BATCH {
                    transmit
                        .transmit(Bytes::from(std::mem::take(&mut batch)))
                        .await?;
                }
                match packets.try_recv() {
                    Ok(next) => packet = next,
                    Err(_) => break,
                }
            }
            if !batch.is_empty() {
                transmit
                    .transmit(Bytes::from(std::mem::take(&mut batch)))
                    .await?;
            }
            transmit.flush().await?;
        }
        Ok::<(), std::io::Error>(())
    }
    .await;
    if let Err(error) = result {
        pending.end(&error.into());
    }
}

/// How long answers that lie in the socket may take to come up.
const SECOND_LOOK: Duration = Duration::from_millis(500);

/// Reads answers and hands them out until the stream ends or stalls.
pub(crate) async fn read_answers<R: Receive>(
    mut receive: R,
    mut deframer: Deframer,
    pending: Arc<Pending>,
) {
    let error = loop {
        match deframer.next_packet() {
            Ok(Some(packet)) => {
                match Incoming::decode(packet).and_then(|incoming| pending.answer(incoming)) {
                    Ok(()) => continue,
                    Err(error) => break error,
                }
            }
            Ok(None) => {}
            Err(error) => break error,
        }
        tokio::select! {
            received = receive.receive() => match received {
                Ok(Some(bytes)) => deframer.push(&bytes),
                Ok(None) => break Error::Closed,
                Err(error) => break error.into(),
            },
            stalled = pending.stalled() => {
                match tokio::time::timeout(SECOND_LOOK, whole(&mut receive, &mut deframer)).await {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => break error,
                    Err(_) => break Error::Stalled(stalled),
                }
            }
        }
    };
    pending.end(&error);
}

/// Receives until a whole packet is there: a process that was stopped and goes on finds its time over and the answers
/// waiting, which have to come up through the layers below before silence is believed. Bytes alone are none: a server
/// may send them one by one.
async fn whole<R: Receive>(receive: &mut R, deframer: &mut Deframer) -> Result<()> {
    while !deframer.has_packet() {
        match receive.receive().await? {
            Some(bytes) => deframer.push(&bytes),
            None => return Err(Error::Closed),
        }
    }
    Ok(())
}

//! Any bytes as what a server sends: cut into packets, and each of them read.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use sftp::packet::{Deframer, Incoming, MAX_PACKET, Response};

use fuzz::assert_one_line;

// The first byte says in which pieces the others arrive.
fuzz_target!(|bytes: &[u8]| {
    let Some((size, stream)) = bytes.split_first() else {
        return;
    };
    let whole = packets([stream]);
    let pieces = packets(stream.chunks(usize::from(*size).max(1)));
    assert_eq!(
        whole, pieces,
        "how they arrive is nothing that a packet knows"
    );

    let (packets, end) = whole;
    for packet in &packets {
        decode(packet);
    }
    if let Some(error) = end {
        assert_one_line(error);
    }
    let framed: usize = packets.iter().map(|packet| packet.len() + 4).sum();
    assert!(framed <= stream.len());
});

/// The packets of a stream, and what ended it before its time.
fn packets<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<Bytes>, Option<String>) {
    let mut deframer = Deframer::default();
    let mut packets = Vec::new();
    for piece in pieces {
        deframer.push(piece);
        loop {
            match deframer.next_packet() {
                Ok(Some(packet)) => packets.push(packet),
                Ok(None) => break,
                Err(error) => return (packets, Some(shortened(&error.to_string()))),
            }
        }
    }
    (packets, None)
}

/// What a server sent in place of a packet is quoted as far as it has come.
fn shortened(error: &str) -> String {
    assert!(error.len() < 2000, "{error}");
    error.split('"').next().unwrap_or_default().to_owned()
}

fn decode(packet: &Bytes) {
    assert!(packet.len() <= MAX_PACKET as usize);
    let incoming = match Incoming::decode(packet.clone()) {
        Ok(incoming) => incoming,
        Err(error) => return assert_one_line(error),
    };
    match incoming {
        Incoming::Version(_, rest)
        | Incoming::Answer(_, Response::Extended(rest) | Response::Data(rest)) => {
            assert!(rest.len() < packet.len());
        }
        Incoming::Answer(_, Response::Status(status)) => {
            assert_one_line(&status);
            assert!(status.to_string().len() < 64 * 1024, "a log takes it");
        }
        Incoming::Answer(_, Response::Names(names)) => {
            // Two lengths and the flags, whatever count the packet tells.
            assert!(names.len() * 12 <= packet.len());
        }
        Incoming::Answer(_, Response::Handle(_) | Response::Attributes(_)) => {}
    }
}

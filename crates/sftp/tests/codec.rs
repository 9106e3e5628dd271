//! The codec, against arbitrary bytes.

use bytes::{BufMut, Bytes, BytesMut};
use proptest::prelude::*;
use sftp::packet::{Deframer, Incoming, MAX_PACKET, Name, Response};
use sftp::{Attributes, Status, StatusCode};

/// What a server writes, by the draft, and not by the code under test.
fn encoded(id: u32, response: &Response) -> Bytes {
    let mut buffer = BytesMut::new();
    let kind = match response {
        Response::Status(_) => 101,
        Response::Handle(_) => 102,
        Response::Data(_) => 103,
        Response::Names(_) => 104,
        Response::Attributes(_) => 105,
        Response::Extended(_) => 201,
    };
    buffer.put_u8(kind);
    buffer.put_u32(id);
    match response {
        Response::Status(status) => {
            buffer.put_u32(status.code.0);
            string(&mut buffer, status.message.as_bytes());
            string(&mut buffer, b"en");
        }
        Response::Handle(_) => unreachable!("a handle cannot be made but by a server"),
        Response::Data(data) => string(&mut buffer, data),
        Response::Names(names) => {
            buffer.put_u32(u32::try_from(names.len()).expect("few"));
            for name in names {
                string(&mut buffer, &name.filename);
                string(&mut buffer, b"-rw-r--r-- 1 a b 3 Jan 1 00:00 x");
                attributes(&mut buffer, &name.attributes);
            }
        }
        Response::Attributes(it) => attributes(&mut buffer, it),
        Response::Extended(data) => buffer.put_slice(data),
    }
    buffer.freeze()
}

fn string(buffer: &mut BytesMut, bytes: &[u8]) {
    buffer.put_u32(u32::try_from(bytes.len()).expect("short"));
    buffer.put_slice(bytes);
}

fn attributes(buffer: &mut BytesMut, it: &Attributes) {
    let flag = |set: bool, flag: u32| if set { flag } else { 0 };
    buffer.put_u32(
        flag(it.size.is_some(), 1)
            | flag(it.owner.is_some(), 2)
            | flag(it.permissions.is_some(), 4)
            | flag(it.times.is_some(), 8)
            | 0x8000_0000,
    );
    if let Some(size) = it.size {
        buffer.put_u64(size);
    }
    if let Some((user, group)) = it.owner {
        buffer.put_u32(user);
        buffer.put_u32(group);
    }
    if let Some(permissions) = it.permissions {
        buffer.put_u32(permissions);
    }
    if let Some((accessed, modified)) = it.times {
        buffer.put_u32(accessed);
        buffer.put_u32(modified);
    }
    // One extended attribute, which is skipped.
    buffer.put_u32(1);
    string(buffer, b"acl@example.com");
    string(buffer, b"\0\xff");
}

fn any_attributes() -> impl Strategy<Value = Attributes> {
    let pair = any::<Option<(u32, u32)>>;
    (any::<Option<u64>>(), pair(), any::<Option<u32>>(), pair()).prop_map(
        |(size, owner, permissions, times)| Attributes {
            size,
            owner,
            permissions,
            times,
        },
    )
}

fn any_bytes() -> impl Strategy<Value = Bytes> {
    prop::collection::vec(any::<u8>(), 0..300).prop_map(Bytes::from)
}

fn any_response() -> impl Strategy<Value = Response> {
    let name = (any_bytes(), any_attributes()).prop_map(|(filename, attributes)| Name {
        filename,
        attributes,
    });
    prop_oneof![
        (any::<u32>(), "[^\0]{0,40}").prop_map(|(code, message)| Response::Status(Status {
            code: StatusCode(code),
            message
        })),
        any_bytes().prop_map(Response::Data),
        prop::collection::vec(name, 0..5).prop_map(Response::Names),
        any_attributes().prop_map(Response::Attributes),
        any_bytes().prop_map(Response::Extended),
    ]
}

proptest! {
    #[test]
    fn every_answer_is_read_as_it_was_written(id: u32, response in any_response()) {
        let packet = encoded(id, &response);
        let decoded = Incoming::decode(packet).expect("it is whole");
        prop_assert_eq!(decoded, Incoming::Answer(id, response));
    }

    #[test]
    fn no_bytes_at_all_make_the_decoder_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        _ = Incoming::decode(Bytes::from(bytes));
    }

    /// A packet that is cut off is an error, not something shorter.
    #[test]
    fn a_packet_that_ends_early_is_refused(id: u32, response in any_response(), cut in 1_usize..400) {
        // These two may end where they like: a status without words, the data of an extension.
        prop_assume!(!matches!(response, Response::Extended(_) | Response::Status(_)));
        let packet = encoded(id, &response);
        let short = packet.slice(..packet.len().saturating_sub(cut));
        prop_assert!(Incoming::decode(short).is_err());
    }

    #[test]
    fn a_stream_is_cut_into_the_same_packets_however_it_arrives(
        packets in prop::collection::vec(any_bytes(), 0..10),
        chunk in 1_usize..50,
    ) {
        let mut stream = BytesMut::new();
        for packet in &packets {
            string(&mut stream, packet);
        }
        let mut deframer = Deframer::default();
        let mut found = Vec::new();
        for bytes in stream.chunks(chunk) {
            deframer.push(bytes);
            while let Some(packet) = deframer.next_packet().expect("they are short") {
                found.push(packet);
            }
        }
        prop_assert_eq!(found, packets);
    }

    #[test]
    fn a_stream_of_anything_is_packets_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..4000)) {
        let mut deframer = Deframer::default();
        deframer.push(&bytes);
        while let Ok(Some(packet)) = deframer.next_packet() {
            _ = Incoming::decode(packet);
        }
    }
}

/// Servers that leave out the message and the language tag of a status.
#[test]
fn a_status_without_words_keeps_its_number() {
    let packet = Bytes::from_static(&[101, 0, 0, 0, 7, 0, 0, 0, 42]);
    let status = Status {
        code: StatusCode(42),
        message: String::new(),
    };
    let answer = Incoming::Answer(7, Response::Status(status));
    assert_eq!(Incoming::decode(packet).expect("it is whole"), answer);
}

/// A server's words must not be able to forge a line of the log.
#[test]
fn a_status_is_printed_on_one_line() {
    let status = Status {
        code: StatusCode(4),
        message: "no\nERROR all is \x1b[31mlost".to_owned(),
    };
    let printed = status.to_string();
    assert!(!printed.chars().any(char::is_control), "{printed:?}");
    assert!(printed.ends_with("(SFTP status 4, FAILURE)"), "{printed}");
}

/// They end in logs and in Lambda's answer, which has a limit.
#[test]
fn of_a_servers_words_only_the_beginning_is_kept() {
    let mut packet = BytesMut::new();
    packet.put_slice(&[101, 0, 0, 0, 7, 0, 0, 0, 4]);
    string(&mut packet, &[b'x'; 200_000]);
    let incoming = Incoming::decode(packet.freeze()).expect("it is whole");
    let Incoming::Answer(_, Response::Status(status)) = incoming else {
        panic!("{incoming:?}")
    };
    assert!(status.to_string().len() < 1000);
}

#[test]
fn a_packet_above_the_limit_is_refused_before_it_is_stored() {
    let mut deframer = Deframer::default();
    deframer.push(&(MAX_PACKET + 1).to_be_bytes());
    let error = deframer.next_packet().expect_err("too long").to_string();
    assert!(error.contains("262145"), "{error}");
}

#[test]
fn a_greeting_before_sftp_is_recognised() {
    let mut deframer = Deframer::default();
    deframer.push(b"Welcome to ACME Corp!\r\n");
    let error = deframer.next_packet().expect_err("no SFTP").to_string();
    assert!(error.contains("Welcome to ACME Corp"), "{error}");
    assert!(!error.contains('\r'), "{error:?}");
}

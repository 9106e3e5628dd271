//! What hostile servers do. Each is done in place of what is due, or before it.

use std::io;

use testkit::payload;

use crate::files::{ATTRS, HANDLE, STATUS, VERSION, framed};
use crate::line::{DISCONNECT, Line, kexinit, number, string};
use crate::server::{Due, Then};

const IGNORE: u8 = 2;
const DEBUG: u8 = 4;
const USERAUTH_BANNER: u8 = 53;
const PASSWORD_CHANGE: u8 = 60;
const GLOBAL_REQUEST: u8 = 80;
const CHANNEL_OPEN: u8 = 90;
const CHANNEL_WINDOW_ADJUST: u8 = 93;
const CHANNEL_DATA: u8 = 94;
const CHANNEL_EXTENDED_DATA: u8 = 95;
const CHANNEL_EOF: u8 = 96;
const CHANNEL_CLOSE: u8 = 97;
const CHANNEL_REQUEST: u8 = 98;

/// The length of a field that is not there.
const FOUR_GIB: [u8; 4] = [0xff; 4];

type Result = io::Result<Then>;

pub(crate) fn nothing(_: &mut Line, _: Due) -> Result {
    Ok(Then::AsDue)
}

pub(crate) fn silence(line: &mut Line, _: Due) -> Result {
    Err(line.be_silent())
}

/// As it should be, once.
pub(crate) fn silence_behind_the_first(line: &mut Line, due: Due) -> Result {
    if due.times > 1 {
        return silence(line, due);
    }
    Ok(Then::AsDue)
}

/// Silent, and reads no more either.
pub(crate) fn deafness(line: &mut Line, _: Due) -> Result {
    Err(line.be_deaf())
}

pub(crate) fn cut(_: &mut Line, _: Due) -> Result {
    Err(io::Error::other("cut"))
}

pub(crate) fn disconnect(line: &mut Line, _: Due) -> Result {
    let told = [
        vec![DISCONNECT, 0, 0, 0, 11],
        string(b"Go away"),
        string(b""),
    ];
    line.send(&told.concat())?;
    Err(io::Error::other("disconnected"))
}

/// What is due, a byte a second.
pub(crate) fn drip(line: &mut Line, _: Due) -> Result {
    line.drips = true;
    Ok(Then::AsDue)
}

/// Anything but what SSH is.
pub(crate) fn garbage(line: &mut Line, due: Due) -> Result {
    line.raw(&payload::seeded(7, 64 * 1024))?;
    silence(line, due)
}

/// A packet of SSH that says it has 4 GiB.
pub(crate) fn packet_of_4_gib(line: &mut Line, due: Due) -> Result {
    line.raw(&FOUR_GIB)?;
    line.raw(&[0; 1024])?;
    silence(line, due)
}

/// A packet of SSH with nothing in it.
pub(crate) fn packet_of_nothing(line: &mut Line, due: Due) -> Result {
    line.send(&[])?;
    silence(line, due)
}

/// Packets of SSH of every type, with anything in them.
pub(crate) fn packets_of_every_type(line: &mut Line, due: Due) -> Result {
    for kind in 0..=u8::MAX {
        line.send(&[&[kind], &payload::seeded(kind.into(), 100)[..]].concat())?;
    }
    silence(line, due)
}

pub(crate) fn lines_without_end(line: &mut Line, _: Due) -> Result {
    endless(line, b"All your files are belong to us.\r\n")
}

pub(crate) fn a_line_without_end(line: &mut Line, _: Due) -> Result {
    endless(line, b"All your files ")
}

fn endless(line: &mut Line, text: &[u8]) -> Result {
    let text = text.repeat(1000);
    loop {
        line.raw(&text)?;
    }
}

/// The same packet, again and again; nothing is read meanwhile.
fn again(line: &mut Line, packet: &[u8]) -> Result {
    loop {
        line.send(packet)?;
    }
}

pub(crate) fn ignores_without_end(line: &mut Line, _: Due) -> Result {
    again(line, &[vec![IGNORE], string(&[7; 1000])].concat())
}

pub(crate) fn debug_messages_without_end(line: &mut Line, _: Due) -> Result {
    let told = [vec![DEBUG, 1], string(&[b'a'; 1000]), string(b"")];
    again(line, &told.concat())
}

pub(crate) fn banners_without_end(line: &mut Line, _: Due) -> Result {
    let told = [vec![USERAUTH_BANNER], string(&[b'a'; 1000]), string(b"")];
    again(line, &told.concat())
}

pub(crate) fn requests_for_another_password_without_end(line: &mut Line, _: Due) -> Result {
    let told = [vec![PASSWORD_CHANGE], string(b"Expired."), string(b"")];
    again(line, &told.concat())
}

pub(crate) fn key_exchanges_without_end(line: &mut Line, _: Due) -> Result {
    again(line, &kexinit("none"))
}

/// A key exchange that is begun and never gone on with.
pub(crate) fn half_a_key_exchange(line: &mut Line, due: Due) -> Result {
    line.send(&kexinit("none"))?;
    silence(line, due)
}

pub(crate) fn requests_without_end(line: &mut Line, _: Due) -> Result {
    let asked = [vec![GLOBAL_REQUEST], string(b"a@b"), vec![1]];
    again(line, &asked.concat())
}

pub(crate) fn requests_of_the_channel_without_end(line: &mut Line, _: Due) -> Result {
    let asked = [to(line, CHANNEL_REQUEST), string(b"a@b"), vec![1]];
    again(line, &asked.concat())
}

pub(crate) fn channels_without_end(line: &mut Line, _: Due) -> Result {
    let mut asked = [vec![CHANNEL_OPEN], string(b"session")].concat();
    asked.extend([1_u32, 1 << 21, 1 << 15].map(u32::to_be_bytes).concat());
    again(line, &asked)
}

/// The same while keys are exchanged, when nothing is answered.
pub(crate) fn channels_without_end_in_a_key_exchange(line: &mut Line, due: Due) -> Result {
    line.send(&kexinit("none"))?;
    channels_without_end(line, due)
}

pub(crate) fn window_without_end(line: &mut Line, _: Due) -> Result {
    let more = to(line, CHANNEL_WINDOW_ADJUST);
    again(line, &[more, number(1).to_vec()].concat())
}

pub(crate) fn windows_of_4_gib_without_end(line: &mut Line, _: Due) -> Result {
    let more = to(line, CHANNEL_WINDOW_ADJUST);
    again(line, &[more, FOUR_GIB.to_vec()].concat())
}

pub(crate) fn standard_error_without_end(line: &mut Line, _: Due) -> Result {
    let mut told = to(line, CHANNEL_EXTENDED_DATA);
    told.extend(number(1));
    told.extend(string(&[b'a'; 1000]));
    again(line, &told)
}

pub(crate) fn data_of_nothing_without_end(line: &mut Line, _: Due) -> Result {
    let told = [to(line, CHANNEL_DATA), string(b"")].concat();
    again(line, &told)
}

pub(crate) fn end_of_the_channel(line: &mut Line, due: Due) -> Result {
    let (eof, close) = (to(line, CHANNEL_EOF), to(line, CHANNEL_CLOSE));
    line.send(&eof)?;
    line.send(&close)?;
    silence(line, due)
}

fn to(line: &Line, kind: u8) -> Vec<u8> {
    [&[kind], &line.channel.to_be_bytes()[..]].concat()
}

/// Bytes in SFTP's stream that are none of its packets.
pub(crate) fn garbage_in_sftp(line: &mut Line, due: Due) -> Result {
    line.data(&payload::seeded(11, 64 * 1024))?;
    silence(line, due)
}

pub(crate) fn text_before_sftp_without_end(line: &mut Line, _: Due) -> Result {
    loop {
        line.data(&b"Welcome to ACME!\n".repeat(1000))?;
    }
}

pub(crate) fn sftp_packet_of_4_gib(line: &mut Line, _: Due) -> Result {
    line.data(&FOUR_GIB)?;
    loop {
        line.data(&[0; 32 * 1024])?;
    }
}

/// The largest that is taken, byte by byte.
pub(crate) fn sftp_packet_in_single_bytes(line: &mut Line, _: Due) -> Result {
    line.data(&number(256 * 1024))?;
    loop {
        line.data(&[STATUS])?;
        line.pause()?;
    }
}

/// The largest that is taken, and never its last byte.
pub(crate) fn sftp_packet_that_never_ends(line: &mut Line, due: Due) -> Result {
    line.data(&number(256 * 1024))?;
    line.data(&[STATUS; 256 * 1024 - 1])?;
    silence(line, due)
}

pub(crate) fn sftp_packet_of_nothing(line: &mut Line, due: Due) -> Result {
    line.data(&number(0))?;
    silence(line, due)
}

/// Names without end, in one packet after the other of the largest size that is taken.
pub(crate) fn extensions_without_end(line: &mut Line, _: Due) -> Result {
    let mut names = Vec::new();
    for count in 0_u32.. {
        let name = [string(&count.to_be_bytes()), string(b"")].concat();
        if names.len() + name.len() > 256 * 1024 - 5 {
            break;
        }
        names.extend(name);
    }
    loop {
        line.data(&framed(VERSION, 3, &names))?;
    }
}

pub(crate) fn extension_of_4_gib(line: &mut Line, due: Due) -> Result {
    line.data(&framed(VERSION, 3, &FOUR_GIB))?;
    silence(line, due)
}

pub(crate) fn handle_of_4_gib(line: &mut Line, due: Due) -> Result {
    line.data(&framed(HANDLE, due.id, &FOUR_GIB))?;
    silence(line, due)
}

pub(crate) fn a_million_unsolicited_answers(line: &mut Line, due: Due) -> Result {
    for number in 0..1000_u32 {
        let batch = (0..1000).map(|it| {
            let other = due.id.wrapping_add(1_000_000 + number * 1000 + it);
            framed(STATUS, other, &[0; 4])
        });
        line.data(&batch.collect::<Vec<_>>().concat())?;
    }
    silence(line, due)
}

/// OK, with words of 4 GiB that are not there.
pub(crate) fn message_of_4_gib(line: &mut Line, due: Due) -> Result {
    line.data(&framed(STATUS, due.id, &[[0; 4], FOUR_GIB].concat()))?;
    Ok(Then::Nothing)
}

/// A length, and 4 Gi extended attributes.
pub(crate) fn attributes_without_end(line: &mut Line, due: Due) -> Result {
    let flags = 0x8000_0000_u32.to_be_bytes();
    line.data(&framed(ATTRS, due.id, &[flags, FOUR_GIB].concat()))?;
    silence(line, due)
}

//! One SFTP channel: requests in, one after the other as OpenSSH's sftp-server takes them, and answers out. Where a
//! hook says so, later ones overtake.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use russh::server::Msg;
use russh::{Channel, ChannelMsg, ChannelReadHalf, ChannelWriteHalf};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::disk::{Disk, status_answer};
use super::hook::Action;
use super::record::Record;
use super::request::{Operation, Request, status};
use super::wire::{self, Answer, Attributes, Call, MAX_PACKET};

/// See the module.
pub(super) struct SftpChannel {
    pub(super) disk: Disk,
    pub(super) record: Arc<Record>,
    pub(super) cut: CancellationToken,
    pub(super) connection: u64,
    pub(super) number: u64,
    /// What is still queued is carried out, and nothing answered.
    pub(super) is_frozen: bool,
    /// Requests that others overtake, oldest first.
    pub(super) overtaken: Vec<Overtaken>,
}

/// A request that waits until so many others are done.
pub(super) struct Overtaken {
    id: u32,
    call: Call,
    by: usize,
}

/// Nothing has followed an overtaken request for so long: its client waits for the answer.
const MOMENT: Duration = Duration::from_millis(10);

/// Whether the channel goes on.
enum Next {
    On,
    End,
}

impl SftpChannel {
    /// Serves until the client closes the channel or the connection is cut.
    pub(super) async fn serve(mut self, channel: Channel<Msg>) {
        let (reader, writer) = channel.split();
        let (sender, mut chunks) = mpsc::unbounded_channel();
        let pump = tokio::spawn(pump(reader, sender));
        // A hook that panics must end its client's wait: the test then fails, and does not hang.
        let guard = CutOnPanic(self.cut.clone());
        let mut buffer = BytesMut::new();
        loop {
            let chunk = if self.overtaken.is_empty() {
                chunks.recv().await
            } else if let Ok(chunk) = tokio::time::timeout(MOMENT, chunks.recv()).await {
                chunk
            } else if matches!(self.let_through(usize::MAX, &writer).await, Next::End) {
                break;
            } else {
                continue;
            };
            let Some(chunk) = chunk else { break };
            self.record.received(chunk.len());
            buffer.extend_from_slice(&chunk);
            if matches!(self.packets(&mut buffer, &writer).await, Next::End) {
                break;
            }
            if self.is_frozen && chunks.is_empty() {
                self.let_through(usize::MAX, &writer).await;
                self.cut.cancel();
                break;
            }
        }
        drop(guard);
        pump.abort();
        // The client may be gone, and nobody waits for this then.
        writer.exit_status(0).await.ok();
        writer.eof().await.ok();
        writer.close().await.ok();
    }

    /// Serves every whole packet in the buffer.
    async fn packets(&mut self, buffer: &mut BytesMut, writer: &ChannelWriteHalf<Msg>) -> Next {
        while let Some(len) = buffer
            .first_chunk::<4>()
            .map(|len| u32::from_be_bytes(*len))
        {
            let len = usize::try_from(len).unwrap_or(usize::MAX);
            if len > MAX_PACKET {
                self.record.violation(format!("a packet of {len} bytes"));
                return Next::End;
            }
            if buffer.len() < 4 + len {
                buffer.reserve(4 + len - buffer.len());
                break;
            }
            buffer.advance(4);
            let packet = buffer.split_to(len).freeze();
            let Ok((id, call)) = wire::decode(packet) else {
                self.record
                    .violation("a packet that ends before its fields do");
                return Next::End;
            };
            if matches!(self.request(id, call, writer).await, Next::End)
                || matches!(self.let_through(0, writer).await, Next::End)
            {
                return Next::End;
            }
        }
        Next::On
    }

    /// The overtaken requests that wait for no more than so many others are done and answered, the latest first.
    async fn let_through(&mut self, by: usize, writer: &ChannelWriteHalf<Msg>) -> Next {
        while let Some(last) = self.overtaken.iter().rposition(|it| it.by <= by) {
            let Overtaken { id, call, .. } = self.overtaken.remove(last);
            let answer = self.disk.answer(call);
            if matches!(self.tell(id, &answer, writer).await, Next::End) {
                return Next::End;
            }
        }
        Next::On
    }

    async fn request(&mut self, id: u32, mut call: Call, writer: &ChannelWriteHalf<Msg>) -> Next {
        let mut request = Request::of(&call);
        request.connection = self.connection;
        request.channel = self.number;
        request.path = request.path.or_else(|| self.disk.path_of(&call));
        if request.handle.is_some() && request.path.is_none() {
            self.record.violation(format!(
                "{:?} on a handle that is not open on this channel",
                request.operation
            ));
        }
        let closes = request.operation == Operation::Close;
        let (when, what) = self.record.request(request).split();
        for overtaken in &mut self.overtaken {
            overtaken.by = overtaken.by.saturating_sub(1);
        }
        let mut then = None;
        let mut cut_after = false;
        match when {
            Action::Wait(released) => released.await,
            Action::Freeze(released) => {
                released.await;
                self.is_frozen = true;
            }
            Action::Delay(time) => tokio::time::sleep(time).await,
            Action::WaitAfter(released) => then = Some(released),
            Action::DisconnectAfter => cut_after = true,
            _ => {}
        }
        if closes
            && !matches!(what, Action::Disconnect)
            && matches!(self.let_through(usize::MAX, writer).await, Next::End)
        {
            return Next::End;
        }
        // The highest bit: so many requests nobody sends.
        let id = match what {
            Action::AnswerAnother => id ^ 1 << 31,
            _ => id,
        };
        let answer = match what {
            Action::Overtaken(by) if by > 0 && then.is_none() && !cut_after => {
                self.overtaken.push(Overtaken { id, call, by });
                return Next::On;
            }
            Action::Status(code, message) => Answer::Status(code, message),
            Action::Drop => return Next::On,
            Action::Disconnect => {
                self.cut.cancel();
                return Next::End;
            }
            Action::EndChannel => return Next::End,
            Action::Run(run) => {
                if let Err(panic) = tokio::task::spawn_blocking(run).await {
                    self.record.violation(format!("a hook panicked: {panic}"));
                    self.cut.cancel();
                    return Next::End;
                }
                self.disk.answer(call)
            }
            Action::AcknowledgeOnly => status_answer(status::OK),
            Action::Keep(len) => {
                if let Call::Write { data, .. } = &mut call {
                    data.truncate(len);
                }
                self.disk.answer(call)
            }
            Action::OpenWith(bits) => {
                if let Call::Open { flags, .. } = &mut call {
                    *flags = bits;
                }
                self.disk.answer(call)
            }
            Action::RenameOver => self.disk.answer_renaming_over(call),
            Action::Size(size) => match self.disk.answer(call) {
                Answer::Attributes(attributes) => Answer::Attributes(Attributes {
                    size: Some(size),
                    ..attributes
                }),
                other => other,
            },
            _ => self.disk.answer(call),
        };
        if let Some(released) = then {
            released.await;
        }
        if cut_after {
            self.cut.cancel();
            return Next::End;
        }
        self.tell(id, &answer, writer).await
    }

    async fn tell(&self, id: u32, answer: &Answer, writer: &ChannelWriteHalf<Msg>) -> Next {
        if self.is_frozen {
            return Next::On;
        }
        match writer.data_bytes(wire::encode(id, answer)).await {
            Ok(()) => Next::On,
            Err(_) => Next::End,
        }
    }
}

/// Takes in what arrives whether or not it can be served yet: in russh, a channel that is not drained stalls its whole
/// connection, and a busy file would seem to be a dead network. The clients' own windows bound what piles up.
async fn pump(mut reader: ChannelReadHalf, sender: mpsc::UnboundedSender<Bytes>) {
    while let Some(message) = reader.wait().await {
        let over = match message {
            ChannelMsg::Data { data } => sender.send(data).is_err(),
            ChannelMsg::Eof | ChannelMsg::Close => true,
            _ => false,
        };
        if over {
            break;
        }
    }
}

struct CutOnPanic(CancellationToken);

impl Drop for CutOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.cancel();
        }
    }
}

//! Framing: a payload travels in packets of less than 16 MiB, each with its length and a sequence number in front: "MySQL Packets".
//!
//! What arrives is kept in one buffer, in which rows are read where they lie.

use std::ops::Range;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::fault::Fault;
use super::fields::refused;
use super::socket::Socket;

/// The length that says that the payload goes on in the next packet.
const FULL: usize = 0xff_ffff;

/// Length and sequence number.
const HEADER: usize = 4;

/// Room for what arrives: as much as stays in a core's own cache. Only a row that is larger makes it grow, and for that row alone.
pub(super) const BUFFER_BYTES: usize = 256 << 10;

/// How long the server's end of a connection is waited for.
const FAREWELL: Duration = Duration::from_secs(2);

/// A socket that speaks in packets.
pub(super) struct Packets {
    socket: Socket,
    received: Vec<u8>,
    /// Where in `received` the first packet begins that has not been taken.
    start: usize,
    /// The number that the next packet must have, in either direction.
    sequence: u8,
    sending: Vec<u8>,
}

/// What stands in the buffer.
pub(super) enum Next {
    /// A whole payload, at these places of the buffer.
    Payload(Range<usize>),
    /// The beginning of one, for which the buffer must hold so many bytes; no less than it has.
    Needs(usize),
    /// The beginning of one that travels in several packets.
    Split,
}

impl Packets {
    pub(super) fn new(socket: Socket) -> Self {
        Packets { socket, received: Vec::new(), start: 0, sequence: 0, sending: Vec::new() }
    }

    /// The socket, to be encrypted; refuses to lose bytes, which somebody may have put there to be taken for encrypted ones.
    pub(super) fn into_socket(self) -> Result<(Socket, u8), Fault> {
        if self.start < self.received.len() {
            return Err(Fault::protocol("the server sent something before it was asked to encrypt"));
        }
        Ok((self.socket, self.sequence))
    }

    /// Goes on over an encrypted socket.
    pub(super) fn resume(socket: Socket, sequence: u8) -> Self {
        Packets { sequence, ..Packets::new(socket) }
    }

    /// What the buffer holds.
    pub(super) fn buffer(&self) -> &[u8] {
        &self.received
    }

    /// Looks at the packet that begins at `at`, of which nothing is taken.
    ///
    /// # Errors
    /// `Protocol` when it is not the next one of the sequence.
    #[inline]
    pub(super) fn look(&self, at: usize, sequence: u8) -> Result<Next, Fault> {
        let rest = self.received.get(at..).unwrap_or_default();
        let Some(([a, b, c, number], rest)) = rest.split_first_chunk::<HEADER>() else {
            return Ok(Next::Needs(HEADER));
        };
        let length = usize::from(*a) | usize::from(*b) << 8 | usize::from(*c) << 16;
        if *number != sequence {
            return Err(Fault::protocol(format!("packet {number} came where {sequence} was due")));
        }
        if length == FULL {
            return Ok(Next::Split);
        }
        if rest.len() < length {
            return Ok(Next::Needs(HEADER + length));
        }
        Ok(Next::Payload(at + HEADER..at + HEADER + length))
    }

    /// The place and the number of the next packet.
    pub(super) fn position(&self) -> (usize, u8) {
        (self.start, self.sequence)
    }

    /// Takes all packets before `at`; `sequence` is the number of the one there.
    pub(super) fn advance(&mut self, at: usize, sequence: u8) {
        self.start = at.min(self.received.len());
        self.sequence = sequence;
    }

    /// Reads until so many bytes are there that have not been taken, and as many more as came along. They begin at the buffer's front.
    ///
    /// # Errors
    /// `Network`, also when the server closes the connection.
    pub(super) async fn fill(&mut self, least: usize) -> Result<(), Fault> {
        self.received.drain(..self.start);
        self.start = 0;
        if self.received.capacity() > BUFFER_BYTES && least.max(self.received.len()) <= BUFFER_BYTES {
            self.received.shrink_to(BUFFER_BYTES);
        }
        self.received.reserve_exact(least.max(BUFFER_BYTES).saturating_sub(self.received.len()));
        while self.received.len() < least {
            if self.socket.read_buf(&mut self.received).await? == 0 {
                return Err(Fault::cut());
            }
        }
        Ok(())
    }

    /// Gives back room that was made for one row.
    pub(super) fn shrink(&mut self) {
        self.received.shrink_to(BUFFER_BYTES);
    }

    /// Takes the next payload as a copy. An error of the server becomes one.
    pub(super) async fn payload(&mut self) -> Result<Vec<u8>, Fault> {
        let mut payload = Vec::new();
        let place = loop {
            match self.look(self.start, self.sequence)? {
                Next::Payload(place) => break place,
                Next::Needs(least) => self.fill(least).await?,
                Next::Split => {
                    self.join(&mut payload).await?;
                    return Ok(payload);
                }
            }
        };
        payload.extend_from_slice(self.received.get(place.clone()).unwrap_or_default());
        self.advance(place.end, self.sequence.wrapping_add(1));
        if payload.first() == Some(&0xff) { Err(refused(&payload)) } else { Ok(payload) }
    }

    /// The place of the beginning of a payload that travels in several packets: as much of it as the buffer takes, and nothing is taken.
    pub(super) async fn beginning(&mut self) -> Result<Range<usize>, Fault> {
        // So many bytes follow in any case.
        if self.received.len() - self.start < BUFFER_BYTES {
            self.fill(BUFFER_BYTES).await?;
        }
        let start = self.start + HEADER;
        Ok(start..self.received.len().min(start + FULL))
    }

    /// Takes a payload that travels in several packets.
    pub(super) async fn join(&mut self, into: &mut Vec<u8>) -> Result<(), Fault> {
        into.clear();
        self.take(|piece| into.extend_from_slice(piece)).await
    }

    /// Takes a payload and forgets it.
    pub(super) async fn pass_over(&mut self) -> Result<(), Fault> {
        self.take(|_| {}).await
    }

    /// Takes a payload piece by piece, so that the buffer need not grow, in however many packets it travels.
    async fn take(&mut self, mut piece_of_it: impl FnMut(&[u8])) -> Result<(), Fault> {
        loop {
            while self.received.len() < self.start + HEADER {
                self.fill(HEADER).await?;
            }
            let header = self.received.get(self.start..).and_then(|rest| rest.first_chunk::<HEADER>());
            let Some([a, b, c, number]) = header.copied() else { return Err(Fault::cut()) };
            if number != self.sequence {
                return Err(Fault::protocol(format!("packet {number} came where {} was due", self.sequence)));
            }
            let length = usize::from(a) | usize::from(b) << 8 | usize::from(c) << 16;
            self.advance(self.start + HEADER, number.wrapping_add(1));
            let mut missing = length;
            while missing > 0 {
                if self.start == self.received.len() {
                    self.fill(1).await?;
                }
                let piece = self.received.get(self.start..).unwrap_or_default();
                let piece = piece.get(..missing).unwrap_or(piece);
                piece_of_it(piece);
                missing -= piece.len();
                self.start += piece.len();
            }
            if length < FULL {
                return Ok(());
            }
        }
    }

    /// Sends a command: the sequence begins anew.
    ///
    /// # Errors
    /// `Protocol` when something is left of the last answer.
    pub(super) async fn command(&mut self, payload: &[u8]) -> Result<(), Fault> {
        if self.start < self.received.len() {
            return Err(Fault::protocol("a statement was sent before the last one's answer was read"));
        }
        self.sequence = 0;
        self.send(payload).await
    }

    /// Sends a payload as the next of the sequence.
    pub(super) async fn send(&mut self, payload: &[u8]) -> Result<(), Fault> {
        self.sending.clear();
        let mut rest = payload;
        loop {
            let (piece, after) = rest.split_at(rest.len().min(FULL));
            let [a, b, c, ..] = piece.len().to_le_bytes();
            self.sending.extend_from_slice(&[a, b, c, self.sequence]);
            self.sending.extend_from_slice(piece);
            self.sequence = self.sequence.wrapping_add(1);
            rest = after;
            // A payload whose last packet is full ends with an empty one.
            if piece.len() < FULL {
                break;
            }
        }
        self.socket.write_all(&self.sending).await?;
        self.socket.flush().await?;
        self.sending.shrink_to(BUFFER_BYTES);
        Ok(())
    }

    /// Says goodbye, closes, and waits a moment for the server to close too. False if it does not: the network may have lost the connection
    /// without a word, and the server's session lives on.
    pub(super) async fn close(mut self, goodbye: &[u8]) -> bool {
        self.sequence = 0;
        let _ = self.send(goodbye).await;
        let _ = self.socket.shutdown().await;
        let ended = async { while matches!(self.socket.read(&mut [0; 512]).await, Ok(count) if count > 0) {} };
        tokio::time::timeout(FAREWELL, ended).await.is_ok()
    }
}

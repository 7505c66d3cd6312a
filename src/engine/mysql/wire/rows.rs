//! Rows of the binary protocol, found where they lie in the buffer. See "Binary Protocol Resultset Row" and "Binary Protocol Value".
//!
//! A row is a zero byte, a bit for each NULL, and the values that are not NULL, each with a length that its type or its first byte tells.
//! The values themselves are read by nobody here.

use super::ahead::{self, Ahead};
use super::fault::Fault;
use super::fields::{Fields, refused};
use super::packets::{BUFFER_BYTES, Next};
use super::session::Session;

/// Rows of one block at most. A block is what the network has brought, so mostly smaller.
const MOST_ROWS: usize = 1000;

/// Room that is kept for a row that came in several packets.
const KEPT_BYTES: usize = 1 << 20;

/// How a column's values stand in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// So many bytes.
    Fixed(u32),
    /// A byte says how many follow. It is a part of the value: a zero date is a length of zero.
    Timed,
    /// A length stands in front. The server has announced so many bytes at most.
    Sized(u32),
    /// Always NULL.
    Null,
}

impl Kind {
    /// From a number of "Column types" (`enum_field_types`), and the most bytes of a value, as the column's definition has both.
    pub(super) fn of(column_type: u8, most_bytes: u32) -> Result<Self, Fault> {
        Ok(match column_type {
            // TINY; SHORT, YEAR; LONG, FLOAT, INT24; DOUBLE, LONGLONG.
            0x01 => Kind::Fixed(1),
            0x02 | 0x0d => Kind::Fixed(2),
            0x03 | 0x04 | 0x09 => Kind::Fixed(4),
            0x05 | 0x08 => Kind::Fixed(8),
            0x06 => Kind::Null,
            // TIMESTAMP, DATE, TIME, DATETIME.
            0x07 | 0x0a | 0x0b | 0x0c => Kind::Timed,
            // DECIMAL, VARCHAR, BIT; VECTOR; from JSON to GEOMETRY.
            0x00 | 0x0f | 0x10 | 0xf2 | 0xf5..=0xff => Kind::Sized(most_bytes),
            other => return Err(Fault::protocol(format!("a column of the unknown type {other}"))),
        })
    }
}

/// Where a value stands in the buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine::mysql) struct Span {
    pub(super) start: u32,
    pub(super) end: u32,
}

/// What stands for NULL.
pub(super) const NULL: Span = Span { start: u32::MAX, end: u32::MAX };

/// Some rows, in the buffer.
#[derive(Debug, Clone, Copy)]
pub(in crate::engine::mysql) struct Block<'a> {
    bytes: &'a [u8],
    /// Row by row.
    spans: &'a [Span],
    width: usize,
}

impl<'a> Block<'a> {
    /// How many rows.
    #[inline]
    pub(in crate::engine::mysql) fn rows(&self) -> usize {
        self.spans.len().checked_div(self.width).unwrap_or_default()
    }

    /// Bytes from that row's first value on to the last one's end: at least what the values from there on have.
    pub(in crate::engine::mysql) fn bytes_from(&self, row: usize) -> Option<usize> {
        let start = self.spans.get(row * self.width..)?.iter().find(|span| **span != NULL).map(|span| span.start as usize);
        let end = self.spans.iter().rev().find(|span| **span != NULL).map_or(0, |span| span.end as usize);
        Some(start.map_or(0, |start| end.saturating_sub(start)))
    }

    /// How many columns.
    pub(in crate::engine::mysql) fn width(&self) -> usize {
        self.width
    }

    /// A value's bytes, the inner none for NULL; none when there is no such value.
    #[inline]
    pub(in crate::engine::mysql) fn value(&self, row: usize, column: usize) -> Option<Option<&'a [u8]>> {
        if column >= self.width {
            return None;
        }
        let span = self.spans.get(row * self.width + column)?;
        // No span but that of NULL lies outside of the buffer.
        Some(self.bytes.get(span.start as usize..span.end as usize))
    }

    /// As [`Block::value`], with all that stands behind the value in the buffer, and the value's length: for those who read a few bytes more
    /// than it has, which costs less than to stop at its end.
    #[inline]
    pub(in crate::engine::mysql) fn ahead(&self, row: usize, column: usize) -> Option<Option<(&'a [u8], usize)>> {
        if column >= self.width {
            return None;
        }
        let span = self.spans.get(row * self.width + column)?;
        Some(
            self.bytes
                .get(span.start as usize..)
                .filter(|_| *span != NULL)
                .map(|ahead| (ahead, (span.end - span.start) as usize)),
        )
    }
}

/// Rows that came from nowhere.
#[derive(Debug)]
pub(in crate::engine::mysql) struct Sample {
    bytes: Vec<u8>,
    spans: Vec<Span>,
    width: usize,
}

impl Sample {
    /// Of columns of these wire types; see [`Kind::of`].
    pub(in crate::engine::mysql) fn of(column_types: &[u8], rows: &[&[u8]]) -> Result<Self, Fault> {
        let kinds = column_types.iter().map(|column_type| Kind::of(*column_type, u32::MAX)).collect::<Result<Vec<_>, Fault>>()?;
        let (mut bytes, mut spans) = (Vec::new(), Vec::new());
        for row in rows {
            split(row, bytes.len(), &kinds, &mut spans)?;
            bytes.extend_from_slice(row);
        }
        Ok(Sample { bytes, spans, width: kinds.len() })
    }

    /// All of them.
    pub(in crate::engine::mysql) fn block(&self) -> Block<'_> {
        Block { bytes: &self.bytes, spans: &self.spans, width: self.width }
    }
}

/// A result that is being read.
pub(in crate::engine::mysql) struct Rows<'a> {
    session: &'a mut Session,
    kinds: Vec<Kind>,
    ended: bool,
}

/// What comes next of a result.
pub(in crate::engine::mysql) enum Step<'a> {
    /// Rows, at least one.
    Rows(Block<'a>),
    /// A row that is wider than was asked for. It waits to be asked for with room enough, or to be passed over.
    Wide(Wide<'a>),
    /// The server has said that there are no more.
    End,
}

/// A row that is announced, and not received.
pub(in crate::engine::mysql) struct Wide<'a> {
    /// How wide it is.
    pub(in crate::engine::mysql) ahead: Ahead,
    /// The row as far as it is known: values that are not there yet look like NULL.
    pub(in crate::engine::mysql) block: Block<'a>,
}

/// Where the rows of a block are.
enum Found {
    /// In the session's buffer.
    Received,
    /// One row, joined from several packets.
    Joined,
    /// One row, which is still to come.
    Ahead(Ahead),
    /// There are none left.
    End,
}

impl<'a> Rows<'a> {
    pub(super) fn new(session: &'a mut Session, kinds: Vec<Kind>) -> Self {
        Rows { session, kinds, ended: false }
    }

    /// The next rows, at least one; none when the server has said that there are no more.
    ///
    /// # Errors
    /// See [`Rows::next_within`].
    pub(in crate::engine::mysql) async fn next(&mut self) -> Result<Option<Block<'_>>, Fault> {
        match self.next_within(usize::MAX).await? {
            Step::Rows(block) => Ok(Some(block)),
            // Nothing is wider than that.
            Step::Wide(_) | Step::End => Ok(None),
        }
    }

    /// The next rows, unless the first of them takes more than `most` bytes on the wire, and more than the buffer has anyway: such a row is
    /// announced, so that room can be made for it before it is received.
    ///
    /// # Errors
    /// The server's own in the middle of the result, and `Network` when the connection ends before the result does.
    pub(in crate::engine::mysql) async fn next_within(&mut self, most: usize) -> Result<Step<'_>, Fault> {
        let found = self.find(most).await?;
        let (packets, spans, width) = (&self.session.packets, &self.session.spans, self.kinds.len());
        Ok(match found {
            Found::End => Step::End,
            Found::Received => Step::Rows(Block { bytes: packets.buffer(), spans, width }),
            Found::Joined => Step::Rows(Block { bytes: &self.session.joined, spans, width }),
            Found::Ahead(ahead) => Step::Wide(Wide { ahead, block: Block { bytes: packets.buffer(), spans, width } }),
        })
    }

    /// Passes over a row that was announced, without keeping it.
    ///
    /// # Errors
    /// `Network` when the connection ends before the row does.
    pub(in crate::engine::mysql) async fn pass_over(&mut self) -> Result<(), Fault> {
        self.session.packets.pass_over().await
    }

    /// Gives back the memory of wide rows; their block is of no use any more.
    pub(in crate::engine::mysql) fn shrink(&mut self) {
        self.session.spans.clear();
        self.session.shrink();
    }

    /// Gives back the memory of a row that came in several packets.
    fn release(&mut self) {
        self.session.spans.clear();
        if self.session.joined.capacity() > KEPT_BYTES {
            self.session.joined = Vec::new();
        }
    }

    async fn find(&mut self, most: usize) -> Result<Found, Fault> {
        self.release();
        if self.ended {
            return Ok(Found::End);
        }
        loop {
            let (mut at, mut sequence) = self.session.packets.position();
            let mut rows = 0;
            let next = loop {
                let next = self.session.packets.look(at, sequence)?;
                let Next::Payload(place) = next else { break next };
                let payload = self.session.packets.buffer().get(place.clone()).unwrap_or_default();
                if payload.first() != Some(&0) {
                    if rows > 0 {
                        // It comes again with the next block.
                        break Next::Needs(0);
                    }
                    return self.end(place.end);
                }
                split(payload, place.start, &self.kinds, &mut self.session.spans)?;
                (at, sequence, rows) = (place.end, sequence.wrapping_add(1), rows + 1);
                if rows == MOST_ROWS {
                    break Next::Needs(0);
                }
            };
            if rows > 0 {
                self.session.packets.advance(at, sequence);
                return Ok(Found::Received);
            }
            match next {
                Next::Needs(least) if least > most.max(BUFFER_BYTES) => {
                    // One packet, whose length is known; what of it is there says little more.
                    return Ok(Found::Ahead(Ahead { bytes: least, open: false, column: 0 }));
                }
                Next::Needs(least) => self.session.packets.fill(least).await?,
                _ => {
                    let ahead = self.look_ahead().await?;
                    if ahead.bytes > most {
                        return Ok(Found::Ahead(ahead));
                    }
                    self.session.spans.clear();
                    return self.join(ahead.bytes).await;
                }
            }
        }
    }

    /// Takes the packet that is no row, and ends before `end`.
    fn end(&mut self, end: usize) -> Result<Found, Fault> {
        let (start, sequence) = self.session.packets.position();
        let packet = self.session.packets.buffer().get(start + 4..end).unwrap_or_default().to_vec();
        self.session.packets.advance(end, sequence.wrapping_add(1));
        if packet.first() == Some(&0xff) {
            return Err(refused(&packet));
        }
        if !self.session.is_end(&packet)? {
            return Err(Fault::protocol("a packet in the midst of a result is neither a row nor its end"));
        }
        self.ended = true;
        Ok(Found::End)
    }

    /// How wide a row is that comes in several packets, by what its beginning says.
    async fn look_ahead(&mut self) -> Result<Ahead, Fault> {
        let Session { packets, spans, .. } = &mut *self.session;
        let place = packets.beginning().await?;
        let base = place.start;
        let beginning = packets.buffer().get(place).unwrap_or_default();
        if beginning.first() != Some(&0) {
            return Err(Fault::protocol("a packet in the midst of a result is neither a row nor its end"));
        }
        ahead::of(beginning, base, &self.kinds, spans)
    }

    async fn join(&mut self, about: usize) -> Result<Found, Fault> {
        let Session { packets, joined, spans, .. } = &mut *self.session;
        // At once, since a buffer that grows is there twice for a moment.
        joined.reserve_exact(about);
        packets.join(joined).await?;
        split(joined, 0, &self.kinds, spans)?;
        Ok(Found::Joined)
    }
}

/// Finds the values of a row that begins at `base` of the buffer, and appends a span for each of the columns.
fn split(row: &[u8], base: usize, kinds: &[Kind], spans: &mut Vec<Span>) -> Result<(), Fault> {
    let wrong = || Fault::protocol("a row does not have the columns that the server has announced");
    let base = u32::try_from(base).map_err(|_| wrong())?;
    let length = u32::try_from(row.len()).map_err(|_| wrong())?;
    // So no sum below overflows, and no place is that of NULL.
    if base.checked_add(length).is_none_or(|end| end == u32::MAX) {
        return Err(wrong());
    }
    // The first two bits are not used.
    let nulls = row.get(1..1 + (kinds.len() + 2).div_ceil(8)).ok_or_else(wrong)?;
    let mut at = u32::try_from(1 + nulls.len()).map_err(|_| wrong())?;
    spans.reserve(kinds.len());
    for (column, kind) in kinds.iter().enumerate() {
        let bit = column + 2;
        if nulls.get(bit / 8).is_some_and(|byte| byte >> (bit % 8) & 1 == 1) {
            spans.push(NULL);
            continue;
        }
        let (start, size) = match *kind {
            Kind::Fixed(size) => (at, size),
            Kind::Timed => (at, 1 + u32::from(*row.get(at as usize).ok_or_else(wrong)?)),
            Kind::Sized(_) => match *row.get(at as usize).ok_or_else(wrong)? {
                size @ 0..=0xfa => (at + 1, u32::from(size)),
                _ => long(row, at).ok_or_else(wrong)?,
            },
            Kind::Null => return Err(wrong()),
        };
        let end = start.checked_add(size).filter(|end| *end <= length).ok_or_else(wrong)?;
        spans.push(Span { start: base + start, end: base + end });
        at = end;
    }
    if at == length { Ok(()) } else { Err(wrong()) }
}

/// Where a value begins that is longer than 250 bytes, and its size.
#[cold]
pub(super) fn long(row: &[u8], at: u32) -> Option<(u32, u32)> {
    let rest = row.get(at as usize..)?;
    let mut fields = Fields::of(rest);
    let size = u32::try_from(fields.length().ok()??).ok()?;
    let used = u32::try_from(rest.len() - fields.rest().len()).ok()?;
    Some((at + used, size))
}

#[cfg(test)]
mod tests {
    use super::super::random;
    use super::*;

    fn values(row: &[u8], kinds: &[Kind]) -> Option<Vec<Option<Vec<u8>>>> {
        // Something in front, as in a buffer.
        let mut bytes = vec![9; 5];
        bytes.extend_from_slice(row);
        let mut spans = Vec::new();
        split(row, 5, kinds, &mut spans).ok()?;
        let block = Block { bytes: &bytes, spans: &spans, width: kinds.len() };
        assert_eq!(block.rows(), 1);
        Some((0..kinds.len()).map(|at| block.value(0, at).unwrap().map(<[u8]>::to_vec)).collect())
    }

    #[test]
    fn values_are_found_by_their_kinds() {
        let kinds = [Kind::Fixed(2), Kind::Sized(9), Kind::Timed, Kind::Sized(9), Kind::Timed];
        let row = [0, 0, 7, 8, 2, b'a', b'b', 4, 1, 2, 3, 4, 0, 0];
        let found = values(&row, &kinds).unwrap();
        assert_eq!(found, [&[7, 8][..], b"ab", &[4, 1, 2, 3, 4], b"", &[0]].map(|value| Some(value.to_vec())));
        for end in 0..row.len() {
            assert!(values(&row[..end], &kinds).is_none(), "{end}");
        }
        assert!(values(&[&row[..], &[0]].concat(), &kinds).is_none());
    }

    #[test]
    fn nulls_are_told_by_bits_however_many_columns_there_are() {
        for width in [1_usize, 5, 6, 7, 13, 14, 15, 62, 300] {
            for null in 0..width {
                let mut row = vec![0; 1 + (width + 2).div_ceil(8)];
                row[1 + (null + 2) / 8] |= 1 << ((null + 2) % 8);
                row.resize(row.len() + width - 1, 7);
                let found = values(&row, &vec![Kind::Fixed(1); width]).unwrap();
                assert!(found.iter().enumerate().all(|(at, value)| value.is_none() == (at == null)), "{width} {null}");
            }
        }
    }

    #[test]
    fn long_values_have_long_lengths() {
        for size in [250_usize, 251, 65_535, 65_536, 0x100_0000] {
            let mut row = vec![0, 0];
            super::super::fields::put_string(&vec![b'x'; size], &mut row);
            assert_eq!(values(&row, &[Kind::Sized(9)]).unwrap()[0].as_ref().map(Vec::len), Some(size));
        }
        assert!(values(&[0, 0, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], &[Kind::Sized(9)]).is_none());
        assert!(values(&[0, 0, 0xfd, 0xff, 0xff, 0xff], &[Kind::Sized(9)]).is_none());
    }

    #[test]
    fn any_bytes_are_a_row_or_an_error() {
        let mut random = random::bytes();
        for _ in 0..200_000 {
            let kinds: Vec<Kind> = (0..1 + random() % 12)
                .map(|_| {
                    [Kind::Fixed(1), Kind::Fixed(8), Kind::Timed, Kind::Sized(9), Kind::Sized(9), Kind::Null]
                        [usize::from(random() % 6)]
                })
                .collect();
            let mut row: Vec<u8> = (0..random() % 64).map(|_| random()).collect();
            if let Some(nulls) = row.get_mut(1) {
                *nulls &= random();
            }
            if let Some(found) = values(&row, &kinds) {
                assert!(found.iter().flatten().map(Vec::len).sum::<usize>() <= row.len());
            }
        }
    }
}

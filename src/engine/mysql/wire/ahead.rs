//! How wide a row is, as far as its beginning tells, so that room can be made before it is received.
//!
//! Its values stand one after the other, each long one with its length in front. So the beginning tells of all values up to the first that
//! does not end in it; behind that one there may be more.

use super::fault::Fault;
use super::rows::{Kind, NULL, Span, long};

/// What may be behind the last value that is known without being called open.
const NOTHING_MUCH: u64 = 1 << 20;

/// The width of a row that is still to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine::mysql) struct Ahead {
    /// Bytes on the wire, no less; and not much more, unless it is open.
    pub(in crate::engine::mysql) bytes: usize,
    /// True if values may follow that are wide themselves.
    pub(in crate::engine::mysql) open: bool,
    /// The place of the value that does not end where the buffer does.
    pub(in crate::engine::mysql) column: usize,
}

/// Of a row whose beginning stands at `base` of the buffer, and goes on behind it. `spans` gets one for each of its values: those that are
/// not there to their end are like NULL.
///
/// # Errors
/// `Protocol` when it is no beginning of such a row.
pub(super) fn of(beginning: &[u8], base: usize, kinds: &[Kind], spans: &mut Vec<Span>) -> Result<Ahead, Fault> {
    let wrong = || Fault::protocol("a row does not have the columns that the server has announced");
    let base = u32::try_from(base).map_err(|_| wrong())?;
    let there = u32::try_from(beginning.len()).map_err(|_| wrong())?;
    let nulls = beginning.get(1..1 + (kinds.len() + 2).div_ceil(8)).ok_or_else(wrong)?;
    let is_null = |column: usize| nulls.get((column + 2) / 8).is_some_and(|byte| byte >> ((column + 2) % 8) & 1 == 1);
    spans.clear();
    let mut at = u32::try_from(1 + nulls.len()).map_err(|_| wrong())?;
    for (column, kind) in kinds.iter().enumerate() {
        if is_null(column) {
            spans.push(NULL);
            continue;
        }
        let place = match *kind {
            Kind::Fixed(size) => Some((at, size)),
            Kind::Timed => beginning.get(at as usize).map(|size| (at, 1 + u32::from(*size))),
            Kind::Sized(_) => match beginning.get(at as usize) {
                Some(size @ 0..=0xfa) => Some((at + 1, u32::from(*size))),
                Some(_) => long(beginning, at),
                None => None,
            },
            Kind::Null => return Err(wrong()),
        };
        // Its length itself may be what is not there.
        let end = place.map_or(Some(there), |(start, size)| start.checked_add(size)).ok_or_else(wrong)?;
        match place {
            Some((start, _)) if end <= there => spans.push(Span { start: base + start, end: base + end }),
            _ => {
                spans.resize(kinds.len(), NULL);
                let from = if place.is_some() { column + 1 } else { column };
                let rest = kinds.iter().enumerate().skip(from).filter(|(column, _)| !is_null(*column));
                let behind: u64 = rest.map(|(_, kind)| most_bytes(*kind)).sum();
                let bytes = usize::try_from(end).map_err(|_| wrong())?;
                return Ok(Ahead { bytes, open: behind > NOTHING_MUCH, column });
            }
        }
        at = end;
    }
    // It has all its values, and goes on.
    Err(wrong())
}

fn most_bytes(kind: Kind) -> u64 {
    match kind {
        Kind::Fixed(size) => size.into(),
        Kind::Timed => 13,
        Kind::Sized(most) => u64::from(most) + 9,
        Kind::Null => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::super::fields::put_string;
    use super::super::random;
    use super::*;

    const TEXT: Kind = Kind::Sized(160);
    const LONG: Kind = Kind::Sized(u32::MAX);

    fn row(values: &[&[u8]]) -> Vec<u8> {
        let mut row = vec![0; 1 + (values.len() + 2).div_ceil(8)];
        values.iter().for_each(|value| put_string(value, &mut row));
        row
    }

    fn ahead(beginning: &[u8], kinds: &[Kind]) -> Option<Ahead> {
        of(beginning, 0, kinds, &mut Vec::new()).ok()
    }

    #[test]
    fn the_beginning_tells_where_the_first_value_ends_that_is_not_all_there() {
        let wide = vec![b'w'; 70_000];
        let all = row(&[b"key", &wide, b"tail"]);
        let whole = all.len() - 5;
        for there in [20, 1000, 69_000] {
            let found = |kinds: &[Kind]| ahead(&all[..there], kinds).unwrap();
            assert_eq!(found(&[TEXT, LONG, TEXT]), Ahead { bytes: whole, open: false, column: 1 });
            assert_eq!(found(&[TEXT, LONG, LONG]), Ahead { bytes: whole, open: true, column: 1 });
        }
        // Where even its length is not there, the value may have any.
        assert_eq!(ahead(&all[..6], &[TEXT, LONG, TEXT]), Some(Ahead { bytes: 6, open: true, column: 1 }));
        assert_eq!(ahead(&all[..7], &[TEXT, LONG, TEXT]), Some(Ahead { bytes: 7, open: true, column: 1 }));
        // Nothing is behind a NULL.
        let mut null = all[..1000].to_vec();
        null[1] |= 1 << 4;
        assert_eq!(ahead(&null, &[TEXT, LONG, LONG]), Some(Ahead { bytes: whole, open: false, column: 1 }));
    }

    #[test]
    fn values_that_are_there_are_found_and_others_are_like_null() {
        let wide = vec![b'w'; 70_000];
        let all = row(&[b"key", &wide, b"tail"]);
        let mut spans = Vec::new();
        let mut buffer = vec![9; 7];
        buffer.extend_from_slice(&all[..500]);
        of(&buffer[7..], 7, &[TEXT, LONG, TEXT], &mut spans).unwrap();
        assert_eq!(spans[1..], [NULL, NULL]);
        assert_eq!(&buffer[spans[0].start as usize..spans[0].end as usize], b"key");
    }

    #[test]
    fn any_bytes_are_a_width_or_an_error() {
        let mut random = random::bytes();
        for _ in 0..100_000 {
            let kinds: Vec<Kind> = (0..1 + random() % 12)
                .map(|_| [Kind::Fixed(1), Kind::Fixed(8), Kind::Timed, LONG, TEXT, Kind::Null][usize::from(random() % 6)])
                .collect();
            let bytes: Vec<u8> = (0..random() % 64).map(|_| random()).collect();
            let mut spans = Vec::new();
            if let Ok(found) = of(&bytes, 3, &kinds, &mut spans) {
                assert!(found.bytes >= bytes.len() && found.column < kinds.len() && spans.len() == kinds.len());
            }
        }
    }
}

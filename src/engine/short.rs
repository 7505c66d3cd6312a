//! Copies of a few bytes: most texts and numbers are short, and a copy whose length is known only when it is made costs more than the bytes.

/// Bytes that one copy takes in any case: as many as fit a register or two.
const AT_ONCE: usize = 32;
const AT_MOST: usize = 64;

/// Appends the first `length` bytes of `ahead`, which goes on behind them as far as its buffer does: there, 32 or 64 bytes are copied at
/// once, and those that were too many are cut off again.
#[inline]
pub(crate) fn append(ahead: &[u8], length: usize, out: &mut Vec<u8>) {
    let end = out.len() + length;
    if length <= AT_ONCE
        && let Some(chunk) = ahead.first_chunk::<AT_ONCE>()
    {
        out.extend_from_slice(chunk);
        out.truncate(end);
    } else if length <= AT_MOST
        && let Some(chunk) = ahead.first_chunk::<AT_MOST>()
    {
        out.extend_from_slice(chunk);
        out.truncate(end);
    } else {
        out.extend_from_slice(ahead.get(..length).unwrap_or(ahead));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_the_first_bytes_are_appended() {
        let source: Vec<u8> = (0..100).collect();
        for start in [0, 30, 36, 37, 68, 69, 90, 100] {
            for length in 0..=source.len() - start {
                let mut out = vec![7];
                append(&source[start..], length, &mut out);
                assert_eq!(out[0], 7);
                assert_eq!(out[1..], source[start..start + length], "{start} {length}");
            }
        }
    }
}

//! Random bytes for tests, each time the same, so that a failure comes back.

/// Gives one byte after the other (xorshift64).
pub(super) fn bytes() -> impl FnMut() -> u8 {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    }
}

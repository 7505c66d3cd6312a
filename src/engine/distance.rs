//! How far away a server is, and what is done about it.
//!
//! Each chunk has moments in which only a question is under way: its transaction is opened, its rows are asked for, its commit is waited for.
//! Beside a server on the same machine they are nothing; behind a long line they are most of a small chunk's time. So with a far server more
//! chunks are under way than are carried at a time: the next ones are opened ahead, and wait for their [turn](super::turn), while the last
//! ones wait for the answer to their commit.

use std::time::Duration;

/// A round trip from which on a server is far. Servers on the same machine or in the same room answer in a fraction of it.
const FAR: Duration = Duration::from_millis(2);

/// Chunks under way beside those that are carried: with more, small tables gain little, and each is a session on both servers.
pub const MOST_AHEAD: usize = 8;

/// Milliseconds of a round trip for each chunk that is opened ahead.
const MILLISECONDS_EACH: u128 = 2;

/// How many chunks are opened ahead with a server of that round trip.
pub fn ahead(round_trip: Duration) -> usize {
    if !is_far(round_trip) {
        return 0;
    }
    usize::try_from(round_trip.as_millis() / MILLISECONDS_EACH).unwrap_or(MOST_AHEAD).clamp(1, MOST_AHEAD)
}

/// True if that is the round trip of a far server.
pub fn is_far(round_trip: Duration) -> bool {
    round_trip >= FAR
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_far_servers_have_chunks_opened_ahead() {
        assert_eq!(ahead(Duration::from_micros(300)), 0);
        assert_eq!(ahead(Duration::from_millis(2)), 1);
        assert_eq!(ahead(Duration::from_millis(10)), 5);
        assert_eq!(ahead(Duration::from_millis(300)), MOST_AHEAD);
    }
}

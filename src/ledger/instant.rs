//! The instants of the source that a run has read at: one for each snapshot, so that whoever takes a later one can tell whether the source
//! has moved since.

use serde::{Deserialize, Serialize};

use crate::engine::LogPosition;

/// A snapshot of the source, as the ledger remembers it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstantRecord {
    /// Counts from 1 within the run.
    pub number: u32,
    /// Where it stands in the source's log, if that is known.
    pub position: Option<LogPosition>,
    /// Why an equal position of another snapshot would not prove that both show the same rows; none where it does.
    pub doubt: Option<String>,
    /// All rows that the run has carried so far are those of this instant. Otherwise some may still be those of an earlier one.
    pub settled: bool,
}

/// Whether the source has moved between two snapshots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Movement {
    /// Both stand at the same place of a log that has every change.
    Still(LogPosition),
    /// The log has gone on in between. It is the whole server's: what was written may have been elsewhere.
    Moved {
        /// Where the earlier one stands.
        from: LogPosition,
        /// Where the later one stands.
        to: LogPosition,
    },
    /// Nothing proves that it stood still, so it counts as moved; the text says why.
    Unproven(String),
}

impl Movement {
    /// What has become of the source from the instants that carried rows may be of, `earlier` in their order, until `now`.
    pub fn between(earlier: &[InstantRecord], now: &InstantRecord) -> Self {
        // What was settled later holds for all that came before it.
        let from = earlier.iter().rposition(|instant| instant.settled).unwrap_or(0);
        let earlier = earlier.get(from..).unwrap_or_default();
        let places = |instant: &InstantRecord| instant.position.clone().zip(now.position.clone());
        if let Some((from, to)) = earlier.iter().filter_map(places).find(|(from, to)| !from.is_same(to)) {
            return Movement::Moved { from, to };
        }
        if earlier.is_empty() {
            return Movement::Unproven("the ledger does not tell where the source stood when they were read".into());
        }
        if let Some(why) = earlier.iter().chain([now]).find_map(|instant| instant.doubt.clone()) {
            return Movement::Unproven(why);
        }
        match (&now.position, earlier.iter().all(|instant| instant.position.is_some())) {
            (Some(position), true) => Movement::Still(position.clone()),
            _ => Movement::Unproven("the position in the source's log is not known".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(number: u32, offset: u64, settled: bool) -> InstantRecord {
        let position = LogPosition { file: "binlog.000001".into(), offset, gtid: String::new() };
        InstantRecord { number, position: Some(position), doubt: None, settled }
    }

    #[test]
    fn it_stood_still_only_if_each_instant_since_the_last_settled_one_is_the_same() {
        let still = |earlier: &[InstantRecord], now| matches!(Movement::between(earlier, now), Movement::Still(_));
        let now = at(3, 7, false);
        assert!(still(&[at(1, 7, true)], &now));
        assert!(still(&[at(1, 5, true), at(2, 7, true)], &now), "the first was left behind");
        assert!(!still(&[at(1, 7, true), at(2, 5, false)], &now), "some rows may be those of the second");
        assert!(!still(&[at(1, 5, true), at(2, 7, false)], &now), "some rows may still be those of the first");
        assert!(!still(&[], &now));
    }

    #[test]
    fn a_doubt_on_either_side_proves_nothing() {
        let doubtful = InstantRecord { doubt: Some("a replica".into()), ..at(1, 7, true) };
        assert_eq!(Movement::between(std::slice::from_ref(&doubtful), &at(2, 7, false)), Movement::Unproven("a replica".into()));
        assert_eq!(Movement::between(&[at(1, 7, true)], &doubtful), Movement::Unproven("a replica".into()));
        let nowhere = InstantRecord { position: None, ..at(1, 0, true) };
        assert!(matches!(Movement::between(&[nowhere], &at(2, 7, false)), Movement::Unproven(_)));
    }

    #[test]
    fn a_gtid_counts_where_both_have_one() {
        let with = |gtid: &str| LogPosition { gtid: gtid.into(), ..at(1, 7, true).position.unwrap() };
        assert!(with("0-1-3").is_same(&with("0-1-3")) && with("0-1-3").is_same(&with("")));
        assert!(!with("0-1-3").is_same(&with("0-1-4")));
    }
}

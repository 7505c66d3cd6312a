//! Subsets in a mapping file: which rows are chosen, and which others come along.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rules::TableRule;

/// Which rows come along with those that a table's conditions choose. NULL in a foreign key points to nothing.
///
/// The chosen rows are *seeds*. A table above seeds carries what is needed and nothing else; one below, which nothing asks for, arrives
/// empty, since its foreign keys would point to rows that are not there; one that no chain of foreign keys joins with a subset is carried
/// whole. More in [`crate::mapping::subset`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Follow {
    /// The rows that the chosen ones point to, and those that these point to, and so on: every foreign key holds.
    ForeignKeys,
    /// First the rows that point to the chosen ones, and those that point to these, and so on; then what all of them need.
    ForeignKeysAndChildren,
}

/// A share of the rows: more than 0, at most 1.
///
/// Whether a row is taken is a function of its key's values alone (the primary key, else the first unique one without NULL): the CRC-32 of
/// the CRC-32 of their text is below the share of 2^32. So each run takes the same rows, and a smaller share is a part of a larger one.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Sample(f64);

// `faults` refuses what is not above 0 and at most 1, so each value is equal to itself.
impl Eq for Sample {}

impl Sample {
    /// True for a share that can be taken.
    pub fn is_valid(self) -> bool {
        self.0 > 0.0 && self.0 <= 1.0
    }

    /// The smallest of the 2^32 hashes that is not taken, in digits.
    pub fn bound(self) -> String {
        format!("{:.0}", (self.0 * 4_294_967_296.0).ceil())
    }
}

impl std::fmt::Display for Sample {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// What of a table's rule about its rows contradicts itself, with what to do.
pub(super) fn faults(rule: &TableRule) -> Vec<(String, &'static str)> {
    let mut faults = Vec::new();
    if let Some(sample) = rule.sample.filter(|sample| !sample.is_valid()) {
        faults
            .push((format!("`sample = {sample}` is no share of the rows"), "Write a share above 0 and up to 1: `sample = 0.01`"));
    }
    if rule.follow.is_some() && rule.own_conditions().is_empty() {
        faults.push((
            format!("`follow` of `{}` has no rows to begin with", rule.name),
            "Choose them with `where`, `source_where` or `sample`",
        ));
    }
    if rule.exclude && (rule.follow.is_some() || rule.sample.is_some()) {
        faults.push((
            format!("`{}` is left out, so its other rules say nothing", rule.name),
            "Take out `exclude = true`, or the other lines",
        ));
    }
    faults
}

impl TableRule {
    /// The conditions on the table's rows as they stand in the file.
    pub fn own_conditions(&self) -> Vec<String> {
        let mut all: Vec<String> = self.condition.iter().map(|sql| format!("where = {sql}")).collect();
        all.extend(self.source_where.iter().map(|sql| format!("source_where = {sql}")));
        all.extend(self.sample.iter().map(|share| format!("sample = {share}")));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_above_nothing_and_at_most_all() {
        for (share, valid) in [(0.0, false), (-0.1, false), (1.01, false), (f64::NAN, false), (1e-12, true), (1.0, true)] {
            assert_eq!(Sample(share).is_valid(), valid, "{share}");
        }
        assert_eq!([1.0, 0.5, 1e-12].map(|share| Sample(share).bound()), ["4294967296", "2147483648", "1"]);
    }
}

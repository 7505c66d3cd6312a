//! The loss ledger: what value policies have done, counted per column and kind.

use serde::{Deserialize, Serialize};

/// What a policy was applied to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LossKind {
    /// 0000-00-00.
    ZeroDate,
    /// Month or day is 0.
    PartialDate,
    /// A day that the calendar does not have: 2024-02-31, or the year 0.
    InvalidDate,
    /// Text with the character U+0000.
    NulByte,
    /// Text with bytes that are no characters.
    InvalidText,
    /// Text that was stored in two codings, one upon the other. Nothing is lost by taking one off.
    Decoded,
    /// A number beyond the target's type.
    OutOfRange,
    /// The error value of an enumeration.
    EnumEmpty,
}

impl LossKind {
    /// The word in ledger and report.
    pub fn word(self) -> &'static str {
        match self {
            LossKind::ZeroDate => "zero_date",
            LossKind::PartialDate => "partial_date",
            LossKind::InvalidDate => "invalid_date",
            LossKind::NulByte => "nul_byte",
            LossKind::InvalidText => "invalid_text",
            LossKind::Decoded => "decoded",
            LossKind::OutOfRange => "out_of_range",
            LossKind::EnumEmpty => "enum_empty",
        }
    }

    /// The kind of a word.
    pub fn of_word(word: &str) -> Option<Self> {
        use LossKind as K;
        let all =
            [K::ZeroDate, K::PartialDate, K::InvalidDate, K::NulByte, K::InvalidText, K::Decoded, K::OutOfRange, K::EnumEmpty];
        all.into_iter().find(|kind| kind.word() == word)
    }

    /// True where the value cannot be had back from what was written.
    pub fn loses(self) -> bool {
        self != LossKind::Decoded
    }
}

/// How often a policy was applied to a column's values of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loss {
    /// The column, by its name in the source.
    pub column: String,
    /// What the values were.
    pub kind: LossKind,
    /// What became of them: `null`, `-infinity`, `strip` …
    pub policy: String,
    /// How many values.
    pub count: u64,
    /// The key of one of their rows; none where keys are hidden.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub example: Option<String>,
}

/// What policies have done to some rows. Mergeable; sorted by column and kind once merged.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Losses(pub Vec<Loss>);

impl Losses {
    /// True when nothing was done.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Counts values; `example` is asked for only for the first of their kind.
    pub fn add(&mut self, column: &str, kind: LossKind, policy: &str, count: u64, example: impl FnOnce() -> Option<String>) {
        if count == 0 {
            return;
        }
        match self.0.iter_mut().find(|loss| loss.kind == kind && loss.column == column) {
            Some(loss) => loss.count += count,
            None => self.0.push(Loss { column: column.into(), kind, policy: policy.into(), count, example: example() }),
        }
    }

    /// Adds what was done to other rows.
    pub fn merge(&mut self, other: &Losses) {
        for loss in &other.0 {
            self.add(&loss.column, loss.kind, &loss.policy, loss.count, || loss.example.clone());
        }
        self.0.sort_by(|one, two| (&one.column, one.kind).cmp(&(&two.column, two.kind)));
    }

    /// Takes back what was counted for rows that did not arrive.
    pub fn take_back(&mut self, other: &Losses) {
        for loss in &other.0 {
            if let Some(own) = self.0.iter_mut().find(|own| own.kind == loss.kind && own.column == loss.column) {
                own.count = own.count.saturating_sub(loss.count);
            }
        }
        self.0.retain(|loss| loss.count > 0);
    }

    /// Values of a column that are others than in the source.
    pub fn of_column(&self, column: &str) -> u64 {
        self.0.iter().filter(|loss| loss.column == column && loss.policy != TEXT).map(|loss| loss.count).sum()
    }

    /// Values of a column that became NULL.
    pub fn nulls_of(&self, column: &str) -> u64 {
        self.0.iter().filter(|loss| loss.column == column && loss.policy == NULL).map(|loss| loss.count).sum()
    }

    /// Values that cannot be had back from what was written.
    pub fn lost(&self) -> u64 {
        self.0.iter().filter(|loss| loss.kind.loses() && loss.policy != TEXT).map(|loss| loss.count).sum()
    }

    /// Hides the keys of examples.
    pub fn hide_keys(&mut self) {
        self.0.iter_mut().for_each(|loss| loss.example = None);
    }
}

/// The word for values that became NULL.
pub const NULL: &str = "null";
/// The word for dates that became their text, which keeps them.
pub const TEXT: &str = "text";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_add_up_per_column_and_kind() {
        let mut all = Losses::default();
        all.add("d", LossKind::ZeroDate, NULL, 2, || Some("(id = 1)".into()));
        let mut more = Losses::default();
        more.add("d", LossKind::ZeroDate, NULL, 3, || Some("(id = 9)".into()));
        more.add("a", LossKind::Decoded, "utf8", 1, || None);
        all.merge(&more);
        assert_eq!((all.0.len(), all.of_column("d"), all.nulls_of("d"), all.lost()), (2, 5, 5, 5));
        assert_eq!(all.0[1].example.as_deref(), Some("(id = 1)"));
        all.take_back(&more);
        assert_eq!((all.0.len(), all.of_column("d")), (1, 2));
        for loss in &all.0 {
            assert_eq!(LossKind::of_word(loss.kind.word()), Some(loss.kind));
        }
    }
}

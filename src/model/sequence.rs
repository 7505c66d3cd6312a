//! Sequences that stand by themselves: numbers that are handed out to whoever asks, and belong to no column.

use serde::{Deserialize, Serialize};

use super::ident::ObjectName;

/// A sequence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sequence {
    /// Its name.
    pub name: ObjectName,
    /// The first number.
    pub start: i128,
    /// The step, negative for one that counts down.
    pub increment: i128,
    /// The smallest number.
    pub min: i128,
    /// The largest number.
    pub max: i128,
    /// How many numbers are set aside at once; 1 for none.
    pub cache: u64,
    /// It begins anew when it has come to its end.
    pub cycle: bool,
    /// The number that it hands out next; beyond its bounds when it has come to its end. None where nobody may know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<i128>,
    /// Its definition in the source's own SQL, for the list of what is not carried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ddl: Option<String>,
}

impl Sequence {
    /// True if the number is one that it may hand out.
    pub fn holds(&self, number: i128) -> bool {
        (self.min..=self.max).contains(&number)
    }

    /// True if `one` comes before `other` on its way; nothing does in one that begins anew.
    pub fn is_before(&self, one: i128, other: i128) -> bool {
        !self.cycle && if self.increment > 0 { one < other } else { one > other }
    }
}

/// A sequence and what becomes of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CarriedSequence {
    /// As it is.
    pub source: Sequence,
    /// Its name in the target.
    pub target: ObjectName,
    /// It stood there before the run, and is left as it is but for its next number.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stood: bool,
}

impl CarriedSequence {
    /// As it will be.
    pub fn planned(&self) -> Sequence {
        Sequence { name: self.target.clone(), ddl: None, ..self.source.clone() }
    }
}

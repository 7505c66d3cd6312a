//! Rows that could not be carried, kept as the source sent them.

use serde::{Deserialize, Serialize};

use super::ident::ObjectName;

/// A row as the source's reader got it, before any value was looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RawRow {
    /// Its columns, in the order in which they were read.
    pub columns: Vec<RawColumn>,
}

/// A column of a raw row.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RawColumn {
    /// Its name in the source.
    pub name: String,
    /// Its type in the source's own words.
    #[serde(rename = "type")]
    pub native: String,
    /// The bytes of each expression that the reader asked for it, as the source's protocol has them; none for NULL.
    #[serde(with = "hex")]
    pub bytes: Vec<Option<Vec<u8>>>,
}

/// A row that was rejected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reject {
    /// Its key, for people: `(id = 7)`; none where keys are hidden.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The column whose value has no place, if it was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// Why.
    pub reason: String,
    /// All of it.
    pub row: RawRow,
}

impl Reject {
    /// Its bytes in memory, nearly.
    pub fn bytes(&self) -> usize {
        let values = self.row.columns.iter().flat_map(|column| column.bytes.iter().flatten()).map(Vec::len);
        values.fold(self.reason.len().saturating_add(self.row.columns.len().saturating_mul(64)), usize::saturating_add)
    }
}

/// A rejected row in the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RejectRecord {
    /// The target table.
    pub table: ObjectName,
    /// The chunk that it was read in.
    pub chunk: u32,
    /// Its number within the chunk.
    pub number: u32,
    /// The row.
    #[serde(flatten)]
    pub reject: Reject,
}

/// Bytes as hexadecimal digits, since JSON has no bytes.
mod hex {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    pub fn serialize<S: Serializer>(all: &[Option<Vec<u8>>], to: S) -> Result<S::Ok, S::Error> {
        let digits = |bytes: &Vec<u8>| {
            const DIGITS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
            let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).copied().unwrap_or('0');
            bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect::<String>()
        };
        all.iter().map(|bytes| bytes.as_ref().map(digits)).collect::<Vec<_>>().serialize(to)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Option<Vec<u8>>>, D::Error> {
        let bytes = |text: String| {
            let digits = text.chars().map(|digit| digit.to_digit(16).and_then(|digit| u8::try_from(digit).ok()));
            let digits = digits.collect::<Option<Vec<u8>>>()?;
            let (pairs, rest) = digits.as_chunks::<2>();
            rest.is_empty().then(|| pairs.iter().map(|[high, low]| high << 4 | low).collect())
        };
        let texts = Vec::<Option<String>>::deserialize(from)?;
        let all =
            texts.into_iter().map(|text| text.map(|text| bytes(text).ok_or_else(|| D::Error::custom("no bytes"))).transpose());
        all.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_raw_row_survives_json() {
        let bytes = vec![Some((0..=255).collect()), None, Some(Vec::new())];
        let row = RawRow { columns: vec![RawColumn { name: "a\0\"".into(), native: "date".into(), bytes }] };
        let json = serde_json::to_string(&row).unwrap();
        assert_eq!(serde_json::from_str::<RawRow>(&json).unwrap(), row);
        assert!(serde_json::from_str::<RawRow>(&json.replace("000102", "00010")).is_err());
    }
}

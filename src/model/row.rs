//! Naming one row of a batch by its key, for errors.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::TimestampMicrosecondType;
use arrow::util::display::{ArrayFormatter, FormatOptions};

/// Most characters of one key value in a message; longer ones are cut with `…`.
const KEY_VALUE_CHARS: usize = 80;

/// The row's key as `(id = 7, tenant = acme)`; its position in the batch when none of `key` is a column of `batch`.
pub fn describe_key(batch: &RecordBatch, key: &[impl AsRef<str>], row: usize) -> String {
    let options = FormatOptions::default().with_null("NULL");
    let mut parts = Vec::new();
    for name in key {
        let name = name.as_ref();
        let Some(column) = batch.column_by_name(name) else { continue };
        // Arrow prints instants only with a time zone database; their digits are those of UTC.
        let plain = column
            .as_primitive_opt::<TimestampMicrosecondType>()
            .map(|instants| instants.clone().with_timezone_opt(None::<&str>));
        let column: &dyn Array = plain.as_ref().map_or(column.as_ref(), |plain| plain as &dyn Array);
        let text = match ArrayFormatter::try_new(column, &options) {
            Ok(formatter) => formatter.value(row).to_string(),
            Err(_) => "?".to_string(),
        };
        let mut cut: String = text.chars().take(KEY_VALUE_CHARS).collect();
        if cut.len() < text.len() {
            cut.push('…');
        }
        parts.push(format!("{name} = {cut}"));
    }
    if parts.is_empty() {
        format!("(row {} of its batch; the table has no key)", row + 1)
    } else {
        format!("({})", parts.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Int32Array, StringArray, TimestampMicrosecondArray};

    use super::*;
    use crate::model::LogicalType;
    use crate::model::logical::{Zone, schema};

    #[test]
    fn a_row_is_named_by_its_key() {
        let schema = schema([("id", &LogicalType::Int32), ("tenant", &LogicalType::Text { length: None })]);
        let batch = RecordBatch::try_new(
            schema,
            vec![Arc::new(Int32Array::from(vec![1, 7])), Arc::new(StringArray::from(vec![Some("acme"), None]))],
        )
        .unwrap();
        assert_eq!(describe_key(&batch, &["id", "tenant"], 0), "(id = 1, tenant = acme)");
        assert_eq!(describe_key(&batch, &["id", "tenant"], 1), "(id = 7, tenant = NULL)");
        let instant = TimestampMicrosecondArray::from(vec![1_700_000_000_000_000]).with_timezone("UTC");
        let logical = LogicalType::Timestamp { fsp: 0, zone: Zone::Utc };
        let at = RecordBatch::try_new(crate::model::logical::schema([("at", &logical)]), vec![Arc::new(instant)]).unwrap();
        assert_eq!(describe_key(&at, &["at"], 0), "(at = 2023-11-14T22:13:20)");
        assert_eq!(describe_key(&batch, &["gone"], 1), "(row 2 of its batch; the table has no key)");
    }
}

//! Conditions in MySQL's own SQL.

use super::select::quote;
use crate::model::catalog::NativeType;
use crate::model::civil::date_text;
use crate::model::logical::Zone;
use crate::model::predicate::{PushedPredicate, PushedValue};

/// Collations that compare text by its code points, without padding; for UTF-8 that is by its bytes.
const BYTEWISE: [&str; 3] = ["utf8mb4_0900_bin", "utf8mb4_nopad_bin", "utf8mb3_nopad_bin"];

/// True if text of that type is compared by its bytes.
pub(super) fn compares_bytes(native: &NativeType) -> bool {
    native.collation.as_deref().is_some_and(|collation| BYTEWISE.contains(&collation))
}

/// The condition; sessions are pinned to UTC, so an instant is compared as one. `None` for a constant that MySQL does not have.
pub(super) fn sql(predicate: &PushedPredicate) -> Option<String> {
    let all = |parts: &[PushedPredicate], operator: &str| {
        let parts = parts.iter().map(|part| sql(part).map(|part| format!("({part})"))).collect::<Option<Vec<_>>>()?;
        Some(parts.join(operator))
    };
    Some(match predicate {
        PushedPredicate::And(parts) => all(parts, " AND ")?,
        PushedPredicate::Or(parts) => all(parts, " OR ")?,
        PushedPredicate::Not(inner) => format!("NOT ({})", sql(inner)?),
        PushedPredicate::Compare { column, comparison, value } => {
            format!("{} {} {}", quote(column), comparison.sql(), constant(value)?)
        }
        PushedPredicate::In { column, values } => {
            let values = values.iter().map(constant).collect::<Option<Vec<_>>>()?;
            format!("{} IN ({})", quote(column), values.join(", "))
        }
        PushedPredicate::IsNull { column } => format!("{} IS NULL", quote(column)),
    })
}

fn constant(value: &PushedValue) -> Option<String> {
    Some(match value {
        PushedValue::Integer(number) => number.to_string(),
        PushedValue::Decimal(digits) => digits.clone(),
        PushedValue::Bool(truth) => u8::from(*truth).to_string(),
        PushedValue::Date(days) => format!("DATE '{}'", day(i64::from(*days))?),
        PushedValue::Timestamp { us, zone: Zone::None | Zone::Utc } => {
            let (days, us) = (us.div_euclid(86_400_000_000), us.rem_euclid(86_400_000_000));
            let (seconds, us) = (us / 1_000_000, us % 1_000_000);
            let time = format!("{:02}:{:02}:{:02}.{us:06}", seconds / 3600, seconds / 60 % 60, seconds % 60);
            format!("TIMESTAMP '{} {time}'", day(days)?)
        }
        // As digits: no quoting, no character set of the session, no SQL mode has a say in it.
        PushedValue::Text(text) => {
            format!("_utf8mb4 0x{}", text.bytes().map(|byte| format!("{byte:02x}")).collect::<String>())
        }
    })
    .filter(|sql| !sql.ends_with("0x"))
}

/// A day that MySQL has: of the years 1 to 9999.
fn day(days: i64) -> Option<String> {
    let text = date_text(days);
    (text.len() == 10 && !text.starts_with("0000") && !text.starts_with('-')).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::predicate::Comparison;

    #[test]
    fn a_condition_is_printed_with_its_constants_as_they_are() {
        let compare = |column: &str, comparison, value| PushedPredicate::Compare { column: column.into(), comparison, value };
        let predicate = PushedPredicate::And(vec![
            compare("a`b", Comparison::GreaterOrEqual, PushedValue::Decimal("-12.50".into())),
            PushedPredicate::Not(Box::new(PushedPredicate::IsNull { column: "c".into() })),
            compare("d", Comparison::Less, PushedValue::Date(18_262)),
            compare("e", Comparison::Equal, PushedValue::Timestamp { us: 1_500_000, zone: Zone::Utc }),
            compare("f", Comparison::Equal, PushedValue::Text("a'b".into())),
        ]);
        assert_eq!(
            sql(&predicate).unwrap(),
            "(`a``b` >= -12.50) AND (NOT (`c` IS NULL)) AND (`d` < DATE '2020-01-01') AND \
             (`e` = TIMESTAMP '1970-01-01 00:00:01.500000') AND (`f` = _utf8mb4 0x612762)"
        );
    }

    #[test]
    fn what_mysql_has_no_constant_for_is_not_pushed() {
        for value in [PushedValue::Date(i32::MIN), PushedValue::Date(3_000_000), PushedValue::Text(String::new())] {
            assert_eq!(constant(&value), None);
        }
    }
}

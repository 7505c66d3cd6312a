//! The default of a column, from SQL text to a value where it is one.

use super::{decimal::Decimal, temporal};
use crate::model::LogicalType;
use crate::model::catalog::DefaultValue;
use crate::model::logical::Zone;

/// Reads a default as `pragma_table_xinfo` gives it. `None` for NULL; an expression for all that is no constant of the column's type.
pub(super) fn parse(sql: &str, logical: Option<&LogicalType>) -> Option<DefaultValue> {
    let mut text = sql.trim();
    // The pragma keeps the parentheses of `DEFAULT (1)`.
    while let Some(inner) = text.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')).filter(|inner| is_constant(inner)) {
        text = inner.trim();
    }
    let expression = || Some(DefaultValue::Expression(sql.trim().to_string()));
    match text.to_ascii_uppercase().as_str() {
        "NULL" => return None,
        "CURRENT_TIMESTAMP" if matches!(logical, Some(LogicalType::Timestamp { zone: Zone::None, .. })) => {
            return Some(DefaultValue::CurrentTimestamp(0));
        }
        "TRUE" if is_constant(text) => return literal("1", logical).or_else(expression),
        "FALSE" if is_constant(text) => return literal("0", logical).or_else(expression),
        _ => {}
    }
    if let Some(hex) =
        text.strip_prefix(['x', 'X']).and_then(|rest| rest.strip_prefix('\'')).and_then(|rest| rest.strip_suffix('\''))
    {
        return match (logical, bytes(hex)) {
            (Some(LogicalType::Binary { .. }), Some(bytes)) => Some(DefaultValue::Bytes(bytes)),
            _ => expression(),
        };
    }
    // A text in double quotes is a string too where SQLite expects a constant.
    for quote in ["'", "\""] {
        if let Some(inner) = unquote(text, quote) {
            return literal(&inner, logical).or_else(expression);
        }
    }
    if matches!(logical, Some(LogicalType::Text { .. })) {
        // A bare number in a column of text becomes text in a way of SQLite's own.
        return match text.parse::<i64>() {
            Ok(number) if !text.starts_with('+') => Some(DefaultValue::Literal(number.to_string())),
            _ => expression(),
        };
    }
    literal(text, logical).or_else(expression)
}

/// True for the inside of parentheses that is one constant.
fn is_constant(text: &str) -> bool {
    let text = text.trim();
    ["'", "\""].into_iter().any(|quote| unquote(text, quote).is_some())
        || Decimal::parse(text).is_some()
        || ["NULL", "TRUE", "FALSE", "CURRENT_TIMESTAMP"].into_iter().any(|word| text.eq_ignore_ascii_case(word))
}

/// The text in quotes, if the whole of `text` is one.
fn unquote(text: &str, quote: &str) -> Option<String> {
    let inner = text.strip_prefix(quote)?.strip_suffix(quote)?;
    let double = quote.repeat(2);
    (!inner.replace(&double, "").contains(quote)).then(|| inner.replace(&double, quote))
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> =
        hex.chars().map(|digit| digit.to_digit(16).and_then(|digit| u8::try_from(digit).ok())).collect::<Option<_>>()?;
    digits.chunks(2).map(|pair| if let [high, low] = pair { Some(high * 16 + low) } else { None }).collect()
}

/// A constant in the spelling of its logical type; `None` if it is not one of the type.
fn literal(text: &str, logical: Option<&LogicalType>) -> Option<DefaultValue> {
    let plain = |text: &str| Decimal::parse(text).and_then(|number| number.plain());
    let value = match logical? {
        LogicalType::Text { .. } => Some(text.to_string()),
        LogicalType::Int64 => match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
            Some(hex) => u64::from_str_radix(hex, 16).ok().map(|number| number.cast_signed().to_string()),
            None => plain(text).filter(|number| number.parse::<i64>().is_ok()),
        },
        LogicalType::Bool => match text {
            "0" => Some("false".to_string()),
            "1" => Some("true".to_string()),
            _ => None,
        },
        LogicalType::Float64 => Decimal::parse(text)
            .and_then(|_| text.parse::<f64>().ok())
            .filter(|number| number.is_finite())
            .map(|number| number.to_string()),
        LogicalType::Decimal { precision, scale } => Decimal::parse(text)
            .filter(|number| number.scaled(usize::from(*precision), i64::from(*scale)).is_some())
            .and_then(|number| number.plain()),
        LogicalType::Numeric => plain(text),
        LogicalType::Date => temporal::date(text).map(|_| text.to_string()),
        LogicalType::Time { .. } => temporal::time(text).map(|_| text.to_string()),
        LogicalType::Timestamp { zone: Zone::None, .. } => temporal::timestamp(text).map(|_| text.replace('T', " ")),
        LogicalType::Json => serde_json::from_str::<serde::de::IgnoredAny>(text).ok().map(|_| text.to_string()),
        LogicalType::Uuid => uuid::Uuid::try_parse(text).ok().map(|uuid| uuid.to_string()),
        _ => None,
    };
    value.map(DefaultValue::Literal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_are_values_and_the_rest_are_expressions() {
        let text = LogicalType::Text { length: None };
        let decimal = LogicalType::Decimal { precision: 10, scale: 2 };
        let timestamp = LogicalType::Timestamp { fsp: 6, zone: Zone::None };
        let value = |text: &str| Some(DefaultValue::Literal(text.to_string()));
        let sql = |text: &str| Some(DefaultValue::Expression(text.to_string()));
        for (default, logical, expected) in [
            ("'it''s'", &text, value("it's")),
            ("''", &text, value("")),
            ("\"quoted\"", &text, value("quoted")),
            ("'a' || 'b'", &text, sql("'a' || 'b'")),
            ("7", &text, value("7")),
            ("1.50", &text, sql("1.50")),
            ("NULL", &text, None),
            ("('x')", &text, value("x")),
            ("-1", &LogicalType::Int64, value("-1")),
            ("(42)", &LogicalType::Int64, value("42")),
            ("'5'", &LogicalType::Int64, value("5")),
            ("'abc'", &LogicalType::Int64, sql("'abc'")),
            ("0x10", &LogicalType::Int64, value("16")),
            ("1.5", &LogicalType::Int64, sql("1.5")),
            ("TRUE", &LogicalType::Bool, value("true")),
            ("0", &LogicalType::Bool, value("false")),
            ("2", &LogicalType::Bool, sql("2")),
            ("1.50", &decimal, value("1.5")),
            ("1.555", &decimal, sql("1.555")),
            ("1e3", &LogicalType::Float64, value("1000")),
            ("x'00ff'", &LogicalType::Binary { length: None }, Some(DefaultValue::Bytes(vec![0, 255]))),
            ("CURRENT_TIMESTAMP", &timestamp, Some(DefaultValue::CurrentTimestamp(0))),
            ("CURRENT_TIMESTAMP", &text, sql("CURRENT_TIMESTAMP")),
            ("CURRENT_DATE", &LogicalType::Date, sql("CURRENT_DATE")),
            ("'2024-01-31'", &LogicalType::Date, value("2024-01-31")),
            ("'tomorrow'", &LogicalType::Date, sql("'tomorrow'")),
            ("(random())", &LogicalType::Int64, sql("(random())")),
            ("(1)+(2)", &LogicalType::Int64, sql("(1)+(2)")),
        ] {
            assert_eq!(parse(default, Some(logical)), expected, "{default} for {logical}");
        }
    }
}

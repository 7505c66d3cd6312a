//! [`crate::engine::Source::shared_keys`]: a join of the two keys in the server.

use sqlx::mysql::MySqlRow;
use sqlx::{AssertSqlSafe, MySqlConnection, Row};

use super::error::failed;
use super::select::{is_bytes, quote, quote_table};
use crate::engine::{KeyOf, SharedKeys};
use crate::error::Result;
use crate::model::catalog::NativeType;

/// Families of types whose values are equal when the server says so.
#[derive(PartialEq, Eq)]
enum Family {
    Number,
    Text,
    Bytes,
    /// Of this type alone.
    Own(String),
}

fn family(native: &NativeType) -> Option<Family> {
    Some(match native.name.as_str() {
        "tinyint" | "smallint" | "mediumint" | "int" | "integer" | "bigint" | "decimal" | "numeric" | "year" => Family::Number,
        "binary" | "varbinary" | "tinyblob" | "blob" | "mediumblob" | "longblob" => Family::Bytes,
        "char" | "varchar" | "tinytext" | "text" | "mediumtext" | "longtext" if is_bytes(native) => Family::Bytes,
        "char" | "varchar" | "tinytext" | "text" | "mediumtext" | "longtext" | "enum" => Family::Text,
        name @ ("date" | "time" | "datetime" | "timestamp" | "uuid" | "inet6" | "inet4") => Family::Own(name.into()),
        _ => return None,
    })
}

/// The condition under which two columns are equal.
fn equal(one: &str, two: &str, types: (&NativeType, &NativeType)) -> Option<String> {
    let kind = family(types.0)?;
    if family(types.1).as_ref() != Some(&kind) {
        return None;
    }
    let (one, two) = (format!("one.{}", quote(one)), format!("two.{}", quote(two)));
    if kind != Family::Text {
        return Some(format!("{one} = {two}"));
    }
    let bytes = |name: &str| format!("CAST(CONVERT({name} USING utf8mb4) AS BINARY)");
    let exact = format!("{} = {}", bytes(&one), bytes(&two));
    // What has the same characters is equal under every collation, and that is what an index can find.
    let same_collation = types.0.collation.is_some() && types.0.collation == types.1.collation && types.0.name != "enum";
    Some(if same_collation { format!("{one} = {two} AND {exact}") } else { exact })
}

/// Joins the two keys.
pub(super) async fn shared_keys(connection: &mut MySqlConnection, mark: &str, keys: [KeyOf<'_>; 2]) -> Result<SharedKeys> {
    let [one, two] = keys;
    let mut conditions = Vec::new();
    let mut shown = Vec::new();
    for (first, second) in one.columns.iter().zip(two.columns) {
        let types = one.table.column(first).zip(two.table.column(second));
        let Some((left, right)) = types else { return Ok(SharedKeys::Unknown(format!("there is no column `{first}`"))) };
        let Some(condition) = equal(first, second, (&left.native, &right.native)) else {
            let why = format!("`{}` and `{}` are not compared by the source", left.native.full, right.native.full);
            return Ok(SharedKeys::Unknown(why));
        };
        conditions.push(condition);
        let name = format!("one.{}", quote(first));
        shown.push(match family(&left.native) {
            Some(Family::Bytes) => format!("CONVERT(CONCAT('0x', HEX({name})) USING utf8mb4)"),
            Some(Family::Text) => format!("CONVERT({name} USING utf8mb4)"),
            _ => format!("CAST({name} AS CHAR)"),
        });
    }
    let rows = |key: &KeyOf<'_>| {
        let columns: Vec<String> = key.columns.iter().map(|name| quote(name)).collect();
        let filter = key.table.row_filter.as_ref().map(|filter| format!(" WHERE ({filter})")).unwrap_or_default();
        format!("(SELECT {} FROM {}{filter})", columns.join(", "), quote_table(&key.table.name))
    };
    let join = format!("FROM {} AS one JOIN {} AS two ON {}", rows(&one), rows(&two), conditions.join(" AND "));
    let example = fetch(connection, format!("{mark}SELECT {} {join} LIMIT 1", shown.join(", "))).await?;
    let Some(example) = example else { return Ok(SharedKeys::None) };
    let unreadable = |error| failed("a key could not be read", error);
    let mut values = Vec::new();
    for place in 0..shown.len() {
        values.push(example.try_get_unchecked::<String, _>(place).map_err(unreadable)?);
    }
    let pairs = match fetch(connection, format!("{mark}SELECT COUNT(*) {join}")).await? {
        Some(row) => row.try_get_unchecked::<i64, _>(0).map_err(unreadable)?,
        None => 0,
    };
    Ok(SharedKeys::Some { pairs: u64::try_from(pairs).unwrap_or_default().max(1), example: values.join(", ") })
}

async fn fetch(connection: &mut MySqlConnection, sql: String) -> Result<Option<MySqlRow>> {
    let row = sqlx::query(AssertSqlSafe(sql)).fetch_optional(connection).await;
    row.map_err(|error| failed("the keys of two tables could not be compared", error))
}

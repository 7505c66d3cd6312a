//! Indexes over hashes, where the mapping asks for them: their entries are short, however long the values.

use super::collation::collation_name;
use super::{made, quote_name};
use crate::model::catalog::{Index, IndexMethod, IndexPart, NativeType, Table};

/// Why equal hashes would not mean equal values, if so.
pub(super) fn obstacle(table: &Table, index: &Index) -> Option<String> {
    if plain(index) {
        return None;
    }
    let columns = index.parts.iter().filter_map(|part| table.column(part.column.as_deref()?));
    let mut folded = columns.filter(|column| collation_name(&table.name.schema, &column.native).is_some());
    let why = |name: &str| format!("equal texts of `{name}` may differ in their letters, and md5 tells them apart");
    folded.next().map(|column| why(&column.name))
}

/// PostgreSQL's own hash index takes one column, and is never unique.
fn plain(index: &Index) -> bool {
    !index.unique && index.plain_columns().is_some_and(|columns| columns.len() == 1)
}

/// What follows the table's name, the index as it is made, and what to tell of it. `parts` is the SQL of its parts, without hashes.
pub(super) fn over(table: &Table, index: &Index, parts: Vec<String>) -> (String, Index, String) {
    if plain(index) {
        let why = "a hash index, as the mapping says: it finds equal values, and neither a range nor an order";
        // PostgreSQL has no descending one.
        let ascending = index.parts.iter().map(|part| IndexPart { descending: false, ..part.clone() }).collect();
        let made = Index { parts: ascending, visible: true, ..index.clone() };
        let columns: Vec<String> = index.plain_columns().unwrap_or_default().into_iter().map(quote_name).collect();
        return (format!("USING hash ({})", columns.join(", ")), made, why.into());
    }
    let mut hashed = Vec::new();
    let pairs = index.parts.iter().zip(parts).map(|(part, sql)| {
        let column = part.column.as_deref().and_then(|name| table.column(name));
        let Some(md5) = column.and_then(|column| md5(&column.native, undirected(&sql))) else { return (part.clone(), sql) };
        hashed.push(md5.clone());
        (IndexPart { column: None, expression: None, prefix: None, descending: false }, md5)
    });
    let (kept, sqls): (Vec<IndexPart>, Vec<String>) = pairs.unzip();
    let over = format!("({})", sqls.join(", "));
    let made = made::index(&Index { parts: kept, method: IndexMethod::BTree, ..index.clone() }, sqls);
    let why = format!("over hashes, as the mapping says: a query uses it when it compares {}", hashed.join(" and "));
    (over, made, why)
}

fn undirected(sql: &str) -> &str {
    sql.strip_suffix(" DESC").unwrap_or(sql)
}

/// The hash of what is text or bytes.
fn md5(native: &NativeType, sql: &str) -> Option<String> {
    match native.name.as_str() {
        "bytea" => Some(format!("md5({sql})")),
        "text" | "varchar" | "char" => Some(format!("md5({sql}::text)")),
        // Its values are equal when they are so in small letters.
        "citext" => Some(format!("md5(lower({sql}::text))")),
        _ => None,
    }
}

//! Which rows are asked: FROM and WHERE.

use crate::engine::mysql::plan::Pieces;
use crate::engine::mysql::select::{quote, quote_table};
use crate::model::ObjectName;

/// A piece of a table: a range of its key, served by this index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    index: String,
    range: String,
}

impl Piece {
    /// Together all rows: the first and the last one are open.
    pub(super) fn all(pieces: &Pieces) -> Vec<Piece> {
        let column = quote(&pieces.column);
        let from = std::iter::once(None).chain(pieces.bounds.iter().map(Some));
        let to = pieces.bounds.iter().map(Some).chain(std::iter::once(None));
        let ranges = from.zip(to).map(|bounds| match bounds {
            (Some(from), Some(to)) => format!("{column} >= {from} AND {column} < {to}"),
            (Some(from), None) => format!("{column} >= {from}"),
            (None, Some(to)) => format!("{column} < {to}"),
            (None, None) => "TRUE".into(),
        });
        ranges.map(|range| Piece { index: pieces.index.clone(), range }).collect()
    }
}

/// A table, or those of its rows that count, under an alias.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rows {
    from: String,
    range: Option<String>,
}

/// `columns` are named where they have to be, since `*` leaves invisible ones out.
pub(super) fn rows<'a>(
    table: &ObjectName,
    columns: impl IntoIterator<Item = &'a str>,
    filter: Option<&str>,
    first_rows: Option<u64>,
    alias: &str,
    piece: Option<&Piece>,
) -> Rows {
    let table = quote_table(table);
    let hint = piece.map(|piece| format!(" FORCE INDEX ({})", quote(&piece.index))).unwrap_or_default();
    if filter.is_none() && first_rows.is_none() {
        return Rows { from: format!("{table} {alias}{hint}"), range: piece.map(|piece| piece.range.clone()) };
    }
    let conditions = piece.map(|piece| piece.range.clone()).into_iter().chain(filter.map(|filter| format!("({filter})")));
    let conditions: Vec<String> = conditions.collect();
    let which = if conditions.is_empty() { String::new() } else { format!(" WHERE {}", conditions.join(" AND ")) };
    let limit = first_rows.map(|rows| format!(" LIMIT {rows}")).unwrap_or_default();
    let columns: Vec<String> = columns.into_iter().map(quote).collect();
    Rows { from: format!("(SELECT {} FROM {table}{hint}{which}{limit}) {alias}", columns.join(", ")), range: None }
}

impl Rows {
    /// FROM and WHERE; an empty condition is none.
    pub(super) fn which(&self, condition: &str) -> String {
        let condition = (!condition.is_empty()).then(|| format!("({condition})"));
        let all: Vec<String> = self.range.iter().cloned().chain(condition).collect();
        if all.is_empty() { format!("FROM {}", self.from) } else { format!("FROM {} WHERE {}", self.from, all.join(" AND ")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_hold_all_rows_and_none_twice() {
        let pieces = Pieces { index: "PRIMARY".into(), column: "id".into(), bounds: vec![-5, 10] };
        let name = ObjectName::new("shop", "t");
        let of = |piece: &Piece| rows(&name, ["id", "x"], None, None, "r", Some(piece)).which("x > 1");
        let all: Vec<String> = Piece::all(&pieces).iter().map(of).collect();
        let from = "FROM `shop`.`t` r FORCE INDEX (`PRIMARY`) WHERE";
        let expected = [
            format!("{from} `id` < -5 AND (x > 1)"),
            format!("{from} `id` >= -5 AND `id` < 10 AND (x > 1)"),
            format!("{from} `id` >= 10 AND (x > 1)"),
        ];
        assert_eq!(all, expected);
        let whole = Piece::all(&Pieces { bounds: vec![], ..pieces });
        let filtered = rows(&name, ["id", "x"], Some("a = 1 OR b = 2"), Some(7), "r", whole.first());
        let inner = "SELECT `id`, `x` FROM `shop`.`t` FORCE INDEX (`PRIMARY`) WHERE TRUE AND (a = 1 OR b = 2) LIMIT 7";
        assert_eq!(filtered.which(""), format!("FROM ({inner}) r"));
    }
}

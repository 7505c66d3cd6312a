//! Aggregates of columns, computed by the database in one statement.

use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, PgConnection, Row};

use super::error;
use super::read_back::narrowed;
use super::target::quoted;
use super::typemap::PostgresDialect;
use crate::engine::{Dialect, Profile, ProfileColumn, ProfileKind};
use crate::error::{Error, Result};
use crate::model::Table;

/// The most output columns of one statement; a target list ends at 1664.
const MOST_OUTPUTS: usize = 1_600;

/// The aggregates of `columns`, in the contract of [`ProfileKind`].
pub(super) async fn profile(connection: &mut PgConnection, table: &Table, columns: &[ProfileColumn]) -> Result<Profile> {
    let failed = |error| error::map(error, "the columns could not be profiled").table(&table.name);
    let mut profile = Profile::default();
    let mut rest = columns;
    loop {
        // More than one statement only for tables that are wider than a statement can be.
        let mut outputs = vec!["count(*)".to_string()];
        let mut taken = 0;
        for column in rest {
            let aggregates = aggregates(column);
            if outputs.len() + aggregates.len() > MOST_OUTPUTS {
                break;
            }
            outputs.extend(aggregates);
            taken += 1;
        }
        let texts: Vec<String> = outputs.iter().map(|output| format!("({output})::text")).collect();
        let sql = format!("SELECT {} FROM {}{}", texts.join(", "), quoted(&table.name), narrowed(None, table));
        let row = sqlx::query(AssertSqlSafe(sql)).fetch_one(&mut *connection).await.map_err(failed)?;
        let rows: String = row.try_get(0).map_err(failed)?;
        profile.rows =
            rows.parse().map_err(|error: std::num::ParseIntError| Error::internal("a count is no number").with_source(error))?;
        let (now, later) = rest.split_at(taken);
        let mut at = 1;
        for column in now {
            profile.columns.push(read(&row, &mut at, column).map_err(failed)?);
        }
        if later.is_empty() || taken == 0 {
            return Ok(profile);
        }
        rest = later;
    }
}

fn read(row: &PgRow, at: &mut usize, column: &ProfileColumn) -> Result<Vec<Option<String>>, sqlx::Error> {
    let mut values = Vec::new();
    for _ in 0..aggregates(column).len() {
        let value: Option<String> = row.try_get(*at)?;
        *at += 1;
        // The shortest text of a float is spelled in many ways; all sides use this one.
        let float = column.kind == ProfileKind::Float && !values.is_empty();
        values.push(value.map(|text| if float { float_text(&text) } else { text }));
    }
    Ok(values)
}

fn float_text(text: &str) -> String {
    match text.parse::<f64>() {
        // Which of 0 and -0 is the smaller one, nobody says.
        Ok(0.0) => "0".into(),
        Ok(value) => value.to_string(),
        Err(_) => text.to_string(),
    }
}

/// The aggregates of one column, as SQL.
fn aggregates(column: &ProfileColumn) -> Vec<String> {
    let name = PostgresDialect.quote(&column.name).to_string();
    let mut all = vec![format!("count({name})")];
    match column.kind {
        ProfileKind::Exact => {
            let value = exact(&name, &column.native.name);
            for function in ["min", "max", "sum"] {
                all.push(format!("trim_scale({function}({value}))"));
            }
        }
        ProfileKind::Float => {
            for function in ["min", "max"] {
                all.push(format!("{function}({name})::float8"));
            }
        }
        ProfileKind::Temporal => {
            for function in ["min", "max"] {
                all.push(temporal(&format!("{function}({name})"), &column.native.name));
            }
        }
        ProfileKind::Text => {
            // As text an address has its bits behind it.
            let text = if column.native.name == "inet" { format!("abbrev({name})") } else { format!("{name}::text") };
            all.push(format!("sum(char_length({text}))"));
            all.push(format!("sum(octet_length({text}))"));
        }
        ProfileKind::Bytes if column.native.name == "uuid" => all.push(format!("nullif(16 * count({name}), 0)")),
        ProfileKind::Bytes => all.push(format!("sum(octet_length({name}))")),
        ProfileKind::Bool => {
            all.push(format!("sum(CASE WHEN {name}::int4 <> 0 THEN 1 WHEN {name} IS NULL THEN NULL ELSE 0 END)"))
        }
        ProfileKind::Count => {}
    }
    all
}

/// An exact number: microseconds of times and intervals. `extract` gives doubles before version 14, exact as far as each of these fields goes.
fn exact(name: &str, native: &str) -> String {
    let part = |field: &str| format!("extract({field} FROM {name})::numeric");
    let clock = format!("({} * 3600 + {} * 60) * 1000000 + {}", part("hour"), part("minute"), part("microseconds"));
    match native {
        "interval" => format!("(({} * 360 + {} * 30 + {}) * 86400000000 + {clock})", part("year"), part("month"), part("day")),
        "time" | "time without time zone" => format!("({clock})"),
        "boolean" | "bool" => format!("{name}::int4::numeric"),
        _ => format!("{name}::numeric"),
    }
}

fn temporal(value: &str, native: &str) -> String {
    match native {
        "time" | "time without time zone" => format!("to_char({value}, 'HH24:MI:SS.US')"),
        // `to_char` knows no infinity, and no era unless asked.
        _ => format!(
            "CASE WHEN NOT isfinite({value}) OR {value} < '0001-01-01' THEN {value}::text
             ELSE to_char({value}, 'YYYY-MM-DD HH24:MI:SS.US') END"
        ),
    }
}

//! Expressions as PostgreSQL's SQL.
//!
//! Each node is printed so that it means what `model::expression` says of it, for columns of the types that the target has. Functions
//! need no schema: our sessions look in `pg_catalog` alone, and PostgreSQL stores what it found there.

use super::ddl::{quote_literal, quote_name};
use crate::model::catalog::{Column, Table};
use crate::model::expression::{Class, Expression as E, Function as F};

/// An expression in SQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Printed {
    /// In parentheses, or a call, or a constant.
    pub sql: String,
    /// The same for the same row for ever, as indexes and generated columns demand.
    pub immutable: bool,
}

/// Prints `tree` over the columns of `table`; `features` are the server's.
///
/// # Errors
/// Why it cannot be printed: a column that is not there, or of a type for which the tree was not made.
pub fn print(tree: &E, table: &Table, features: &[String]) -> Result<Printed, String> {
    let mut printer = Printer { table, features, immutable: true };
    let sql = printer.sql(tree)?;
    Ok(Printed { sql, immutable: printer.immutable })
}

/// True if a column of that type takes values of `class` as they are.
pub(super) fn takes(column: &Column, class: Class) -> bool {
    let name = column.native.name.as_str();
    match class {
        Class::Exact | Class::Float => {
            matches!(name, "smallint" | "integer" | "bigint" | "numeric" | "real" | "double precision")
        }
        Class::Bool => name == "boolean",
        Class::Text => matches!(name, "varchar" | "text" | "char" | "citext") && column.native.labels.is_empty(),
        Class::Date => matches!(name, "date" | "timestamp"),
        Class::Timestamp => name == "timestamp",
        Class::Instant => matches!(name, "timestamp" | "timestamptz"),
        Class::Json => matches!(name, "json" | "jsonb"),
        Class::Label | Class::Any => false,
    }
}

struct Printer<'a> {
    table: &'a Table,
    features: &'a [String],
    immutable: bool,
}

impl Printer<'_> {
    fn sql(&mut self, tree: &E) -> Result<String, String> {
        Ok(match tree {
            E::Null => "NULL".into(),
            E::Bool(truth) => truth.to_string(),
            E::Number(digits) => digits.clone(),
            E::Text(text) => format!("{}::text", quote_literal(text)),
            E::Date(day) => format!("{}::date", quote_literal(day)),
            E::Timestamp(time) => format!("{}::timestamp", quote_literal(time)),
            E::Json(text) => quote_literal(text),
            E::Column { name, class } => self.column(name, *class)?,
            E::Call { function, arguments } => self.call(*function, arguments)?,
        })
    }

    fn column(&mut self, name: &str, class: Class) -> Result<String, String> {
        let Some(column) = self.table.column(name) else { return Err(format!("its column `{name}` is not carried")) };
        let quoted = quote_name(name);
        let native = &column.native;
        let fits = match (class, native.name.as_str()) {
            (Class::Any, _)
            | (Class::Exact, "smallint" | "integer" | "bigint" | "numeric")
            | (Class::Float, "real" | "double precision")
            | (Class::Bool, "boolean")
            | (Class::Date, "date")
            | (Class::Timestamp, "timestamp")
            | (Class::Instant, "timestamptz")
            | (Class::Json, "json" | "jsonb")
            | (Class::Label, "enum") => true,
            (Class::Label, "text") => !native.labels.is_empty(),
            (Class::Exact, "boolean") => return Ok(format!("({quoted})::integer")),
            (Class::Text, "varchar" | "text" | "char" | "citext") if native.labels.is_empty() => {
                let text = match native.name.as_str() {
                    "char" | "citext" => format!("({quoted})::text"),
                    _ => quoted,
                };
                // Where a collation finds different texts equal, the tree says itself which ones are.
                return Ok(if native.collation.is_some() { format!("({text} COLLATE \"C\")") } else { text });
            }
            _ => false,
        };
        if fits { Ok(quoted) } else { Err(format!("its column `{name}` becomes `{}`", native.full)) }
    }

    fn all(&mut self, arguments: &[E]) -> Result<Vec<String>, String> {
        arguments.iter().map(|argument| self.sql(argument)).collect()
    }

    /// Arguments of a comparison: beside a label a constant is one.
    fn compared(&mut self, arguments: &[E]) -> Result<Vec<String>, String> {
        let labels = arguments.iter().any(|argument| matches!(argument, E::Column { class: Class::Label, .. }));
        arguments
            .iter()
            .map(|argument| match argument {
                E::Text(label) if labels => Ok(quote_literal(label)),
                other => self.sql(other),
            })
            .collect()
    }

    fn call(&mut self, function: F, arguments: &[E]) -> Result<String, String> {
        if matches!(function, F::Equal | F::NotEqual | F::Same | F::In) {
            return Ok(comparison(function, &self.compared(arguments)?));
        }
        match function {
            F::CurrentDate | F::CurrentTimestamp | F::NewUuid => self.immutable = false,
            // How an enumeration prints is not for ever: its labels can be renamed.
            F::AsText => {
                if let [E::Column { name, class: Class::Label }] = arguments
                    && self.table.column(name).is_some_and(|column| column.native.name == "enum")
                {
                    self.immutable = false;
                }
            }
            F::Lower if !self.features.iter().any(|feature| feature == "icu") => {
                return Err("the target has no ICU, whose rules for small letters it needs".into());
            }
            _ => {}
        }
        let all = self.all(arguments)?;
        let one = all.first().cloned().unwrap_or_default();
        let joined = |operator: &str| format!("({})", all.join(operator));
        let named = |name: &str| format!("{name}({})", all.join(", "));
        let second = || all.get(1).cloned().unwrap_or_default();
        Ok(match function {
            F::And => joined(" AND "),
            F::Or => joined(" OR "),
            F::Not => format!("(NOT {one})"),
            F::Xor => joined(" <> "),
            F::IsNull => format!("({one} IS NULL)"),
            F::IsTrue => format!("({one} IS TRUE)"),
            F::IsFalse => format!("({one} IS FALSE)"),
            F::Less => joined(" < "),
            F::LessOrEqual => joined(" <= "),
            F::Equal | F::NotEqual | F::Same | F::In => comparison(function, &all),
            F::Like => joined(" LIKE "),
            F::Integer => format!("({one})::integer"),
            F::Exact => format!("({one})::numeric"),
            F::Double => format!("({one})::double precision"),
            F::Add => joined(" + "),
            F::Subtract => joined(" - "),
            F::Multiply => joined(" * "),
            F::Quotient => format!("({one} / nullif({}, 0))", second()),
            F::IntegerDivide => format!("div({one}, nullif({}, 0))", second()),
            F::Modulo => format!("mod({one}, nullif({}, 0))", second()),
            F::Negate => format!("(- {one})"),
            F::Absolute => named("abs"),
            F::Round => named("round"),
            F::Truncate => named("trunc"),
            F::Floor => named("floor"),
            F::Ceiling => named("ceil"),
            F::Greatest | F::Least => {
                let unknown: Vec<String> = all.iter().map(|one| format!("{one} IS NULL")).collect();
                let name = if function == F::Greatest { "greatest" } else { "least" };
                format!("(CASE WHEN {} THEN NULL ELSE {} END)", unknown.join(" OR "), named(name))
            }
            F::Case => case(&all),
            F::Coalesce => named("coalesce"),
            F::AsText => format!("({one})::text"),
            F::FoldAscii => format!("lower({one} COLLATE \"C\")"),
            F::TrimEnd => format!("rtrim({one}, ' '::text)"),
            F::TrimStart => format!("ltrim({one}, ' '::text)"),
            F::Trim => format!("btrim({one}, ' '::text)"),
            F::Lower => format!("lower({one} COLLATE \"und-x-icu\")"),
            F::CharLength => named("char_length"),
            F::ByteLength => named("octet_length"),
            F::Concat => joined(" || "),
            F::Left => named("left"),
            F::Right => named("right"),
            F::Substring => named("substr"),
            F::Replace => named("replace"),
            F::Year => part("year", &one),
            F::Quarter => part("quarter", &one),
            F::Month => part("month", &one),
            F::Day => part("day", &one),
            F::Hour => part("hour", &one),
            F::Minute => part("minute", &one),
            F::DateOf => format!("({one})::date"),
            F::JsonValid => format!("({one} IS NOT NULL OR NULL)"),
            F::CurrentDate => "CURRENT_DATE".into(),
            F::CurrentTimestamp => format!("CURRENT_TIMESTAMP({one})"),
            F::NewUuid => "(gen_random_uuid())::text".into(),
        })
    }
}

fn comparison(function: F, all: &[String]) -> String {
    let (first, rest) = all.split_first().map_or(("NULL", &[][..]), |(first, rest)| (first.as_str(), rest));
    let second = rest.first().map_or("NULL", String::as_str);
    match function {
        F::NotEqual => format!("({first} <> {second})"),
        F::Same => format!("({first} IS NOT DISTINCT FROM {second})"),
        F::In => format!("({first} IN ({}))", rest.join(", ")),
        _ => format!("({first} = {second})"),
    }
}

fn case(all: &[String]) -> String {
    let mut sql = String::from("(CASE");
    let (branches, otherwise) = all.as_chunks::<2>();
    for [condition, result] in branches {
        sql.push_str(&format!(" WHEN {condition} THEN {result}"));
    }
    if let [otherwise] = otherwise {
        sql.push_str(&format!(" ELSE {otherwise}"));
    }
    sql.push_str(" END)");
    sql
}

fn part(field: &str, value: &str) -> String {
    format!("(extract({field} FROM {value}))::integer")
}

//! CREATE TABLE, and the types before it.

use super::collation::collation_name;
use super::default_value::default_sql;
use super::literal::text_array;
use super::names::{can_be_identity, can_take_sequence};
use super::{
    Draft, Labelled, column_problem, labelled, labels_fit, made, named, partition, quote_literal, quote_name, quote_table,
    row_size,
};
use crate::engine::DdlPhase;
use crate::engine::postgres::expression::{print, takes};
use crate::engine::postgres::type_text::{self, EXTENSION_TYPES};
use crate::error::Result;
use crate::model::ObjectName;
use crate::model::catalog::{Column, DefaultValue, Generated, NativeType, Problem, Severity, Table};
use crate::model::expression::Class;

/// The most columns of a table (`MaxHeapAttributeNumber`).
const MAX_COLUMNS: usize = 1600;

/// Characters of a text that is never long enough for the server to compress it by itself.
const SHORT_TEXT: u64 = 500;

/// The table without keys, and the types of its columns.
pub(super) fn create(draft: &mut Draft<'_>, table: &Table) {
    if table.columns.len() > MAX_COLUMNS {
        let why = format!("it has {} columns, and a table of PostgreSQL has at most {MAX_COLUMNS}", table.columns.len());
        draft.problems.push(Problem::new(Severity::Refused, "table", &table.name, why));
    }
    draft.problems.extend(row_size::problem(table));
    let mut lines = Vec::new();
    for column in &table.columns {
        if labelled(&column.native) == Some(Labelled::Enum) && draft.names.makes_type(&table.name, &column.name) {
            create_type(draft, table, column);
        }
        match column_type(draft, table, column) {
            Ok(sql) => lines.push(column_line(draft, table, column, &sql)),
            Err(error) => {
                let why = format!("its type cannot be made: {error}");
                draft.problems.push(column_problem(Severity::Refused, "column", table, column, why));
            }
        }
        if matches!(column.native.name.as_str(), "cidr" | "macaddr" | "macaddr8") {
            let why = format!("values cannot be written to a column of type `{}`", column.native.full);
            let problem = column_problem(Severity::Refused, "column", table, column, why);
            draft.problems.push(problem.hint("Carry it as `text`, and change its type with a hook after the run"));
        }
        list_column(draft, table, column);
    }
    let checks: Vec<String> = table.columns.iter().filter_map(value_check).collect();
    draft.note(|made| made.table.checks.extend(checks.iter().map(|check| made::check("", check, true))));
    lines.extend(checks.iter().map(|check| format!("CHECK ({check})")));
    let name = quote_table(&table.name);
    // A partitioned table holds no rows itself, and its partitions are made with it.
    let partitions = partition::clause(table);
    let unlogged = draft.options.unlogged && partitions.is_empty();
    let kind = if unlogged { "UNLOGGED TABLE" } else { "TABLE" };
    draft.push(
        DdlPhase::Tables,
        table,
        format!("table {}", table.name),
        format!("CREATE {kind} {name} (\n    {}\n){partitions}", lines.join(",\n    ")),
        Some(format!(
            "SELECT EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             WHERE n.nspname = {} AND c.relname = {} AND c.relkind IN ('r', 'p'))",
            schema_literal(&table.name),
            quote_literal(&table.name.name)
        )),
    );
}

/// The log of a table that was made without one.
pub(super) fn log(draft: &mut Draft<'_>, table: &Table) {
    if !draft.options.unlogged || !partition::clause(table).is_empty() {
        return;
    }
    let exists = format!(
        "SELECT EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE n.nspname = {} AND c.relname = {} AND c.relpersistence = 'p')",
        schema_literal(&table.name),
        quote_literal(&table.name.name)
    );
    let sql = format!("ALTER TABLE {} SET LOGGED", quote_table(&table.name));
    draft.push(DdlPhase::Logged, table, format!("log of {}", table.name), sql, Some(exists));
}

fn schema_literal(name: &ObjectName) -> String {
    quote_literal(if name.schema.is_empty() { super::DEFAULT_SCHEMA } else { &name.schema })
}

fn create_type(draft: &mut Draft<'_>, table: &Table, column: &Column) {
    let name = draft.names.enum_type(&table.name, &column.name);
    let labels: Vec<String> = column.native.labels.iter().map(|label| quote_literal(label)).collect();
    // A type of that name with other labels is not ours: CREATE TYPE then fails, where going on would mix up labels and their order.
    let exists = format!(
        "SELECT EXISTS (SELECT FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace \
         WHERE n.nspname = {} AND t.typname = {} AND t.typtype = 'e' AND {} = \
         (SELECT pg_catalog.array_agg(e.enumlabel::pg_catalog.text ORDER BY e.enumsortorder) FROM pg_catalog.pg_enum e \
         WHERE e.enumtypid = t.oid))",
        schema_literal(&name),
        quote_literal(&name.name),
        text_array(&column.native.labels)
    );
    let sql = format!("CREATE TYPE {} AS ENUM ({})", quote_table(&name), labels.join(", "));
    draft.push(DdlPhase::Before, table, format!("type {name}"), sql, Some(exists));
}

/// The column's type as SQL.
///
/// # Errors
/// `Mapping` for a type outside the grammar of [`type_text`], so for nothing that came through it.
fn column_type(draft: &Draft<'_>, table: &Table, column: &Column) -> Result<String> {
    match labelled(&column.native) {
        Some(Labelled::Enum) => Ok(quote_table(&draft.names.enum_type(&table.name, &column.name))),
        Some(Labelled::Text) => Ok("text".into()),
        Some(Labelled::Set) => Ok("text[]".into()),
        None => type_sql(&column.native, &draft.options.features),
    }
}

fn type_sql(native: &NativeType, features: &[String]) -> Result<String> {
    // Read again: a plan in a file may have passed through other hands.
    let native = type_text::parse(&native.full)?;
    let base = native.name.strip_suffix("[]").unwrap_or(&native.name);
    if !EXTENSION_TYPES.contains(&base) {
        return Ok(native.full);
    }
    let extension = if base == "geometry" { "postgis" } else { base };
    let prefix = format!("{extension}_schema:");
    let schema = features.iter().find_map(|feature| feature.strip_prefix(&prefix)).unwrap_or(super::DEFAULT_SCHEMA);
    Ok(format!("{}.{}", quote_name(schema), native.full))
}

fn column_line(draft: &mut Draft<'_>, table: &Table, column: &Column, type_sql: &str) -> String {
    let mut line = format!("{} {type_sql}", quote_name(&column.name));
    if let Some(method) = draft.options.compression.as_ref().filter(|_| may_be_long(&column.native)) {
        line.push_str(&format!(" COMPRESSION {method}"));
    }
    if let Some(collation) = collation_name(&table.name.schema, &column.native) {
        line.push_str(&format!(" COLLATE {}", quote_table(&collation)));
    }
    if column.identity && column.generated.is_none() && can_be_identity(&column.native) {
        line.push_str(" GENERATED BY DEFAULT AS IDENTITY");
        draft.note_column(&column.name, |made| (made.identity, made.nullable) = (true, false));
        if let Some(sequence) = draft.names.unusual_sequence(&table.name, &column.name) {
            line.push_str(&format!(" (SEQUENCE NAME {})", quote_table(&sequence)));
        }
    } else if !column.identity && column.generated.is_none() {
        let default = default_sql(table, column, &draft.options.features, &mut draft.problems);
        // The catalog tells no numbers of a sequence from another.
        let numbered = matches!(column.default, Some(DefaultValue::NextOf(_)));
        draft.note_column(&column.name, |made| match &default {
            Some(_) if numbered => made.identity = true,
            default => made.default = made::expression(default.as_deref()),
        });
        line.push_str(&default.map(|sql| format!(" DEFAULT {sql}")).unwrap_or_default());
    }
    if let Some(generated) = &column.generated {
        line.push_str(&generated_sql(draft, table, column, generated));
    }
    if !column.nullable {
        line.push_str(" NOT NULL");
    }
    line
}

/// True for types whose values may be so long that the server compresses them.
fn may_be_long(native: &NativeType) -> bool {
    // A short text is compressed only where it makes a row with others too long for a page.
    let short = native.length.is_some_and(|length| length <= SHORT_TEXT);
    match native.name.as_str() {
        "text" | "bytea" | "json" | "jsonb" | "citext" => native.labels.is_empty(),
        "varchar" | "character varying" => !short,
        _ => false,
    }
}

fn generated_sql(draft: &mut Draft<'_>, table: &Table, column: &Column, generated: &Generated) -> String {
    match computed_sql(table, column, &generated.expression, &draft.options.features) {
        Ok(sql) => {
            let can_be_virtual = draft.options.features.iter().any(|feature| feature == "virtual_generated");
            let stored = generated.stored || !can_be_virtual || !may_be_virtual(draft.tables, table, column);
            draft.note_column(&column.name, |made| made.generated = Some(made::generated(&sql, stored)));
            format!(" GENERATED ALWAYS AS ({sql}) {}", if stored { "STORED" } else { "VIRTUAL" })
        }
        Err(why) => {
            let why = format!("it cannot be computed: {why}");
            draft.problems.push(column_problem(Severity::Refused, "generated column", table, column, why));
            String::new()
        }
    }
}

/// The SQL of a column that PostgreSQL computes.
///
/// # Errors
/// Why it cannot compute it.
pub(in crate::engine::postgres) fn computed_sql(
    table: &Table,
    column: &Column,
    sql: &str,
    features: &[String],
) -> Result<String, String> {
    let understood = table.expression(sql)?;
    let (tree, class) = match column.native.name.as_str() {
        "boolean" => (understood.condition().ok_or("it is no condition")?, Class::Bool),
        _ => understood.value(),
    };
    if !takes(column, class) {
        return Err(format!("its type `{}` is not that of the expression", column.native.full));
    }
    let printed = print(&tree, table, features)?;
    if printed.immutable { Ok(printed.sql) } else { Err("what it computes may change with the server's settings".into()) }
}

/// PostgreSQL 18 computes a column at each read when no index, no key and no type of an extension stands on it.
fn may_be_virtual(tables: &[Table], table: &Table, column: &Column) -> bool {
    let indexes = table.primary_key.iter().chain(&table.indexes).flat_map(|index| &index.parts);
    let indexed = indexes.filter_map(|part| part.column.as_ref()).any(|name| *name == column.name);
    // An expression of an index may look at it too.
    let looked_at = table.indexes.iter().flat_map(|index| &index.parts).any(|part| part.expression.is_some());
    let child = table.foreign_keys.iter().any(|key| key.columns.contains(&column.name));
    let parent = tables
        .iter()
        .flat_map(|other| &other.foreign_keys)
        .any(|key| key.parent == table.name && key.parent_columns.contains(&column.name));
    let plain = column.native.collation.is_none() && column.native.name != "citext" && labelled(&column.native).is_none();
    !indexed && !looked_at && !child && !parent && plain
}

/// The condition that keeps a column to the values of its type, for types that PostgreSQL has not.
fn value_check(column: &Column) -> Option<String> {
    let name = quote_name(&column.name);
    match labelled(&column.native) {
        Some(Labelled::Set) => Some(format!("{name} <@ {}", text_array(&column.native.labels))),
        Some(Labelled::Text) if !column.native.labels.is_empty() => {
            Some(format!("{name} = ANY ({})", text_array(&column.native.labels)))
        }
        None if column.native.name == "citext" => {
            column.native.length.map(|length| format!("char_length({name}::text) <= {length}"))
        }
        _ if column.native.unsigned => Some(format!("{name} >= 0")),
        _ => None,
    }
}

/// What of a column is not as it was.
fn list_column(draft: &mut Draft<'_>, table: &Table, column: &Column) {
    let mut list = |problem: Problem| draft.problems.push(problem);
    if column.native.name == "enum"
        && let Err(why) = labels_fit(&column.native.labels)
    {
        list(column_problem(Severity::Note, "enum", table, column, format!("it becomes text with a check, since {why}")));
    }
    if column.identity && !can_be_identity(&column.native) && !can_take_sequence(&column.native) {
        let why = format!("a column of type `{}` cannot number new rows in PostgreSQL", column.native.full);
        list(column_problem(Severity::NotCarried, "auto-increment", table, column, why));
    }
    if column.invisible {
        let why = "the column is invisible in the source, and `SELECT *` shows it in PostgreSQL";
        list(Problem::new(Severity::Note, "column", named(&table.name, &column.name), why));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_types_of_extensions_carry_their_schema() {
        let sql = |text: &str, features: &[&str]| {
            let features: Vec<String> = features.iter().map(ToString::to_string).collect();
            type_sql(&type_text::parse(text).unwrap(), &features).unwrap()
        };
        assert_eq!(sql("geometry(point,4326)", &["postgis", "postgis_schema:My Gis"]), r#""My Gis".geometry(Point,4326)"#);
        assert_eq!(sql("vector(3)[]", &[]), r#""public".vector(3)[]"#);
        assert_eq!(sql("varchar(3)", &["postgis"]), "character varying(3)");
    }

    #[test]
    fn a_type_from_a_plan_that_was_tampered_with_is_refused() {
        let native = NativeType { name: "integer".into(), full: "integer); DROP TABLE x; --".into(), ..NativeType::default() };
        assert!(type_sql(&native, &[]).is_err());
    }
}

//! Foreign keys: made without a look at the rows, validated after. One that cannot be made is listed, never dropped silently.

use std::collections::BTreeSet;

use super::literal::{name_list, table_oid};
use super::{Draft, Labelled, labelled, named, quote_literal, quote_name, quote_table};
use crate::engine::{Ddl, DdlPhase};
use crate::model::catalog::{ForeignKey, IndexMethod, NativeType, Problem, ReferentialAction, Severity, Table};

/// So many rows without a parent are named.
const ORPHANS_NAMED: u32 = 5;

/// The foreign keys of which `table` is the child.
pub(super) fn create(draft: &mut Draft<'_>, table: &Table) {
    for key in &table.foreign_keys {
        let name = named(&table.name, &key.name);
        let definition = definition(key);
        if let Some(why) = obstacle(draft, table, key) {
            let mut problem = Problem::new(Severity::NotCarried, "foreign key", name, why).ddl(definition);
            problem.hint = wanted_key(draft, key);
            draft.problems.push(problem);
            continue;
        }
        let child = quote_table(&table.name);
        let constraint = quote_name(&key.name);
        let found = format!(
            "SELECT FROM pg_catalog.pg_constraint WHERE conrelid = {} AND conname = {} AND contype = 'f'",
            table_oid(&table.name),
            quote_literal(&key.name)
        );
        draft.push(
            DdlPhase::ForeignKeys,
            table,
            format!("foreign key {}", key.name),
            format!("ALTER TABLE {child} ADD {definition} NOT VALID"),
            Some(format!("SELECT EXISTS ({found})")),
        );
        draft.note(|made| made.table.foreign_keys.push(key.clone()));
        draft.push(
            DdlPhase::Validate,
            table,
            format!("validation of {}", key.name),
            format!("ALTER TABLE {child} VALIDATE CONSTRAINT {constraint}"),
            Some(format!("SELECT EXISTS ({found} AND convalidated)")),
        );
    }
}

/// Questions that fail where a row of a table that stood before the run has no parent. Rows are loaded with the target's triggers off,
/// and those are what enforces its foreign keys.
pub fn recheck(standing: &Table) -> Vec<Ddl> {
    let questions = standing.foreign_keys.iter().map(|key| {
        let all = |part: &dyn Fn(&str, &str) -> String| {
            key.columns
                .iter()
                .zip(&key.parent_columns)
                .map(|(child, parent)| part(child, parent))
                .collect::<Vec<_>>()
                .join(" AND ")
        };
        let message = format!("rows of {} have no parent in {} by the foreign key {}", standing.name, key.parent, key.name);
        let orphans = format!(
            "FROM {} c WHERE {} AND NOT EXISTS (SELECT FROM {} p WHERE {})",
            quote_table(&standing.name),
            all(&|child, _| format!("c.{} IS NOT NULL", quote_name(child))),
            quote_table(&key.parent),
            all(&|child, parent| format!("p.{} = c.{}", quote_name(parent), quote_name(child))),
        );
        let columns = name_list(&key.columns);
        let values = key.columns.iter().map(|column| format!("c.{}", quote_name(column))).collect::<Vec<_>>().join(", ");
        // The types of extensions are compared as their own operators do, which stand where the extension does. The detail has the form
        // of the server's own, which is where keys in errors are taken from.
        let body = format!(
            "DECLARE orphans bigint; named text; BEGIN \
             PERFORM pg_catalog.set_config('search_path', (SELECT pg_catalog.string_agg(DISTINCT pg_catalog.quote_ident(n.nspname), ', ') \
             FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace), true); \
             SELECT count(*) {orphans} INTO orphans; \
             IF orphans > 0 THEN \
             SELECT pg_catalog.string_agg(row_text, ', ') INTO named FROM (SELECT '(' || pg_catalog.concat_ws(', ', {values}) || ')' AS row_text \
             {orphans} LIMIT {ORPHANS_NAMED}) AS x; \
             RAISE EXCEPTION USING ERRCODE = '23503', MESSAGE = orphans || {}, DETAIL = 'Key (' || {} || ')=' || named; \
             END IF; END",
            quote_literal(&format!(" {message}")),
            quote_literal(&columns.replace('"', "")),
        );
        Ddl {
            phase: DdlPhase::Validate,
            table: Some(standing.name.clone()),
            object: format!("check of {}", key.name),
            sql: format!("DO {}", quote_literal(&body)),
            exists_sql: None,
        }
    });
    questions.collect()
}

fn definition(key: &ForeignKey) -> String {
    format!(
        "CONSTRAINT {} FOREIGN KEY ({}) REFERENCES {} ({}) ON DELETE {} ON UPDATE {}",
        quote_name(&key.name),
        name_list(&key.columns),
        quote_table(&key.parent),
        name_list(&key.parent_columns),
        action(key.on_delete),
        action(key.on_update)
    )
}

fn action(action: ReferentialAction) -> &'static str {
    match action {
        ReferentialAction::NoAction => "NO ACTION",
        ReferentialAction::Restrict => "RESTRICT",
        ReferentialAction::Cascade => "CASCADE",
        ReferentialAction::SetNull => "SET NULL",
        ReferentialAction::SetDefault => "SET DEFAULT",
    }
}

/// Why the key cannot be made, if it cannot.
fn obstacle(draft: &Draft<'_>, child: &Table, key: &ForeignKey) -> Option<String> {
    let Some(parent) = draft.tables.iter().find(|table| table.name == key.parent) else {
        return Some(format!("the table `{}` that it points to is not carried", key.parent));
    };
    if key.columns.len() != key.parent_columns.len() {
        return Some("child and parent have different numbers of columns".into());
    }
    if !is_unique(parent, key) {
        return Some(format!(
            "no unique key of `{}` is over exactly ({}), as PostgreSQL demands of a parent",
            key.parent,
            key.parent_columns.join(", ")
        ));
    }
    key.columns.iter().zip(&key.parent_columns).find_map(|(child_name, parent_name)| {
        let Some(from) = child.column(child_name) else { return Some(format!("the column `{child_name}` is not carried")) };
        let Some(to) = parent.column(parent_name) else {
            return Some(format!("the column `{parent_name}` of `{}` is not carried", key.parent));
        };
        // Two ENUM columns that do not share a type are two types, which nothing compares.
        let one_type = || draft.names.enum_type(&child.name, child_name) == draft.names.enum_type(&parent.name, parent_name);
        let labels = [from, to].map(|column| labelled(&column.native) == Some(Labelled::Enum));
        let fits =
            if labels == [true, true] { one_type() } else { labels == [false, false] && comparable(&from.native, &to.native) };
        (!fits).then(|| {
            format!(
                "`{child_name}` becomes `{}` and `{parent_name}` of `{}` becomes `{}`: give both one type in the mapping",
                from.native.full, key.parent, to.native.full
            )
        })
    })
}

/// PostgreSQL asks for one unique index over exactly the parent's columns, in any order.
fn is_unique(parent: &Table, key: &ForeignKey) -> bool {
    let wanted: BTreeSet<&str> = key.parent_columns.iter().map(String::as_str).collect();
    parent
        .primary_key
        .iter()
        .chain(parent.indexes.iter().filter(|index| index.unique))
        .filter(|index| index.method == IndexMethod::BTree)
        .filter_map(|index| index.plain_columns())
        .any(|columns| columns.len() == wanted.len() && columns.into_iter().collect::<BTreeSet<_>>() == wanted)
}

/// The key that the parent would need, where that is what it lacks.
fn wanted_key(draft: &Draft<'_>, key: &ForeignKey) -> Option<String> {
    let parent = draft.tables.iter().find(|table| table.name == key.parent)?;
    let has = |name: &String| parent.column(name).is_some();
    (!is_unique(parent, key) && key.parent_columns.iter().all(has)).then(|| {
        let (table, columns) = (quote_table(&key.parent), name_list(&key.parent_columns));
        format!(
            "Make the parent's key unique in the source, where it is; or in the target after the run, with the key behind it: \
             `CREATE UNIQUE INDEX ON {table} ({columns})`"
        )
    })
}

/// True when PostgreSQL compares a child of the one type with a parent of the other by the parent's own index.
fn comparable(child: &NativeType, parent: &NativeType) -> bool {
    let family = |native: &NativeType| match native.name.as_str() {
        "smallint" | "integer" | "bigint" => "integer".to_string(),
        "text" | "varchar" => "text".to_string(),
        "real" | "double precision" => "float".to_string(),
        other => other.to_string(),
    };
    family(child) == family(parent) || (family(child) == "integer" && parent.name == "numeric")
}

//! What text without case needs before the tables: the extension `citext`, collations of ICU.

use std::collections::BTreeSet;

use super::{DEFAULT_SCHEMA, Draft, quote_literal, quote_name, quote_table};
use crate::engine::{Ddl, DdlPhase};
use crate::model::ObjectName;
use crate::model::catalog::{NativeType, Problem, Severity};

/// Texts that differ in their case alone are the same.
pub const LOCALE_WITHOUT_CASE: &str = "und-u-ks-level2";
/// So are those that differ in their accents.
pub const LOCALE_WITHOUT_ACCENTS: &str = "und-u-ks-level1";

/// The collation of a column in a table of that schema; none for the database's own.
pub(super) fn collation_name(schema: &str, native: &NativeType) -> Option<ObjectName> {
    let name = match native.collation.as_deref()? {
        LOCALE_WITHOUT_CASE => "case_insensitive",
        LOCALE_WITHOUT_ACCENTS => "case_and_accent_insensitive",
        _ => return None,
    };
    Some(ObjectName::new(if schema.is_empty() { DEFAULT_SCHEMA } else { schema }, name))
}

/// The extension and the collations that the tables need.
pub(super) fn create(draft: &mut Draft<'_>) {
    let columns = || draft.tables.iter().flat_map(|table| table.columns.iter().map(move |column| (table, column)));
    let has = |feature: &str| draft.options.features.iter().any(|known| known == feature);
    let citext = columns().find(|(_, column)| matches!(column.native.name.as_str(), "citext" | "citext[]"));
    let collations: BTreeSet<(ObjectName, String)> = columns()
        .filter_map(|(table, column)| {
            Some((collation_name(&table.name.schema, &column.native)?, column.native.collation.clone()?))
        })
        .collect();
    let mut statements = Vec::new();
    let mut problems = Vec::new();
    let mut push = |object: String, sql: String, exists: String| {
        statements.push(Ddl { phase: DdlPhase::Before, table: None, object, sql, exists_sql: Some(exists) });
    };
    if let Some((table, column)) = citext.filter(|_| !has("citext")) {
        if has("can_install:citext") {
            push(
                "extension citext".into(),
                format!("CREATE EXTENSION IF NOT EXISTS citext WITH SCHEMA {}", quote_name(DEFAULT_SCHEMA)),
                "SELECT EXISTS (SELECT FROM pg_catalog.pg_extension WHERE extname = 'citext')".into(),
            );
        } else {
            let why = "it becomes `citext`, which the target does not have, and this role may not install it";
            let hint = "Let an administrator run `CREATE EXTENSION citext` in the target";
            let name = super::named(&table.name, &column.name);
            problems.push(Problem::new(Severity::Refused, "column", name, why).hint(hint));
        }
    }
    for (name, locale) in collations {
        let exists = format!(
            "SELECT EXISTS (SELECT FROM pg_catalog.pg_collation c JOIN pg_catalog.pg_namespace n ON n.oid = c.collnamespace \
             WHERE n.nspname = {} AND c.collname = {} AND NOT c.collisdeterministic)",
            quote_literal(&name.schema),
            quote_literal(&name.name)
        );
        let locale = quote_literal(&locale);
        let sql = format!("CREATE COLLATION {} (provider = icu, locale = {locale}, deterministic = false)", quote_table(&name));
        push(format!("collation {name}"), sql, exists);
        if !has("virtual_generated") {
            let why = "text under it is not searched by `LIKE` or regular expressions before PostgreSQL 18";
            problems.push(Problem::new(Severity::Note, "collation", &name, why));
        }
    }
    draft.statements.append(&mut statements);
    draft.problems.append(&mut problems);
}

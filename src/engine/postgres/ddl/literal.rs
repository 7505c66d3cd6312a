//! Quoting: the only way from a name or a constant to SQL text.

use super::DEFAULT_SCHEMA;
use crate::model::ObjectName;

/// A name as SQL: always in double quotes.
pub fn quote_name(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Schema and name as SQL.
pub fn quote_table(name: &ObjectName) -> String {
    let schema = if name.schema.is_empty() { DEFAULT_SCHEMA } else { &name.schema };
    format!("{}.{}", quote_name(schema), quote_name(&name.name))
}

/// A text constant as SQL, in single quotes.
///
/// A backslash stands for itself (`standard_conforming_strings` is on in our sessions). No PostgreSQL text can hold the character NUL:
/// callers refuse it first.
pub fn quote_literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Constants as SQL: `ARRAY['a', 'b']::text[]`.
pub(super) fn text_array<'a>(items: impl IntoIterator<Item = &'a String>) -> String {
    let items: Vec<String> = items.into_iter().map(|item| quote_literal(item)).collect();
    format!("ARRAY[{}]::pg_catalog.text[]", items.join(", "))
}

/// The table's OID as SQL; NULL when there is none of that name.
pub(super) fn table_oid(name: &ObjectName) -> String {
    format!("pg_catalog.to_regclass({})", quote_literal(&quote_table(name)))
}

/// The names in quotes, with commas.
pub(super) fn name_list<'a>(names: impl IntoIterator<Item = &'a String>) -> String {
    names.into_iter().map(|name| quote_name(name)).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_are_doubled_and_backslashes_stay() {
        assert_eq!(quote_literal("it's"), "'it''s'");
        assert_eq!(quote_literal(r"a\'b\"), r"'a\''b\'");
        assert_eq!(quote_literal(""), "''");
        assert_eq!(quote_name(r#"my "big" table"#), r#""my ""big"" table""#);
        assert_eq!(quote_name(r"back\slash"), r#""back\slash""#);
    }

    #[test]
    fn a_table_without_a_schema_goes_to_public() {
        assert_eq!(quote_table(&ObjectName::new("", "T")), r#""public"."T""#);
        assert_eq!(quote_table(&ObjectName::new("a.b", "c")), r#""a.b"."c""#);
        assert_eq!(table_oid(&ObjectName::new("s", "o'x")), r#"pg_catalog.to_regclass('"s"."o''x"')"#);
    }
}

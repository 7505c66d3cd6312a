//! Primary keys and indexes. What PostgreSQL builds in another way, or not at all, is listed.

use super::literal::table_oid;
use super::names::can_take_sequence;
use super::{DEFAULT_SCHEMA, Draft, hash, made, named, quote_literal, quote_name, quote_table};
use crate::engine::DdlPhase;
use crate::engine::postgres::expression::{print, takes};
use crate::model::catalog::{Index, IndexMethod, IndexPart, Problem, Severity, Table};
use crate::model::expression::Class;

/// The text search configuration that changes no word.
const DEFAULT_SEARCH: &str = "simple";

/// The primary key and the indexes of `table`, and the sequences behind columns that cannot be an identity.
pub(super) fn create(draft: &mut Draft<'_>, table: &Table) {
    if let Some(key) = &table.primary_key {
        primary_key(draft, table, key);
    }
    for index in &table.indexes {
        secondary(draft, table, index);
    }
    sequences(draft, table);
}

/// Made in this phase so that it depends on nothing in its own: the table is there, the default comes in the next.
fn sequences(draft: &mut Draft<'_>, table: &Table) {
    for column in table.columns.iter().filter(|column| column.identity && can_take_sequence(&column.native)) {
        let name = draft.names.sequence(&table.name, &column.name);
        let sql = format!(
            "CREATE SEQUENCE {} AS bigint OWNED BY {}.{}",
            quote_table(&name),
            quote_table(&table.name),
            quote_name(&column.name)
        );
        let exists = format!(
            "SELECT EXISTS (SELECT FROM pg_catalog.pg_depend d \
             JOIN pg_catalog.pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid \
             WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = {} AND d.deptype = 'a' \
             AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid = {} AND a.attname = {})",
            table_oid(&name),
            table_oid(&table.name),
            quote_literal(&column.name)
        );
        draft.push(DdlPhase::Indexes, table, format!("sequence {name}"), sql, Some(exists));
    }
}

fn primary_key(draft: &mut Draft<'_>, table: &Table, key: &Index) {
    if key.method == IndexMethod::Hash {
        let why = "PostgreSQL has no primary key over hashes; a unique index is built instead";
        draft.problems.push(Problem::new(Severity::NotCarried, "primary key", &table.name, why).ddl(source_ddl(key)));
        return secondary(draft, table, key);
    }
    let Some(columns) = key.plain_columns() else {
        let why = "PostgreSQL has no primary key over the start of a column; a unique index is built instead";
        let problem = Problem::new(Severity::NotCarried, "primary key", &table.name, why).ddl(source_ddl(key));
        draft.problems.push(problem);
        return secondary(draft, table, key);
    };
    if key.parts.iter().any(|part| part.descending) {
        let why = "the descending order of its columns is not kept: a primary key of PostgreSQL is always ascending";
        draft.problems.push(Problem::new(Severity::Note, "primary key", &table.name, why).ddl(source_ddl(key)));
    }
    let columns: Vec<String> = columns.into_iter().map(quote_name).collect();
    let constraint = if key.name.is_empty() { String::new() } else { format!("CONSTRAINT {} ", quote_name(&key.name)) };
    let sql = format!("ALTER TABLE {} ADD {constraint}PRIMARY KEY ({})", quote_table(&table.name), columns.join(", "));
    let exists = format!(
        "SELECT EXISTS (SELECT FROM pg_catalog.pg_constraint WHERE conrelid = {} AND contype = 'p')",
        table_oid(&table.name)
    );
    draft.push(DdlPhase::Indexes, table, format!("primary key of {}", table.name), sql, Some(exists));
    let mut key = key.clone();
    key.parts.iter_mut().for_each(|part| part.descending = false);
    draft.note(|made| made.table.primary_key = Some(key));
}

/// Why the index cannot be built, if it cannot.
fn obstacle(draft: &Draft<'_>, table: &Table, index: &Index) -> Option<String> {
    match index.method {
        IndexMethod::FullText if draft.options.fulltext.as_deref() == Some("skip") => {
            return Some("full-text indexes are left out, as the mapping says".into());
        }
        IndexMethod::FullText => return words_obstacle(table, index),
        IndexMethod::Spatial => return shapes_obstacle(table, index),
        IndexMethod::Hash if let Some(why) = hash::obstacle(table, index) => return Some(why),
        IndexMethod::BTree | IndexMethod::Hash => {}
    }
    index.parts.iter().find_map(|part| {
        let Some(name) = &part.column else {
            return match expression_sql(table, part, &draft.options.features) {
                Ok(_) => None,
                Err(why) => Some(format!("it is over an expression that is not carried: {why}")),
            };
        };
        let Some(column) = table.column(name) else { return Some(format!("its column `{name}` is not carried")) };
        let native = &column.native;
        if part.prefix.is_some() && !matches!(native.name.as_str(), "text" | "varchar" | "char" | "bytea") {
            return Some(format!("it is over the start of `{name}`, which becomes `{}`", native.full));
        }
        if native.name.starts_with("json") && !native.name.starts_with("jsonb") {
            return Some(format!("PostgreSQL has no order for `{}`, the type of `{name}`", native.full));
        }
        None
    })
}

fn secondary(draft: &mut Draft<'_>, table: &Table, index: &Index) {
    let name = named(&table.name, &index.name);
    let kind = match index.method {
        IndexMethod::BTree | IndexMethod::Hash if index.unique => "unique index",
        IndexMethod::BTree | IndexMethod::Hash => "index",
        IndexMethod::FullText => "full-text index",
        IndexMethod::Spatial => "spatial index",
    };
    if let Some(why) = obstacle(draft, table, index) {
        draft.problems.push(Problem::new(Severity::NotCarried, kind, name, why).ddl(source_ddl(index)));
        return;
    }
    if !index.visible {
        let why = "it is invisible to the source's planner, and PostgreSQL has no such thing: it is built as any other";
        draft.problems.push(Problem::new(Severity::Note, kind, &name, why).ddl(source_ddl(index)));
    }
    let parts: Vec<String> = index.parts.iter().map(|part| part_sql(table, part, &draft.options.features)).collect();
    let mut made = made::index(index, parts.clone());
    let over = match index.method {
        IndexMethod::BTree => format!("({})", parts.join(", ")),
        IndexMethod::Hash => {
            let (over, as_made, why) = hash::over(table, index, parts);
            made = as_made;
            draft.problems.push(Problem::new(Severity::Note, kind, &name, why).ddl(source_ddl(index)));
            over
        }
        IndexMethod::Spatial => format!("USING gist ({})", parts.join(", ")),
        IndexMethod::FullText => {
            let language = draft.options.fulltext.as_deref().unwrap_or(DEFAULT_SEARCH);
            if let Some(problem) = unknown_language(language, &draft.options.features, &name) {
                draft.problems.push(problem);
            }
            let words = words_sql(table, index, language);
            let why = format!("a query uses it when it says `{words} @@ to_tsquery(…)`");
            draft.problems.push(Problem::new(Severity::Note, kind, &name, why).ddl(source_ddl(index)));
            made = made::words(index, &words);
            format!("USING gin ({words})")
        }
    };
    let unique = if index.unique { "UNIQUE " } else { "" };
    let sql = format!("CREATE {unique}INDEX {} ON {} {over}", quote_name(&index.name), quote_table(&table.name));
    let schema = if table.name.schema.is_empty() { DEFAULT_SCHEMA } else { &table.name.schema };
    let exists = format!(
        "SELECT EXISTS (SELECT FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid \
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE n.nspname = {} AND c.relname = {} AND i.indrelid = {} AND i.indisvalid)",
        quote_literal(schema),
        quote_literal(&index.name),
        table_oid(&table.name)
    );
    draft.push(DdlPhase::Indexes, table, format!("index {}", index.name), sql, Some(exists));
    draft.note(|table| table.table.indexes.push(made));
}

/// A refusal where the server is known not to have the configuration.
fn unknown_language(language: &str, features: &[String], index: &str) -> Option<Problem> {
    let known: Vec<&str> = features.iter().filter_map(|feature| feature.strip_prefix("text_search:")).collect();
    if known.is_empty() || known.contains(&language) {
        return None;
    }
    let why = format!("the target has no text search configuration `{language}`");
    let hint = format!("Write `fulltext = \"skip\"` in `[objects]` of the mapping, or one of these: {}", known.join(", "));
    Some(Problem::new(Severity::Refused, "full-text index", index, why).hint(hint))
}

/// The columns of a full-text index as one text of words.
fn words_sql(table: &Table, index: &Index, language: &str) -> String {
    let texts = index.parts.iter().filter_map(|part| table.column(part.column.as_deref()?));
    let texts: Vec<String> = texts.map(|column| format!("coalesce({}::text, '')", quote_name(&column.name))).collect();
    format!("to_tsvector({}::regconfig, {})", quote_literal(&format!("pg_catalog.{language}")), texts.join(" || ' ' || "))
}

fn words_obstacle(table: &Table, index: &Index) -> Option<String> {
    index.parts.iter().find_map(|part| match part.column.as_deref().map(|name| (name, table.column(name))) {
        None | Some((_, None)) => Some("one of its columns is not carried".to_string()),
        Some((name, Some(column))) => (!takes(column, Class::Text))
            .then(|| format!("`{name}` becomes `{}`, and words are found in text only", column.native.full)),
    })
}

fn shapes_obstacle(table: &Table, index: &Index) -> Option<String> {
    index.parts.iter().find_map(|part| {
        let name = part.column.as_deref().unwrap_or_default();
        let native = table.column(name).map(|column| &column.native);
        match native {
            Some(native) if native.name == "geometry" => None,
            Some(native) => {
                Some(format!("`{name}` becomes `{}`, and shapes are found in geometries of PostGIS only", native.full))
            }
            None => Some(format!("its column `{name}` is not carried")),
        }
    })
}

/// An expression of an index, in parentheses.
fn expression_sql(table: &Table, part: &IndexPart, features: &[String]) -> Result<String, String> {
    let (tree, _) = table.expression(part.expression.as_deref().unwrap_or_default())?.value();
    let printed = print(&tree, table, features)?;
    if printed.immutable {
        Ok(format!("({})", printed.sql))
    } else {
        Err("what it computes may change with the server's settings".into())
    }
}

fn part_sql(table: &Table, part: &IndexPart, features: &[String]) -> String {
    if part.column.is_none() {
        // Tried before.
        let sql = expression_sql(table, part, features).unwrap_or_default();
        return if part.descending { format!("{sql} DESC") } else { sql };
    }
    let name = part.column.as_deref().unwrap_or_default();
    let column = quote_name(name);
    let bytes = table.column(name).is_some_and(|column| column.native.name == "bytea");
    let start = match part.prefix {
        None => column,
        Some(length) if bytes => format!("(substring({column} from 1 for {length}))"),
        Some(length) => format!("(left({column}::text, {length}))"),
    };
    if part.descending { format!("{start} DESC") } else { start }
}

/// The index in words close to MySQL's, for the list of what is not carried.
fn source_ddl(index: &Index) -> String {
    let kind = match index.method {
        IndexMethod::BTree | IndexMethod::Hash if index.unique => "UNIQUE INDEX",
        IndexMethod::BTree | IndexMethod::Hash => "INDEX",
        IndexMethod::FullText => "FULLTEXT INDEX",
        IndexMethod::Spatial => "SPATIAL INDEX",
    };
    let parts: Vec<String> = index
        .parts
        .iter()
        .map(|part| {
            let mut text = match (&part.column, &part.expression) {
                (Some(column), _) => quote_name(column),
                (None, expression) => format!("({})", expression.as_deref().unwrap_or("?")),
            };
            if let Some(prefix) = part.prefix {
                text.push_str(&format!("({prefix})"));
            }
            if part.descending {
                text.push_str(" DESC");
            }
            text
        })
        .collect();
    format!("{kind} {} ({})", quote_name(&index.name), parts.join(", "))
}

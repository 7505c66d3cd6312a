//! Two plans of one small shop, compared.

use super::*;
use crate::config::environment::Environment;
use crate::config::load::mapping_from_text;
use crate::config::{Settings, endpoint::Endpoint};
use crate::engine::{DdlOptions, Dialect};
use crate::mapping::{MapOptions, Route, map};
use crate::model::catalog::{Catalog, ForeignKey, IndexMethod, IndexPart, NativeType, ReferentialAction, ServerInfo, Table};
use crate::model::{ChunkPlan, EngineKind, LogicalType, ObjectName};
use crate::plan::{Choices, FORMAT, PlannedSide};

fn column(name: &str, native: &str, full: &str, logical: LogicalType) -> Column {
    let native = NativeType { name: native.into(), full: full.into(), ..NativeType::default() };
    Column { nullable: name != "id", ..Column::new(name, Some(logical), native) }
}

fn index(name: &str, columns: &[&str], unique: bool) -> crate::model::catalog::Index {
    let part = |column: &&str| IndexPart { column: Some((*column).into()), expression: None, prefix: None, descending: false };
    crate::model::catalog::Index {
        name: name.into(),
        parts: columns.iter().map(part).collect(),
        unique,
        method: IndexMethod::BTree,
        visible: true,
    }
}

fn catalog() -> Catalog {
    let text = || LogicalType::Text { length: None };
    let mut people = Table::new(ObjectName::new("", "people"));
    people.columns = vec![
        column("id", "integer", "INTEGER", LogicalType::Int64),
        column("name", "text", "TEXT", text()),
        column("email", "text", "TEXT", text()),
    ];
    people.primary_key = Some(index("", &["id"], true));
    people.indexes = vec![index("by_name", &["name"], false), index("by_email", &["email", "name"], true)];
    let mut orders = Table::new(ObjectName::new("", "orders"));
    orders.columns = vec![
        column("id", "integer", "INTEGER", LogicalType::Int64),
        column("person", "integer", "INTEGER", LogicalType::Int64),
        column("total", "integer", "INTEGER", LogicalType::Int64),
    ];
    orders.primary_key = Some(index("", &["id"], true));
    orders.foreign_keys = vec![ForeignKey {
        name: "of_person".into(),
        columns: vec!["person".into()],
        parent: people.name.clone(),
        parent_columns: vec!["id".into()],
        on_delete: ReferentialAction::NoAction,
        on_update: ReferentialAction::NoAction,
    }];
    let mut logs = Table::new(ObjectName::new("", "logs"));
    logs.columns = vec![column("line", "text", "TEXT", text())];
    Catalog { tables: vec![logs, orders, people], ..Catalog::default() }
}

/// A plan as SQLite to PostgreSQL has it.
fn plan(file: &str, mapping: &str, environment: &Environment<'_>) -> Plan {
    let mapping = mapping_from_text(file, mapping, environment).unwrap_or_else(|error| panic!("{error:?}"));
    let (from, to) = (
        crate::engine::registry::engine(EngineKind::Sqlite).dialect(),
        crate::engine::registry::engine(EngineKind::Postgres).dialect(),
    );
    let server = ServerInfo { flavour: "PostgreSQL".into(), ..ServerInfo::default() };
    let route = Route { source: from, source_name: "sqlite", target: to, target_name: "postgres", target_server: &server };
    let catalog = catalog();
    let mapped = map(&catalog, &mapping, MapOptions::default(), route).unwrap_or_else(|error| panic!("{error:?}"));
    let mut settings = Settings::new(Endpoint::parse("sqlite://a.db").unwrap(), Endpoint::parse("postgres://u@h/d").unwrap());
    let mut hooks = Vec::new();
    for (place, rule) in mapping.hooks.iter().enumerate() {
        let sql = rule.sql.clone().unwrap_or_default();
        hooks.push(Hook {
            name: rule.name_at(place),
            when: rule.when,
            side: rule.side,
            table: None,
            schema: String::new(),
            sha256: crate::plan::hex(sql.as_bytes()),
            sql,
            transaction: rule.transaction,
            rerun: rule.rerun,
        });
    }
    settings.mapping = mapping;
    let targets: Vec<Table> = mapped.tables.iter().map(|table| table.target.clone()).collect();
    let (ddl, more) = statements_of(to, &targets);
    let side = |address: String| PlannedSide { address, server: server.clone(), fingerprint: "1".into() };
    Plan {
        format: FORMAT,
        source: side(settings.source.to_string()),
        target: side(settings.target.to_string()),
        choices: Choices::of(&settings),
        tables: mapped
            .tables
            .into_iter()
            .map(|mapped| TablePlan { mapped, chunks: ChunkPlan::whole(0, 0), append: false, load: Default::default(), level: 0 })
            .collect(),
        ddl,
        schema: Vec::new(),
        sequences: Vec::new(),
        hooks,
        problems: mapped.problems.into_iter().chain(more).collect(),
    }
}

fn statements_of(dialect: &dyn Dialect, tables: &[Table]) -> (Vec<Ddl>, Vec<Problem>) {
    let mut schemas: Vec<String> = tables.iter().map(|table| table.name.schema.clone()).collect();
    schemas.sort();
    schemas.dedup();
    dialect.ddl(tables, &DdlOptions { schemas, ..DdlOptions::default() })
}

fn between(one: &str, two: &str) -> (PlanDiff, String) {
    let found = diff(&plan("one.toml", one, &|_| None), &plan("two.toml", two, &|_| None)).unwrap();
    let shown = text(&found);
    (found, shown)
}

#[test]
fn the_same_rules_elsewhere_in_the_file_change_nothing() {
    let (found, shown) = between(
        "[[table]]\nname = \"people\"\nto = \"persons\"\n[table.columns]\nemail = { mask = \"null\", to = \"text\" }\n",
        "# a comment\n\n[[table]]\nto = \"persons\"\nname = \"people\"\n\n[table.columns]\nemail = { mask = \"null\" }\n",
    );
    assert!(found.is_empty());
    assert_eq!(shown, "from  one.toml\nto    two.toml\n\nNothing changes in the target.\n");
}

#[test]
fn each_change_has_a_line_under_its_table() {
    let (found, shown) = between(
        "[[table]]\nname = \"people\"\nwhere = \"id > 1\"\n[table.columns]\nemail = { mask = \"null\" }\n",
        r#"[[table]]
name = "people"
to = "crm.persons"
where = "id > 2"
[table.columns]
name = { rename = "full_name" }
email = { drop = true }
shout = { expr = "upper(name)" }

[[table]]
name = "orders"
[table.columns]
total = { to = "numeric(12,0)" }

[[table]]
name = "logs"
exclude = true
"#,
    );
    assert_eq!(
        shown,
        "from  one.toml
to    two.toml

- table public.logs goes, from logs: 1 column

orders -> public.orders
  ~ column total: bigint becomes numeric(12,0)  [the target's type for int64, then two.toml:13]

people -> crm.persons
  ~ it is named crm.persons, no longer public.people
  ~ rows where: id > 1 becomes id > 2
  ~ column name is named full_name
  - column email: text, masked by `null`  [the target's type for text]
  + column shout: text, `upper(name)`  [the target's type for text]
  - unique index by_email: (email, name)

Schemas that are made if they are missing:
  + schema crm

Problems that are settled:
  - worth knowing: masked column `people.email`: by `null` (one.toml:5)

Problems that come:
  + not carried: unique index `people.by_email`: its column `email` is left out
  + worth knowing: column `people.email`: left out, as the mapping says (`drop = true`)
"
    );
    let json = serde_json::to_value(&found).unwrap();
    assert_eq!(json["tables"][2]["changes"][0]["how"], "renamed");
    assert_eq!(json["tables"][1]["changes"][0]["to_rule"], "two.toml:13");
}

#[test]
fn what_comes_back_is_told_as_such() {
    let one = "[[table]]\nname = \"people\"\nexclude = true\n";
    let (found, shown) = between(one, "");
    assert_eq!((found.tables[1].how, found.tables[1].changes.len()), (How::Comes, 0));
    for part in ["+ table public.people comes, from people: 3 columns", "+ foreign key of_person: (person) to public.people (id)"]
    {
        assert!(shown.contains(part), "{shown}");
    }
}

#[test]
fn masks_expressions_and_what_they_follow_are_named() {
    let (_, shown) = between(
        "[[table]]\nname = \"orders\"\n[table.columns]\ntotal = { expr = \"total * 2\" }\n",
        "[[table]]\nname = \"orders\"\n[table.columns]\ntotal = { expr = \"total * 3\", round = true }\n
[[table]]\nname = \"people\"\n[table.columns]\nname = { mask = \"partial\" }\n",
    );
    for part in
        ["~ values of column total: `total * 2` becomes `total * 3`, rounded", "+ mask of column name: `partial`  [two.toml:9]"]
    {
        assert!(shown.contains(part), "{shown}");
    }
    let (_, shown) = between("", "[[table]]\nname = \"orders\"\n[table.columns]\ntotal = { expr = \"total + 1\" }\n");
    assert!(shown.contains("~ values of column total: the values of column `total` becomes `total + 1`"), "{shown}");
}

#[test]
fn hooks_come_go_and_change_places() {
    let hook =
        |name: &str, sql: &str| format!("[[hook]]\nname = \"{name}\"\nwhen = \"after\"\nside = \"target\"\nsql = \"{sql}\"\n");
    let (_, shown) = between(
        &[hook("a", "x"), hook("b", "y"), hook("c", "z")].concat(),
        &[hook("b", "w"), hook("a", "x"), hook("d", "z")].concat(),
    );
    for part in [
        "- hook c: after the run, on the target",
        "+ hook d: after the run, on the target",
        "~ SQL of hook b: y becomes w",
        "~ order of hooks: a, b becomes b, a",
    ] {
        assert!(shown.contains(part), "{shown}");
    }
}

#[test]
fn another_key_is_told_and_never_shown() {
    let mapping = "[masking]\nkey = \"${K}\"\n[[table]]\nname = \"people\"\n[table.columns]\nname = { mask = \"hash\" }\n";
    let key = |text: &'static str| move |_: &str| Some(text.to_string());
    let (one, two) = ("a-secret-of-one-that-is-long-enough-0", "a-secret-of-two-that-is-long-enough-0");
    let (one, two) = (plan("one.toml", mapping, &key(one)), plan("two.toml", mapping, &key(two)));
    let found = diff(&one, &two).unwrap();
    let shown = text(&found) + &serde_json::to_string(&found).unwrap();
    assert!(found.other_key && shown.contains("made with another key") && !shown.contains("a-secret"), "{shown}");
    assert!(diff(&one, &one).unwrap().is_empty());
}

#[test]
fn plans_of_other_databases_are_not_compared() {
    let one = plan("one.toml", "", &|_| None);
    let mut two = one.clone();
    two.source.fingerprint = "2".into();
    assert_eq!(diff(&one, &two).unwrap_err().kind(), ErrorKind::SchemaChanged);
}

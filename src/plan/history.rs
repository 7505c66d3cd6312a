//! The history tables of tools that make schemas: rows that tell what was done in another database, and would mislead the tool here.

use crate::config::{Scope, Settings};
use crate::model::ObjectName;
use crate::model::catalog::{Catalog, Problem, Severity, Table};

/// The tool, its table, the columns that it always has, and those that some of its versions have.
type Known = (&'static str, &'static str, &'static [&'static str], &'static [&'static str]);

/// Names and columns, in lower case. Only a table with these columns and no other is taken for one of them.
const KNOWN: &[Known] = &[
    (
        "Flyway",
        "flyway_schema_history",
        &["installed_rank", "version", "description", "type", "script", "checksum"],
        &["installed_by", "installed_on", "execution_time", "success"],
    ),
    ("Alembic", "alembic_version", &["version_num"], &[]),
    (
        "Prisma",
        "_prisma_migrations",
        &["id", "checksum", "finished_at", "migration_name", "logs", "rolled_back_at", "started_at", "applied_steps_count"],
        &[],
    ),
    ("Knex", "knex_migrations", &["id", "name", "batch", "migration_time"], &[]),
    ("Knex", "knex_migrations_lock", &["index", "is_locked"], &[]),
    ("Django", "django_migrations", &["id", "app", "name", "applied"], &[]),
    ("Rails and others", "schema_migrations", &["version"], &["dirty", "inserted_at", "applied_at"]),
    ("Rails", "ar_internal_metadata", &["key", "value", "created_at", "updated_at"], &[]),
    ("Sequelize", "sequelizemeta", &["name"], &["createdat", "updatedat"]),
    ("TypeORM", "migrations", &["id", "timestamp", "name"], &[]),
    ("Laravel", "migrations", &["id", "migration", "batch"], &[]),
    (
        "Liquibase",
        "databasechangelog",
        &["id", "author", "filename", "dateexecuted", "orderexecuted", "exectype", "md5sum"],
        &["description", "comments", "tag", "liquibase", "contexts", "labels", "deployment_id"],
    ),
    ("Liquibase", "databasechangeloglock", &["id", "locked", "lockgranted", "lockedby"], &[]),
    ("Entity Framework", "__efmigrationshistory", &["migrationid", "productversion"], &[]),
    ("Phinx", "phinxlog", &["version", "migration_name", "start_time", "end_time"], &["breakpoint"]),
    ("Doctrine", "doctrine_migration_versions", &["version", "executed_at", "execution_time"], &[]),
];

/// The tool whose history `table` is.
fn tool_of(table: &Table) -> Option<&'static str> {
    let columns: Vec<String> = table.columns.iter().map(|column| column.name.to_lowercase()).collect();
    let fits = |(_, name, always, sometimes): &&Known| {
        table.name.name.to_lowercase() == **name
            && always.iter().all(|column| columns.iter().any(|other| other == column))
            && columns.iter().all(|column| always.contains(&column.as_str()) || sometimes.contains(&column.as_str()))
    };
    KNOWN.iter().find(fits).map(|(tool, ..)| *tool)
}

/// Takes the histories out of `catalog` where the target has one of its own, or tables that somebody else has made.
/// `names` are the tables of the source and of the target.
pub(super) fn leave_out(
    settings: &Settings,
    names: &[(ObjectName, ObjectName)],
    existing: &[Table],
    catalog: &mut Catalog,
    problems: &mut Vec<Problem>,
) {
    catalog.tables.retain(|table| {
        let Some(tool) = tool_of(table) else { return true };
        let own = &table.name;
        let named = settings.include.contains(&own.name)
            || settings.mapping.tables.iter().any(|rule| rule.name == own.name || rule.name == own.to_string());
        let target = names.iter().find(|(source, _)| source == own).map(|(_, target)| target);
        let stands = target.is_some_and(|target| existing.iter().any(|table| table.name == *target));
        if named || !(stands || settings.scope == Scope::DataOnly) {
            return true;
        }
        let why = format!("the history of {tool} is left out: it tells what was done in the source, and the target has its own");
        let hint = format!("To carry it all the same, name it: `--include {}`, or a `[[table]]` of that name", own.name);
        problems.push(Problem::new(Severity::Note, "table", own, why).hint(hint));
        false
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::catalog::{Column, NativeType};

    fn table(name: &str, columns: &[&str]) -> Table {
        let column = |name: &&str| Column::new((*name).to_string(), None, NativeType::default());
        Table { columns: columns.iter().map(column).collect(), ..Table::new(ObjectName::new("shop", name)) }
    }

    #[test]
    fn a_history_is_known_by_its_name_and_its_columns() {
        assert_eq!(tool_of(&table("migrations", &["id", "migration", "batch"])), Some("Laravel"));
        assert_eq!(tool_of(&table("migrations", &["id", "timestamp", "name"])), Some("TypeORM"));
        assert_eq!(tool_of(&table("SequelizeMeta", &["name"])), Some("Sequelize"));
        assert_eq!(tool_of(&table("__EFMigrationsHistory", &["MigrationId", "ProductVersion"])), Some("Entity Framework"));
        assert_eq!(tool_of(&table("migrations", &["id", "species", "from_place"])), None);
        assert_eq!(tool_of(&table("schema_migrations", &["version", "note"])), None);
        assert_eq!(tool_of(&table("alembic", &["version_num"])), None);
    }
}

//! The order in which a catalog is read.

use std::collections::BTreeMap;

use sqlx::MySqlConnection;

use super::query::{Questions, Session};
use super::{columns, constraints, databases, indexes, labels, objects, partitions, sequences, tables};
use crate::engine::TableFilter;
use crate::error::Result;
use crate::model::catalog::{Catalog, Problem, ServerInfo, Table};
use crate::model::sequence::Sequence;

/// Reads the catalog of the connection's database.
///
/// Tables are sorted by name, columns by position. An empty database gives an empty catalog. Statements begin with `mark`.
/// `before` are the questions of the last reading, and become those of this one.
/// Turns off the cache of statistics for the session, and turns on the view of generated invisible primary keys.
///
/// # Errors
/// `SourceRead`, `MissingRight` or `ConnectionLost`; `Internal` for a session that is not in utf8mb4 or that changes quoting.
pub async fn read(
    connection: &mut MySqlConnection,
    mark: &str,
    server: &ServerInfo,
    filter: &TableFilter,
    before: &mut Questions,
) -> Result<Catalog> {
    let mut session = Session::open(connection, mark, server, before).await?;
    let mut problems = Vec::new();
    let mut sequences = Vec::new();
    let tables = one(&mut session, filter, &mut sequences, &mut problems).await?;
    *before = session.questions();
    Ok(Catalog { server: server.clone(), tables, sequences, problems })
}

/// Reads the catalogs of all databases that fit `patterns`, as one: tables are sorted by database and name.
///
/// # Errors
/// As [`read`], and `UnknownDatabase` for a pattern that fits none, or `Config` for one that names a system database.
pub async fn read_several(
    connection: &mut MySqlConnection,
    mark: &str,
    server: &ServerInfo,
    patterns: &[String],
    filter: &TableFilter,
    before: &mut Questions,
) -> Result<Catalog> {
    let mut session = Session::open(connection, mark, server, before).await?;
    let mut problems = Vec::new();
    let chosen = databases::choose(&mut session, patterns, &mut problems).await?;
    let (mut tables, mut sequences) = (Vec::new(), Vec::new());
    for database in chosen {
        session.go_to(&database);
        tables.extend(one(&mut session, filter, &mut sequences, &mut problems).await?);
    }
    *before = session.questions();
    Ok(Catalog { server: server.clone(), tables, sequences, problems })
}

/// The tables of the session's database.
async fn one(
    session: &mut Session<'_>,
    filter: &TableFilter,
    sequences: &mut Vec<Sequence>,
    problems: &mut Vec<Problem>,
) -> Result<Vec<Table>> {
    let listed = tables::list(session, filter).await?;
    let mut tables: BTreeMap<String, Table> = tables::carried(session, &listed, problems);
    if !tables.is_empty() {
        let checks = constraints::checks(session).await?;
        columns::read(session, &mut tables, &checks, problems).await?;
        labels::mend(session, &mut tables, problems).await?;
        indexes::read(session, &mut tables, problems).await?;
        constraints::add_checks(&mut tables, checks);
        constraints::foreign_keys(session, &mut tables).await?;
        tables::next_identities(session, &mut tables).await?;
        if listed.iter().any(|one| one.options.contains("partitioned")) {
            partitions::read(session, &mut tables).await?;
        }
    }
    sequences.extend(sequences::read(session, &listed, problems).await?);
    objects::list(session, &listed, &tables, filter, problems).await?;
    Ok(tables.into_values().collect())
}

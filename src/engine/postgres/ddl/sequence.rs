//! Sequences that belong to no column.

use super::{quote_literal, quote_name, quote_table};
use crate::engine::{Ddl, DdlPhase, SequenceStep};
use crate::model::ObjectName;
use crate::model::catalog::NativeType;
use crate::model::sequence::Sequence;

/// The statements for one sequence.
///
/// # Errors
/// Why PostgreSQL cannot have it.
pub(in crate::engine::postgres) fn sequence(one: &Sequence, step: SequenceStep, owner: Option<&str>) -> Result<Vec<Ddl>, String> {
    fits(one)?;
    let name = quote_table(&one.name);
    let shape = format!(
        "INCREMENT BY {} MINVALUE {} MAXVALUE {} START WITH {} CACHE {} {}CYCLE",
        one.increment,
        one.min,
        one.max,
        one.start,
        one.cache,
        if one.cycle { "" } else { "NO " }
    );
    let ddl = |phase: DdlPhase, object: &str, sql: String, exists_sql: Option<String>| Ddl {
        phase,
        table: None,
        object: format!("{object} {}", one.name),
        sql,
        exists_sql,
    };
    let mut statements = Vec::new();
    match step {
        SequenceStep::Drop => {
            return Ok(vec![ddl(DdlPhase::Clear, "drop sequence", format!("DROP SEQUENCE IF EXISTS {name}"), None)]);
        }
        SequenceStep::Create => {
            let schema = if one.name.schema.is_empty() { super::DEFAULT_SCHEMA } else { &one.name.schema };
            let exists = format!(
                "SELECT EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
                 WHERE n.nspname = {} AND c.relname = {} AND c.relkind = 'S')",
                quote_literal(schema),
                quote_literal(&one.name.name)
            );
            statements.push(ddl(DdlPhase::Before, "sequence", format!("CREATE SEQUENCE {name} AS bigint {shape}"), Some(exists)));
        }
        // Not dropped and made again: what depends on it may stay.
        SequenceStep::Remake => {
            let sql = format!("ALTER SEQUENCE {name} AS bigint {shape} RESTART");
            statements.push(ddl(DdlPhase::Clear, "sequence", sql, None));
        }
        SequenceStep::GoOn => {}
    }
    if let Some(next) = one.next {
        let (value, called) = match (one.holds(next), one.increment > 0) {
            (true, _) => (next, false),
            (false, true) => (one.max, true),
            (false, false) => (one.min, true),
        };
        let set = format!("SELECT pg_catalog.setval({}::pg_catalog.regclass, {value}, {called})", quote_literal(&name));
        let sql = match (step, one.increment > 0) {
            (SequenceStep::GoOn, true) => format!("{set} FROM {name} WHERE last_value < {value}"),
            (SequenceStep::GoOn, false) => format!("{set} FROM {name} WHERE last_value > {value}"),
            _ => set,
        };
        statements.push(ddl(DdlPhase::Finish, "next number of", sql, None));
    }
    if let Some(owner) = owner.filter(|_| step != SequenceStep::GoOn) {
        let sql = format!("ALTER SEQUENCE {name} OWNER TO {}", quote_name(owner));
        statements.push(ddl(DdlPhase::Finish, "owner of", sql, None));
    }
    Ok(statements)
}

/// Numbers of PostgreSQL's sequences are those of bigint.
fn fits(one: &Sequence) -> Result<(), String> {
    let bigint = |number: i128| i64::try_from(number).is_ok();
    if one.increment == 0 {
        return Err("its step is that of the server's `auto_increment_increment`, which PostgreSQL does not have".into());
    }
    if ![one.min, one.max, one.start, one.increment].into_iter().all(bigint) || i64::try_from(one.cache).is_err() {
        return Err("its numbers go beyond those of bigint, of which PostgreSQL's sequences are".into());
    }
    Ok(())
}

/// The default of a column that takes its numbers from a sequence; none for a column of no number.
pub(super) fn next_of(native: &NativeType, sequence: &ObjectName) -> Option<String> {
    let number = matches!(native.name.as_str(), "smallint" | "integer" | "bigint" | "numeric" | "real" | "double precision");
    let name = quote_literal(&quote_table(sequence));
    number.then(|| format!("pg_catalog.nextval({name}::pg_catalog.regclass)"))
}

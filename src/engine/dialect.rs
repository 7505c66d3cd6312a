//! An engine's types and SQL, as pure functions.

use serde::{Deserialize, Serialize};

use super::Batch;
use crate::config::objects::CollationChoice;
use crate::config::subset::Sample;
use crate::error::{Error, ErrorKind, Result};
use crate::model::catalog::{Column, NativeType, ServerInfo, Table};
use crate::model::expression::Understood;
use crate::model::policy::PolicyKind;
use crate::model::predicate::PushedPredicate;
use crate::model::reject::RawRow;
use crate::model::row_set::RowSet;
use crate::model::schema::TableSchema;
use crate::model::sequence::Sequence;
use crate::model::unit::ReadPlan;
use crate::model::{LogicalType, ObjectName};

/// When a statement runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DdlPhase {
    /// What stands in the way goes, when the person asked for that. Done once a run, never again on resume.
    Clear,
    /// Schemas, then types: before the tables.
    Before,
    /// Tables without indexes.
    Tables,
    /// What was set aside of tables that stand is put back, whatever became of their rows.
    Restore,
    /// Tables that were made without a log get one: before their indexes, which would be written a second time, and before the foreign keys,
    /// which join tables of one kind only.
    Logged,
    /// Primary keys, unique keys and indexes, once the rows are there.
    Indexes,
    /// Next ids, comments, checks, owners.
    Finish,
    /// Foreign keys, not yet validated.
    ForeignKeys,
    /// Their validation.
    Validate,
    /// Statistics.
    Analyze,
}

impl DdlPhase {
    /// All, in the order of the work.
    pub const ALL: [DdlPhase; 10] = [
        DdlPhase::Clear,
        DdlPhase::Before,
        DdlPhase::Tables,
        DdlPhase::Restore,
        DdlPhase::Logged,
        DdlPhase::Indexes,
        DdlPhase::Finish,
        DdlPhase::ForeignKeys,
        DdlPhase::Validate,
        DdlPhase::Analyze,
    ];
}

/// One statement for the target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ddl {
    /// When.
    pub phase: DdlPhase,
    /// The table it is about; none for schemas.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<ObjectName>,
    /// What it makes, for people: `index orders_customer_idx`.
    pub object: String,
    /// The statement, without a final semicolon.
    pub sql: String,
    /// A query whose first column says `true` when the object stands already, so that repeating is safe.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exists_sql: Option<String>,
}

/// How a table that stands in the way is cleared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clear {
    /// Its rows go.
    Truncate,
    /// It goes; nothing that depends on it does.
    Drop,
}

/// What is done with a sequence of the target that belongs to no column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SequenceStep {
    /// It is made.
    Create,
    /// It stands, and is made what it is to be.
    Remake,
    /// It stands, and goes on behind the numbers that the source has handed out.
    GoOn,
    /// It goes.
    Drop,
}

/// What becomes of a logical type in an engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fidelity {
    /// Exactly its values.
    Exact,
    /// All its values and more.
    Widened,
}

/// Which different texts a collation finds alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Folding {
    /// Those that differ in their case.
    Case,
    /// Those that differ in their case or their accents.
    CaseAndAccents,
}

/// How the target's objects are to be made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DdlOptions {
    /// The role that is to own what is created.
    pub owner: Option<String>,
    /// Schemas that are to be created when they are missing.
    pub schemas: Vec<String>,
    /// What the target can do, as in [`ServerInfo::features`]: the types of extensions are written with their schema.
    pub features: Vec<String>,
    /// What long values are compressed with; as the server is set when none.
    pub compression: Option<String>,
    /// The target's configuration of full-text indexes, or `skip`; its simplest one when none.
    pub fulltext: Option<String>,
    /// Tables are made without a log of their own, where the target knows that, and get one in the phase [`DdlPhase::Logged`].
    pub unlogged: bool,
}

/// A name, quoted; the only way a name reaches SQL text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quoted(pub(crate) String);

impl std::fmt::Display for Quoted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// An engine's types and SQL. Pure: no connection, no state.
pub trait Dialect: Send + Sync {
    /// The logical type of a native one; `None` if the engine cannot carry it.
    fn to_logical(&self, native: &NativeType) -> Option<LogicalType>;

    /// Reads a type as a person writes it in a mapping: `numeric(20,4)`.
    ///
    /// # Errors
    /// `Mapping`, with the nearest type that is known.
    fn parse_type(&self, text: &str) -> Result<NativeType>;

    /// The engine's own type for a logical one. With what `server` can do; an `Err` is a refusal whose hint is the mapping line that settles it.
    fn to_native(&self, logical: &LogicalType, server: &ServerInfo) -> Result<(NativeType, Fidelity)>;

    /// The release series of a server: within one, what was planned goes on to mean the same.
    fn series(&self, server: &ServerInfo) -> (u32, u32) {
        (server.version_number.0, 0)
    }

    /// A condition in the engine's own SQL with exactly its meaning, for the rows of `table`; `None` if the engine cannot promise that.
    fn condition(&self, _table: &Table, _predicate: &PushedPredicate) -> Option<String> {
        None
    }

    /// True if text of that column is compared by its bytes, without padding and without folding.
    fn compares_bytes(&self, _native: &NativeType) -> bool {
        false
    }

    /// Why the engine's reader cannot apply a value policy to columns of that type; none if it can. The type is one that the policy is for.
    fn refuses_policy(&self, policy: PolicyKind, _native: &NativeType) -> Option<String> {
        Some(format!("this source cannot apply `{}`", policy.word()))
    }

    /// True if the engine's reader can keep rows as they came, and [`Dialect::decode_raw`] can read them.
    fn keeps_raw(&self) -> bool {
        false
    }

    /// True if the engine's ledger keeps rejected rows.
    fn keeps_rejects(&self) -> bool {
        false
    }

    /// Reads a row that was kept, as `what` says.
    ///
    /// # Errors
    /// `Value`, as its reader does; `Mapping` when the row was read in another form than `what` asks for.
    fn decode_raw(&self, _what: &ReadPlan, _row: &RawRow) -> Result<Batch> {
        Err(Error::internal("this source keeps no rows"))
    }

    /// True if a person may give a condition in the engine's own SQL.
    fn takes_conditions(&self) -> bool {
        false
    }

    /// What an expression in this engine's SQL over a row of `table` means: of a check, a default, a generated column, an index.
    ///
    /// # Errors
    /// Why it is not understood, in words that follow "not translated:".
    fn understand(&self, _table: &Table, _sql: &str) -> Result<Understood, String> {
        Err("this engine's SQL is not read".into())
    }

    /// What the collation of that column finds alike; none where only equal texts are, or for what is no text.
    fn folding(&self, _native: &NativeType) -> Option<Folding> {
        None
    }

    /// The type that finds texts alike as `folding` says, in the way that `choice` names; none for a type that is no text.
    ///
    /// # Errors
    /// `Mapping` where the server has no such thing.
    fn without_case(
        &self,
        _native: &NativeType,
        _choice: CollationChoice,
        _folding: Folding,
        _server: &ServerInfo,
    ) -> Result<Option<NativeType>> {
        Err(Error::new(ErrorKind::Mapping, "the target compares all text by its letters").hint("Leave `collation` out"))
    }

    /// The type that keeps an enumeration as text; none for what is no enumeration, or where it is text already.
    fn enum_as_text(&self, _native: &NativeType) -> Option<NativeType> {
        None
    }

    /// The type that holds the values of both, for columns that a foreign key joins; none where the engine does not say.
    fn wider(&self, _one: &NativeType, _other: &NativeType) -> Option<NativeType> {
        None
    }

    /// Whether this engine can compute a column of `table`, in its names and types, by the meaning of `sql` that the table holds.
    ///
    /// # Errors
    /// Why it cannot.
    fn can_generate(&self, _table: &Table, _column: &Column, _sql: &str, _server: &ServerInfo) -> Result<(), String> {
        Err("the target computes no columns".into())
    }

    /// Whether this engine has tables that are parted by ranges and lists of plain values.
    ///
    /// # Errors
    /// Why it has none.
    fn can_partition(&self, _server: &ServerInfo) -> Result<(), String> {
        Err("the target has no partitions".into())
    }

    /// A condition that lets a share of the rows through, by the values of the key alone, which are never NULL; `None` if the engine has no
    /// such function. See [`Sample`] for the function.
    fn sample(&self, _key: &[&Column], _share: Sample) -> Option<String> {
        None
    }

    /// The condition that the rows of the set at `wanted` meet, and no other rows of its table.
    ///
    /// # Errors
    /// `Unsupported` where the engine, or the server, cannot follow foreign keys.
    fn row_set(&self, _sets: &[RowSet], _wanted: usize, _server: &ServerInfo) -> Result<String> {
        Err(Error::new(ErrorKind::Unsupported, "rows of this source cannot be followed along foreign keys"))
    }

    /// True where text may have a NUL character in it.
    fn holds_nul_in_text(&self) -> bool {
        true
    }

    /// True if a column of that type, which holds JSON, keeps the escape of U+0000.
    fn holds_nul_in_json(&self, _native: &NativeType) -> bool {
        true
    }

    /// The largest entry of an ordered index, in bytes before compression; none for no limit.
    fn max_index_entry_bytes(&self) -> Option<u64> {
        None
    }

    /// The largest value of one field, in bytes; none for no limit.
    fn max_field_bytes(&self) -> Option<u64> {
        None
    }

    /// Quotes one part of a name.
    fn quote(&self, name: &str) -> Quoted;

    /// The longest name, in bytes; none for no limit.
    fn max_name_bytes(&self) -> Option<usize>;

    /// True for a name that no column can have, whatever is quoted.
    fn reserves_column_name(&self, _name: &str) -> bool {
        false
    }

    /// True where index names are unique per schema, and not only per table.
    fn index_names_per_schema(&self) -> bool;

    /// The schema that unqualified tables go to, or empty for engines without schemas.
    fn default_schema(&self) -> &'static str;

    /// The statements of phase `Clear` that clear tables that stand in the way; `None` if the engine cannot.
    fn clear(&self, _tables: &[&Table], _how: Clear) -> Option<Vec<Ddl>> {
        None
    }

    /// Statements of phase `Validate` that fail if rows loaded into a table that stood before the run break its own foreign keys,
    /// for engines whose writer switches those off.
    fn recheck(&self, _standing: &Table) -> Vec<Ddl> {
        Vec::new()
    }

    /// True where rows can be added to a table that stands, so that all of it is read again, not only what the run has written.
    fn appends(&self) -> bool {
        false
    }

    /// Statements of phase `Finish` that let a table that stood before the run go on with numbers that are not taken.
    fn continue_numbers(&self, _standing: &Table) -> Vec<Ddl> {
        Vec::new()
    }

    /// `tables` as they stand once the statements of [`Dialect::ddl`] have run: only what is really made, and expressions in the SQL of
    /// those statements. None for an engine whose tables are not compared.
    fn made(&self, _tables: &[Table], _options: &DdlOptions) -> Vec<TableSchema> {
        Vec::new()
    }

    /// The statements for a sequence, in the names of the target.
    ///
    /// # Errors
    /// Why the engine cannot have it, in words that follow its name.
    fn sequence(&self, _one: &Sequence, _step: SequenceStep, _owner: Option<&str>) -> Result<Vec<Ddl>, String> {
        Err("the target has no sequences".into())
    }

    /// All statements that make `tables`, in no particular order; each says its phase. What cannot be made is a problem.
    fn ddl(&self, tables: &[Table], options: &DdlOptions) -> (Vec<Ddl>, Vec<crate::model::catalog::Problem>);
}

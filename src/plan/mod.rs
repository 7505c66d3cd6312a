//! The order of the work, decided before anything runs, and stored before the first row moves.
//!
//! [`make`] asks both sides and decides everything, [`probe`] asks the data, `standing` what becomes of target tables that exist (`columns`
//! compares them, `loading` says how rows get into them, `order` which comes first, `history` which are left out), `collisions` whether keys
//! meet in merged ones, [`passing`] whether conditions let something through; `groups` says which tables belong together, `numbers` lets next
//! ids go on; `several` is about sources with several databases, `schema` says what the target's tables look like in the end; [`text`] prints
//! a plan for people and as SQL, [`hooks`] is the person's own SQL, [`mod@diff`] compares the plans of two mappings, [`mod@explain`] gathers
//! what is known of one column. A stored plan is a contract: a run of
//! it executes exactly that, and refuses when the catalog of either side is another by then ([`Plan::check`]).

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::config::endpoint::Endpoint;
use crate::config::rules::{Mapping, is_zero};
use crate::config::{DEFAULT_MAX_REJECTS, IfExists, Loading, OnError, OnTableError, ProbeLevel, Scope, Settings, VerifyLevel};
use crate::engine::{Ddl, DdlPhase, registry};
use crate::error::{Error, ErrorKind, Result};
use crate::mapping::MappedTable;
use crate::model::catalog::{Problem, ServerInfo, Table};
use crate::model::load::Load;
use crate::model::schema::TableSchema;
use crate::model::sequence::CarriedSequence;
use crate::model::unit::ReadPlan;
use crate::model::{ChunkPlan, Hook, ObjectName};
use crate::transform::mask::Keyed;

pub(crate) mod altered;
pub mod changes;
mod collisions;
mod columns;
mod compression;
pub mod diff;
mod entries;
pub mod explain;
mod groups;
mod history;
pub mod hooks;
mod loading;
pub mod make;
mod numbers;
mod order;
mod partitions;
pub mod passing;
pub mod probe;
mod rights;
mod schema;
mod sequences;
mod settled;
mod several;
mod splits;
mod standing;
pub mod text;

/// The version of the plan's own form.
pub const FORMAT: u32 = 1;

/// A plan. Serializable; holds no secret.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// [`FORMAT`].
    pub format: u32,
    /// The source.
    pub source: PlannedSide,
    /// The target.
    pub target: PlannedSide,
    /// What was asked for.
    pub choices: Choices,
    /// The tables, in the order of their names in the source. One target table may stand in several entries (merged rows), and so may one
    /// source table (parts of it).
    pub tables: Vec<TablePlan>,
    /// Every statement for the target; each says its phase.
    pub ddl: Vec<Ddl>,
    /// What the target's tables look like in the end, each once: as the statements make them, or as they stood when the plan was made.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub schema: Vec<TableSchema>,
    /// The sequences that belong to no column.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sequences: Vec<CarriedSequence>,
    /// SQL of the person's own; of one point, in this order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hooks: Vec<Hook>,
    /// What is not carried, refused, or worth knowing.
    pub problems: Vec<Problem>,
}

/// One side of a plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlannedSide {
    /// The address, masked.
    pub address: String,
    /// The server.
    pub server: ServerInfo,
    /// SHA-256 over what the plan was made from: the tables of the source, or those of the target's that exist already.
    pub fingerprint: String,
}

/// Choices of the person that the plan depends on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Choices {
    /// Schema that tables go to.
    pub schema: Option<String>,
    /// Patterns of tables.
    pub include: Vec<String>,
    /// Patterns of tables to leave out.
    pub exclude: Vec<String>,
    /// The mapping.
    pub mapping: Mapping,
    /// Schema, rows, or both.
    pub scope: Scope,
    /// What to do with target tables that exist.
    pub if_exists: IfExists,
    /// How tables that stand are loaded.
    #[serde(default, skip_serializing_if = "Loading::is_default")]
    pub loading: Loading,
    /// What to do with the others when a table fails.
    pub on_table_error: OnTableError,
    /// What to do with rows that cannot be carried.
    #[serde(default, skip_serializing_if = "is_stop")]
    pub on_error: OnError,
    /// Most rows of one table that are rejected.
    #[serde(default = "most_rejects", skip_serializing_if = "is_usual")]
    pub max_rejects: u64,
    /// How much of the data was looked at.
    #[serde(default)]
    pub probe: ProbeLevel,
    /// What is compared at the end.
    pub verify: VerifyLevel,
    /// Owner of what is created.
    pub owner: Option<String>,
    /// Aim for the size of a chunk, in bytes.
    pub chunk_bytes: u64,
    /// Tables have no log of their own until they are loaded: such a run cannot be gone on with before that.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unlogged: bool,
}

fn is_stop(on_error: &OnError) -> bool {
    *on_error == OnError::Stop
}

fn most_rejects() -> u64 {
    DEFAULT_MAX_REJECTS
}

fn is_usual(max_rejects: &u64) -> bool {
    *max_rejects == DEFAULT_MAX_REJECTS
}

impl Choices {
    /// The choices among `settings`.
    pub fn of(settings: &Settings) -> Self {
        let mut mapping = settings.mapping.clone();
        if let Some(key) = &mapping.masking.key {
            mapping.masking.fingerprint = Keyed::new(key.expose().as_bytes()).fingerprint();
        }
        Choices {
            schema: settings.schema.clone(),
            include: settings.include.clone(),
            exclude: settings.exclude.clone(),
            mapping,
            scope: settings.scope,
            if_exists: settings.if_exists,
            loading: settings.loading,
            on_table_error: settings.on_table_error,
            on_error: settings.on_error,
            max_rejects: settings.max_rejects,
            probe: settings.probe,
            verify: settings.verify,
            owner: settings.owner.clone(),
            chunk_bytes: settings.chunk_bytes,
            unlogged: settings.unlogged,
        }
    }
}

/// What is done for a table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TablePlan {
    /// Source, target, and how the columns come about.
    pub mapped: MappedTable,
    /// How it is cut.
    pub chunks: ChunkPlan,
    /// It stands in the target, and rows are added to those that are there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub append: bool,
    /// How its rows are put there.
    #[serde(default, skip_serializing_if = "Load::is_plain")]
    pub load: Load,
    /// Tables of smaller numbers are loaded first.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub level: u32,
}

impl TablePlan {
    /// Name in the source.
    pub fn source(&self) -> &ObjectName {
        &self.mapped.source.name
    }

    /// What tells it from all others in messages.
    pub fn label(&self) -> String {
        self.mapped.label()
    }

    /// Name in the target.
    pub fn target(&self) -> &ObjectName {
        &self.mapped.target.name
    }

    /// What its readers are to do.
    pub fn read_plan(&self, batch_bytes: usize) -> ReadPlan {
        ReadPlan::of(&self.mapped.source, self.mapped.read_columns(), &self.chunks, batch_bytes)
    }
}

impl Plan {
    /// The problems that refuse the run, as one error.
    pub fn refusal(&self) -> Option<Error> {
        crate::mapping::refusals(&self.problems)
    }

    /// Statements of a phase, in order.
    pub fn statements(&self, phase: DdlPhase) -> impl Iterator<Item = &Ddl> {
        self.ddl.iter().filter(move |ddl| ddl.phase == phase)
    }

    /// Rows in all, estimated.
    pub fn estimated_rows(&self) -> u64 {
        self.tables.iter().map(|table| table.mapped.source.estimated_rows).sum()
    }

    /// Bytes in all, estimated.
    pub fn estimated_bytes(&self) -> u64 {
        self.tables.iter().map(|table| table.mapped.source.estimated_bytes).sum()
    }

    /// The target tables whose rows are found by a key.
    pub fn upserted(&self) -> Vec<ObjectName> {
        let tables = self.tables.iter().filter(|table| table.load.upsert.is_some());
        tables.map(|table| table.target().clone()).collect()
    }

    /// The key of the masks, if there is one at hand.
    pub fn keyed(&self) -> Option<Keyed> {
        self.choices.mapping.masking.key.as_ref().map(|key| Keyed::new(key.expose().as_bytes()))
    }

    /// True if a mask is made with the key.
    pub fn needs_key(&self) -> bool {
        let mut columns = self.tables.iter().flat_map(|table| &table.mapped.columns);
        columns.any(|column| column.mask.as_ref().is_some_and(|mask| mask.kind.needs_key()))
    }

    /// Gives a plan that was stored, and so holds no key, the key of `choices`.
    ///
    /// # Errors
    /// `Config`, if the plan's masks were made with another key, or need one and there is none.
    pub fn unlock(&mut self, choices: &Choices) -> Result<()> {
        if !self.needs_key() {
            return Ok(());
        }
        let (own, given) = (&mut self.choices.mapping.masking, &choices.mapping.masking);
        let (what, hint) = match &given.key {
            Some(_) if given.fingerprint == own.fingerprint => {
                own.key.clone_from(&given.key);
                return Ok(());
            }
            Some(_) => (
                format!(
                    "the masks were made with another key: its fingerprint is {}, that of yours is {}",
                    own.fingerprint, given.fingerprint
                ),
                "Set the environment variable to the key of the run, or begin anew with `--if-exists drop`",
            ),
            None => (
                "the masks of the plan need their key".to_string(),
                "Name the mapping file with `-m FILE`, whose `[masking]` takes the key from the environment",
            ),
        };
        Err(Error::new(ErrorKind::Config, what).hint(hint))
    }

    /// What an unfinished run must have in common with a new one for it to be the same: source, target, and every choice.
    pub fn identity(&self) -> String {
        identity(&self.source.address, &self.target.address, &self.choices)
    }

    /// Compares with the catalogs as they are now.
    ///
    /// # Errors
    /// `SchemaChanged`, naming the side, or the hook that was changed in the plan itself.
    pub fn check(&self, now: &Plan) -> Result<()> {
        if let Some(hook) = self.hooks.iter().find(|hook| hex(hook.sql.as_bytes()) != hook.sha256) {
            let what = format!("the SQL of the hook `{}` was changed in the plan", hook.name);
            return Err(Error::new(ErrorKind::SchemaChanged, what).hint("Change it in the mapping file, and make a new plan"));
        }
        for (side, planned, found) in [("source", &self.source, &now.source), ("target", &self.target, &now.target)] {
            if planned.address != found.address {
                return Err(Error::new(
                    ErrorKind::SchemaChanged,
                    format!("the plan is for the {side} {}, not for {}", planned.address, found.address),
                ));
            }
            // Another flavour or series may sort keys otherwise, and mean something else by the same types.
            let dialect = Endpoint::parse(&planned.address).ok().map(|at| registry::engine(at.engine).dialect());
            let series = |server: &ServerInfo| (server.flavour.clone(), dialect.map(|dialect| dialect.series(server)));
            if series(&planned.server) != series(&found.server) {
                return Err(Error::new(
                    ErrorKind::SchemaChanged,
                    format!("the {side} is {} now; the plan was made for {}", found.server, planned.server),
                ));
            }
            if planned.fingerprint != found.fingerprint {
                let changed = if side == "source" { self.changed_tables(now) } else { String::new() };
                return Err(Error::new(
                    ErrorKind::SchemaChanged,
                    format!("the tables of the {side} have changed since the plan was made{changed}"),
                ));
            }
        }
        Ok(())
    }

    fn changed_tables(&self, now: &Plan) -> String {
        let find = |plan: &Plan, name: &ObjectName| {
            plan.tables.iter().find(|table| table.source() == name).map(|table| bare(&table.mapped.source))
        };
        let mut names: Vec<&ObjectName> = self.tables.iter().chain(&now.tables).map(TablePlan::source).collect();
        names.sort();
        names.dedup();
        let changed: Vec<String> = names
            .into_iter()
            .filter_map(|name| match (find(self, name), find(now, name)) {
                (before, found) if before == found => None,
                (Some(before), Some(found)) => Some(format!("`{name}` ({})", altered::of_table(&before, &found).join("; "))),
                (Some(_), None) => Some(format!("`{name}` (gone)")),
                (None, _) => Some(format!("`{name}` (new)")),
            })
            .collect();
        if changed.is_empty() { String::new() } else { format!(": {}", changed.join(", ")) }
    }
}

/// The identity of a run; see [`Plan::identity`].
pub fn identity(source: &str, target: &str, choices: &Choices) -> String {
    // Where the mapping was read from does not change what it says, nor does the level of verification what is carried. Another key
    // would make another run, but then a resumed one would not be found, where it should be refused.
    let mut choices = choices.clone();
    choices.mapping = choices.mapping.without_places_and_key();
    choices.verify = VerifyLevel::default();
    // A run that goes on has its plan, whatever is looked at by now.
    choices.probe = ProbeLevel::default();
    sha256(&(source, target, choices))
}

/// The identity without hooks: it tells a run whose hooks alone are others.
pub fn identity_without_hooks(source: &str, target: &str, choices: &Choices) -> String {
    let mut choices = choices.clone();
    choices.mapping.hooks.clear();
    identity(source, target, &choices)
}

/// A table without what changes with its rows: estimates, next ids, and the partitions that come and go with the days.
fn bare(table: &Table) -> Table {
    Table { estimated_rows: 0, estimated_bytes: 0, next_identity: None, partitioning: None, ..table.clone() }
}

/// SHA-256 over tables, free of what changes with their rows.
pub fn fingerprint<'a>(tables: impl IntoIterator<Item = &'a Table>) -> String {
    sha256(&tables.into_iter().map(bare).collect::<Vec<_>>())
}

fn sha256(value: &impl Serialize) -> String {
    hex(&serde_json::to_vec(value).unwrap_or_default())
}

/// SHA-256 in hexadecimal digits.
fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

//! What a database holds: tables, columns, keys, and what has no place in this model, as [`Problem`]s.
//!
//! The same structs describe the source as it is and the target as it will be. Serializable, since they are part of a stored plan.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::expression::Reading;
use super::ident::ObjectName;
use super::logical::LogicalType;
use super::sequence::Sequence;

/// Which server, or file, and what it can do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerInfo {
    /// For people and for the fingerprint: `MariaDB`, `MySQL`, `PostgreSQL`, `SQLite`, `Parquet`.
    pub flavour: String,
    /// As the server tells it: `10.11.14-MariaDB-0+deb12u2`.
    pub version: String,
    /// Major, minor, patch, for comparisons.
    pub version_number: (u32, u32, u32),
    /// The database, or the path, that is connected to.
    pub database: String,
    /// Facts that types may depend on, as an engine names them: `postgis`, `vector`.
    #[serde(default)]
    pub features: Vec<String>,
}

impl ServerInfo {
    /// True if the server has the feature.
    pub fn has(&self, feature: &str) -> bool {
        self.features.iter().any(|name| name == feature)
    }
}

impl fmt::Display for ServerInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.flavour, self.version)
    }
}

/// All that was asked for of a database, and all that cannot be carried.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Catalog {
    /// The server.
    pub server: ServerInfo,
    /// The tables that pass the filter, sorted by name.
    pub tables: Vec<Table>,
    /// Sequences that pass the filter, sorted by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sequences: Vec<Sequence>,
    /// What was seen and has no place in `tables`, or only in part.
    pub problems: Vec<Problem>,
}

/// How grave a [`Problem`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing; nothing is lost.
    Note,
    /// The object does not arrive; its rows, if it has any, do.
    NotCarried,
    /// The run is refused until the mapping settles it.
    Refused,
}

/// Something that cannot be carried, or not as it is: listed, never a gap.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// How grave.
    pub severity: Severity,
    /// What sort of object, as the field names it: `view`, `trigger`, `full-text index`, `column`.
    pub object: String,
    /// Its name: `shop.v_orders`, `shop.orders.location`.
    pub name: String,
    /// Why, in one sentence.
    pub why: String,
    /// Its definition in the source's own SQL, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ddl: Option<String>,
    /// What to do: often the mapping lines that settle it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Problem {
    /// A problem without DDL and hint.
    pub fn new(severity: Severity, object: &str, name: impl fmt::Display, why: impl Into<String>) -> Self {
        Problem { severity, object: object.into(), name: name.to_string(), why: why.into(), ddl: None, hint: None }
    }

    /// Adds the definition.
    #[must_use]
    pub fn ddl(mut self, ddl: impl Into<String>) -> Self {
        self.ddl = Some(ddl.into());
        self
    }

    /// Adds what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// A table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Table {
    /// Its name.
    pub name: ObjectName,
    /// In the order of their position.
    pub columns: Vec<Column>,
    /// The primary key. Its name is the constraint's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub primary_key: Option<Index>,
    /// The other indexes, unique ones included.
    #[serde(default)]
    pub indexes: Vec<Index>,
    /// Foreign keys of which this table is the child.
    #[serde(default)]
    pub foreign_keys: Vec<ForeignKey>,
    /// Check constraints.
    #[serde(default)]
    pub checks: Vec<Check>,
    /// Comment, or empty.
    #[serde(default)]
    pub comment: String,
    /// The number that the identity column hands out next: max(the counter, max(id) + 1), read without cached statistics.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_identity: Option<i128>,
    /// Rows, as the server estimates them; only for progress and order.
    #[serde(default)]
    pub estimated_rows: u64,
    /// Bytes of data, as the server estimates them; only for progress, order and chunk sizes.
    #[serde(default)]
    pub estimated_bytes: u64,
    /// The storage engine where it matters (`InnoDB`, `MyISAM`), or empty.
    #[serde(default)]
    pub storage: String,
    /// Which of its rows are carried, as a condition in the engine's own SQL; all when none. A catalog never sets it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row_filter: Option<String>,
    /// How its rows are parted, where they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partitioning: Option<super::partition::Partitioning>,
    /// False for storage that takes part in no transaction, so in no snapshot.
    #[serde(default = "yes")]
    pub transactional: bool,
    /// What the expressions of its checks, defaults, generated columns and indexes mean, by their SQL. A catalog never sets it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub expressions: BTreeMap<String, Reading>,
}

fn yes() -> bool {
    true
}

impl Table {
    /// A table without columns.
    pub fn new(name: ObjectName) -> Self {
        Table {
            name,
            columns: Vec::new(),
            primary_key: None,
            indexes: Vec::new(),
            foreign_keys: Vec::new(),
            checks: Vec::new(),
            comment: String::new(),
            next_identity: None,
            estimated_rows: 0,
            estimated_bytes: 0,
            storage: String::new(),
            row_filter: None,
            partitioning: None,
            transactional: true,
            expressions: BTreeMap::new(),
        }
    }

    /// The column of that name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// What the expression of that SQL means.
    ///
    /// # Errors
    /// Why it is not known.
    pub fn expression(&self, sql: &str) -> Result<&super::expression::Understood, String> {
        match self.expressions.get(sql) {
            Some(reading) => reading.understood(),
            None => Err("it is in the source's SQL and is not translated".into()),
        }
    }

    /// The columns whose values tell each row from all others and are never NULL: the primary key's, else the first such unique index's.
    pub fn identity_columns(&self) -> Option<Vec<&Column>> {
        let unique = self.primary_key.iter().chain(self.indexes.iter().filter(|index| index.unique));
        let mut keys = unique.filter_map(|index| {
            let columns: Option<Vec<&Column>> = index.plain_columns()?.into_iter().map(|name| self.column(name)).collect();
            columns.filter(|columns| !columns.is_empty() && columns.iter().all(|column| !column.nullable))
        });
        keys.next()
    }

    /// The columns that name a row in an error: the primary key, else the first unique index over plain columns, else none.
    pub fn key_columns(&self) -> Vec<&str> {
        self.primary_key
            .iter()
            .chain(self.indexes.iter().filter(|index| index.unique))
            .find_map(Index::plain_columns)
            .unwrap_or_default()
    }
}

/// A type as its engine spells it, with the parts that mapping rules match on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NativeType {
    /// The bare name in lower case: `int`, `decimal`, `enum`, `timestamp`.
    pub name: String,
    /// In full, as the engine prints it: `int(10) unsigned`, `enum('a','b')`.
    pub full: String,
    /// Length in characters (text), bytes (binary) or bits (bit); display width of an integer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub length: Option<u64>,
    /// Digits in all, of decimals.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub precision: Option<u8>,
    /// Digits behind the point, of decimals.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale: Option<u8>,
    /// Digits of the second's fraction, of temporal types.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fsp: Option<u8>,
    /// UNSIGNED.
    #[serde(default)]
    pub unsigned: bool,
    /// Character set of text, lower case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub charset: Option<String>,
    /// Collation of text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collation: Option<String>,
    /// Labels of an enumeration or a set, unescaped, in the order of their declaration.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// Spatial reference system of a geometry column.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub srid: Option<u32>,
}

impl NativeType {
    /// A type that is its bare name, without length or labels.
    pub fn named(name: &str) -> NativeType {
        NativeType { name: name.into(), full: name.into(), ..NativeType::default() }
    }
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type in the engine's words.
    pub native: NativeType,
    /// Its logical type; none for a type that the engine cannot read or write (then a [`Problem`] names it).
    pub logical: Option<LogicalType>,
    /// False under NOT NULL.
    pub nullable: bool,
    /// The default for new rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<DefaultValue>,
    /// The column is computed by the database.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generated: Option<Generated>,
    /// The database numbers new rows in this column (AUTO_INCREMENT, identity, serial).
    #[serde(default)]
    pub identity: bool,
    /// Left out of `SELECT *`; carried all the same.
    #[serde(default)]
    pub invisible: bool,
    /// ON UPDATE CURRENT_TIMESTAMP.
    #[serde(default)]
    pub on_update_now: bool,
    /// Comment, or empty.
    #[serde(default)]
    pub comment: String,
}

impl Column {
    /// A column that may be NULL, and of which nothing else is known.
    pub fn new(name: impl Into<String>, logical: Option<LogicalType>, native: NativeType) -> Column {
        Column {
            name: name.into(),
            native,
            logical,
            nullable: true,
            default: None,
            generated: None,
            identity: false,
            invisible: false,
            on_update_now: false,
            comment: String::new(),
        }
    }
}

/// The default of a column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DefaultValue {
    /// A constant, as text in the spelling of the logical type (numbers in digits, dates in ISO form, text as it is).
    Literal(String),
    /// A constant of bytes.
    Bytes(Vec<u8>),
    /// The time of the statement, with so many digits of fraction.
    CurrentTimestamp(u8),
    /// The next number of a sequence.
    NextOf(ObjectName),
    /// Anything else, in the engine's own SQL.
    Expression(String),
}

/// How a generated column is computed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Generated {
    /// The expression in the engine's own SQL.
    pub expression: String,
    /// Stored, or computed at each read.
    pub stored: bool,
}

/// What an index is built as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IndexMethod {
    /// Ordered.
    BTree,
    /// Over hashes: finds equal values only. Of a unique one, equal hashes are taken for equal values.
    Hash,
    /// Over words.
    FullText,
    /// Over geometries.
    Spatial,
}

/// An index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Index {
    /// Its name.
    pub name: String,
    /// In order.
    pub parts: Vec<IndexPart>,
    /// Unique.
    pub unique: bool,
    /// How it is built.
    pub method: IndexMethod,
    /// Used by the planner of its database.
    pub visible: bool,
}

impl Index {
    /// The columns, when each part is a whole column.
    pub fn plain_columns(&self) -> Option<Vec<&str>> {
        self.parts.iter().map(|part| part.column.as_deref().filter(|_| part.prefix.is_none())).collect()
    }
}

/// One part of an index: a column, the start of one, or an expression.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexPart {
    /// The column, unless the part is an expression.
    pub column: Option<String>,
    /// The expression in the engine's own SQL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expression: Option<String>,
    /// Only so many characters (text) or bytes (binary) from the start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<u32>,
    /// Largest first.
    #[serde(default)]
    pub descending: bool,
}

/// What happens to the child's rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReferentialAction {
    /// The change is refused at the end of the statement.
    NoAction,
    /// The change is refused at once.
    Restrict,
    /// The change is made to the child's rows too.
    Cascade,
    /// The child's columns become NULL.
    SetNull,
    /// The child's columns take their default.
    SetDefault,
}

/// A foreign key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForeignKey {
    /// Its name.
    pub name: String,
    /// Columns of the child, in order.
    pub columns: Vec<String>,
    /// The table it points to.
    pub parent: ObjectName,
    /// Columns of the parent, in order.
    pub parent_columns: Vec<String>,
    /// When the parent's row goes.
    pub on_delete: ReferentialAction,
    /// When the parent's key changes.
    pub on_update: ReferentialAction,
}

/// A check constraint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// Its name, or empty.
    pub name: String,
    /// The condition in the engine's own SQL.
    pub expression: String,
    /// False under NOT ENFORCED.
    pub enforced: bool,
}

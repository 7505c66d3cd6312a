//! Rights that are missing, told together: a question that a server refuses must not hide what else is missing, on either side.

use crate::config::{IfExists, Scope, Settings};
use crate::engine::{Sink, Source};
use crate::error::{Error, ErrorKind};
use crate::mapping;
use crate::model::ObjectName;
use crate::model::catalog::Table;

/// What was known already when a server refused to answer.
#[derive(Default)]
pub(super) struct Known {
    /// The source's tables.
    pub(super) tables: Vec<Table>,
    /// Where they go.
    pub(super) targets: Vec<ObjectName>,
}

/// `error`, with all other rights that are missing, as far as the servers can be asked.
pub(super) async fn with_others(error: Error, settings: &Settings, source: &dyn Source, sink: &dyn Sink, known: &Known) -> Error {
    let made = known.targets.iter().filter(|_| settings.scope != Scope::DataOnly);
    let mut schemas: Vec<String> = made.map(|table| table.schema.clone()).filter(|schema| !schema.is_empty()).collect();
    schemas.dedup();
    let mut found: Vec<Error> = sink.check(&schemas, settings.owner.as_deref()).await.err().into_iter().collect();
    if settings.if_exists == IfExists::Drop {
        found.extend(sink.may_not_drop(&known.targets).await.unwrap_or_default());
    }
    // What the target refused is among those, with the statement that gives it; otherwise it stands first.
    let told = found.iter().any(|error| error.kind() == ErrorKind::MissingRight);
    let of_source = source.missing_rights(&known.tables).await.unwrap_or_default();
    found.extend(mapping::refusals(&of_source));
    let first = (!told || known.tables.is_empty()).then_some(error);
    let all = first.into_iter().chain(found).reduce(Error::and);
    all.unwrap_or_else(|| Error::internal("a right is missing, and none is"))
}

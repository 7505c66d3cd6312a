//! A source whose tables were altered while their rows were read. The server keeps their form for whoever has begun to read them, or refuses;
//! what it has let pass is told, since the copy has the form of the snapshot.

use std::sync::PoisonError;

use crate::engine::TableFilter;
use crate::error::Result;
use crate::model::Table;
use crate::model::catalog::{Problem, Severity};
use crate::plan::{self, altered};

use super::run::Runner;

impl Runner<'_> {
    /// Looks at the source's catalog once more, and notes what has changed since the plan was made. A look that fails costs no run.
    pub(super) async fn look_again(&self) -> Result<()> {
        let (plan, job) = (self.plan, self.job);
        let filter = TableFilter::new(&plan.choices.include, &plan.choices.exclude)?;
        let catalog = match job.stop.unless_stopped(job.source.catalog(&filter)).await {
            Ok(catalog) => catalog,
            Err(error) if job.stop.reason().is_some() => return Err(error),
            Err(error) => {
                tracing::warn!(%error, "whether the source was altered is not known");
                return Ok(());
            }
        };
        if plan::fingerprint(&catalog.tables) == plan.source.fingerprint {
            return Ok(());
        }
        let told = plan.source_tables().into_iter().filter_map(|before| {
            let now = catalog.tables.iter().find(|table| table.name == before.name);
            let what = match now.map(|now| altered::of_table(&plain(&before), &plain(now))) {
                None => "it is gone".to_string(),
                Some(changes) if changes.is_empty() => return None,
                Some(changes) => changes.join("; "),
            };
            let why =
                format!("the table was altered in the source while the run read it, and is carried as it was before: {what}");
            Some(Problem::new(Severity::Note, "table", &before.name, why))
        });
        self.altered.lock().unwrap_or_else(PoisonError::into_inner).extend(told);
        Ok(())
    }
}

/// A table as the catalog has it, without what the mapping has put into it.
fn plain(table: &Table) -> Table {
    let mut table = Table { row_filter: None, expressions: Default::default(), ..table.clone() };
    table.columns.iter_mut().for_each(|column| column.logical = None);
    table
}

//! The end of a run, as far as the schema goes: one look at the target's catalog, compared with the plan.

use crate::config::Scope;
use crate::error::Result;
use crate::model::ObjectName;
use crate::model::sequence::CarriedSequence;
use crate::report::SchemaReport;
use crate::verify::parity;

use super::copy::stops_the_run;
use super::run::Runner;
use super::statements::Faults;

impl Runner<'_> {
    /// Compares the tables that arrived and of which no statement failed. A catalog that cannot be read is a fault of the run: nothing is
    /// taken for proven that was not compared. None for a plan that does not say what is to be there.
    pub(super) async fn parity(&self, arrived: &[usize], errors: &mut Faults) -> Result<Option<SchemaReport>> {
        let plan = self.plan;
        let all = plan.choices.scope == Scope::SchemaOnly;
        let sound = |name: &&ObjectName| !errors.iter().any(|(table, _)| table.as_ref() == Some(*name));
        let places = plan.leads().into_iter().filter(|place| all || arrived.contains(place));
        let names: Vec<&ObjectName> = places.filter_map(|place| Some(plan.tables.get(place)?.target())).filter(sound).collect();
        // A table that the plan says nothing of is one of an engine without such a catalog, or the plan is of an earlier version.
        let (planned, _) = parity::chosen(&plan.schema, &names);
        let sequences: Vec<&CarriedSequence> = plan.sequences.iter().collect();
        if planned.is_empty() && sequences.is_empty() {
            return Ok(None);
        }
        let names: Vec<ObjectName> = planned.iter().map(|schema| schema.table.name.clone()).collect();
        let asked: Vec<ObjectName> = sequences.iter().map(|one| one.target.clone()).collect();
        let found = async { Ok((self.sink().schemas(&names).await?, self.sink().sequences(&asked).await?)) };
        match self.stop().unless_stopped(found).await {
            Ok((found, numbers)) => {
                let mut report = parity::compare(planned, &found);
                parity::compare_sequences(&mut report, &sequences, &numbers);
                Ok(Some(report))
            }
            Err(error) if self.stop().reason().is_some() || stops_the_run(&error) => Err(error),
            Err(error) => {
                errors.push((None, format!("the target's schema could not be compared: {}", error.with_hint())));
                Ok(None)
            }
        }
    }
}

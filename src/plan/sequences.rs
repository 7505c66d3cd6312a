//! What is done with the sequences that belong to no column; one that stands is refused, made anew, or goes on, as tables are.

use crate::config::{IfExists, Scope, Settings};
use crate::engine::{Ddl, Dialect, SequenceStep, Sink};
use crate::error::Result;
use crate::model::ObjectName;
use crate::model::catalog::{Problem, Severity};
use crate::model::sequence::CarriedSequence;

/// Adds the statements; takes out of `sequences` what is left alone.
///
/// # Errors
/// What the target says.
pub(super) async fn decide(
    settings: &Settings,
    dialect: &dyn Dialect,
    sink: &dyn Sink,
    sequences: &mut Vec<CarriedSequence>,
    ddl: &mut Vec<Ddl>,
    problems: &mut Vec<Problem>,
) -> Result<()> {
    if sequences.is_empty() {
        return Ok(());
    }
    if settings.scope == Scope::DataOnly {
        problems.extend(sequences.drain(..).map(|one| {
            let why = "only rows are carried, so that it is not made, and one that stands is left as it is";
            Problem { ddl: one.source.ddl.clone(), ..Problem::new(Severity::NotCarried, "sequence", &one.source.name, why) }
        }));
        return Ok(());
    }
    let names: Vec<ObjectName> = sequences.iter().map(|one| one.target.clone()).collect();
    let taken = sink.existing(&names).await?;
    let found = sink.sequences(&names).await?;
    for one in sequences.iter_mut() {
        let stands = found.iter().any(|found| found.name == one.target);
        let step = match (taken.iter().any(|table| table.name == one.target), stands, settings.if_exists) {
            (false, ..) => SequenceStep::Create,
            (true, false, _) => {
                let why = "something else has its name in the target";
                problems.push(refused(one, why, "Choose another schema with `--schema`, or leave it out with `--exclude`"));
                continue;
            }
            (true, true, IfExists::Error) => {
                let hint =
                    "Choose another schema with `--schema`, or say what to do with `--if-exists drop|truncate|append|upsert`";
                problems.push(refused(one, "it exists in the target already", hint));
                continue;
            }
            (true, true, IfExists::Drop) => SequenceStep::Remake,
            (true, true, _) => SequenceStep::GoOn,
        };
        one.stood = step == SequenceStep::GoOn;
        // What the target cannot have is not among them.
        ddl.extend(dialect.sequence(&one.planned(), step, settings.owner.as_deref()).unwrap_or_default());
    }
    Ok(())
}

fn refused(one: &CarriedSequence, why: &str, hint: &str) -> Problem {
    Problem::new(Severity::Refused, "sequence", &one.target, why).hint(hint)
}

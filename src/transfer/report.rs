//! What a run has done, table by table, from its accounts and the facts of both sides.

use std::collections::HashMap;
use std::sync::PoisonError;

use crate::config::{Scope, VerifyLevel};
use crate::engine::{Consistency, Snapshot};
use crate::error::Result;
use crate::model::catalog::{Problem, Severity};
use crate::progress::Phase;
use crate::report::{Outcome, PhaseReport, Report, ResourceReport, SchemaDifference, Side, TableReport, resources};
use crate::verify::compare;
use crate::verify::facts::Facts;
use crate::verify::merged::{self, Member};
use crate::verify::parity;

use super::baseline::Baselines;
use super::copy::{Account, Accounts};
use super::pause::History;
use super::run::{Runner, View};
use super::statements::Faults;

impl Runner<'_> {
    /// Every table's outcome, and what was proven.
    pub(super) fn report(
        &self,
        accounts: &Accounts,
        errors: Faults,
        source_facts: &[Facts],
        target_facts: &[Facts],
        view: View<'_>,
    ) -> Result<Report> {
        let View { snapshot, stood, schema } = view;
        let plan = self.plan;
        let level = self.asking().level;
        let leads = plan.leads();
        let accounts: Vec<Account> = accounts.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut together = self.differences_together(&accounts, source_facts, target_facts, &stood);
        let mut tables = Vec::new();
        for (place, (table, account)) in plan.tables.iter().zip(&accounts).enumerate() {
            let mut found = account.errors.clone();
            // What fails of a merged table as a whole is told with the first of those that went into it.
            if leads.contains(&place) {
                found.extend(
                    errors.iter().filter(|(name, _)| name.as_ref() == Some(table.target())).map(|(_, error)| error.clone()),
                );
            }
            let complete = plan.choices.scope == Scope::SchemaOnly || (account.left == 0 && account.errors.is_empty());
            let mut outcome = match (complete, found.is_empty()) {
                (false, _) | (_, false) => Outcome::Failed,
                _ if account.rejected > 0 => Outcome::Rejected,
                _ if level == VerifyLevel::None => Outcome::NotVerified,
                _ => Outcome::Verified,
            };
            if complete {
                let (read, one, two) = (account.read(), &source_facts[place], &target_facts[place]);
                let differences = match stood.get(table.target()) {
                    _ if table.mapped.merged => together.remove(&place).unwrap_or_default(),
                    Some(stood) => compare::differences_appended(&table.mapped, level, *stood, &read, one, two),
                    None if table.append && level != VerifyLevel::None => vec!["it is not known what stood there before".into()],
                    None => compare::differences(&table.mapped, level, &read, one, two),
                };
                if !differences.is_empty() {
                    outcome = Outcome::Differs;
                    found.extend(differences);
                }
                let of_this = |one: &&SchemaDifference| leads.contains(&place) && one.table == table.target().to_string();
                let schema: Vec<String> =
                    schema.iter().flat_map(|schema| &schema.differences).filter(of_this).map(|one| one.what.clone()).collect();
                if !schema.is_empty() {
                    outcome = Outcome::Differs;
                    found.extend(schema);
                }
            } else if found.is_empty() {
                found.push(format!("{} of its {} chunks did not arrive", account.left, table.chunks.chunks.len()));
            }
            // What an earlier attempt had carried was brought to this snapshot's instant.
            let consistency = snapshot.map_or(Consistency::OneInstant, |snapshot| snapshot.consistency(&table.mapped.source));
            tables.push(TableReport {
                source: table.source().to_string(),
                target: table.target().to_string(),
                rows: account.digest.rows,
                bytes: account.bytes,
                seconds: account.seconds,
                chunks: table.chunks.chunks.len(),
                consistency,
                digest: (plan.choices.scope != Scope::SchemaOnly).then_some(account.digest),
                stood: stood.get(table.target()).copied(),
                losses: account.losses.clone(),
                rejected: account.rejected,
                outcome,
                errors: found,
            });
        }
        merged::share_outcomes(&mut tables);
        let mut other: Vec<String> = errors
            .iter()
            .filter(|(name, _)| !plan.tables.iter().any(|table| Some(table.target()) == name.as_ref()))
            .map(|(_, error)| error.clone())
            .collect();
        // Of sequences: those of tables stand with their tables.
        let own = |one: &&SchemaDifference| plan.sequences.iter().any(|sequence| sequence.target.to_string() == one.table);
        other.extend(schema.iter().flat_map(|schema| &schema.differences).filter(own).map(|one| one.what.clone()));
        let lost = accounts.iter().map(|account| account.losses.lost()).fold(0, u64::saturating_add);
        if let Some(most) = self.job.settings.max_loss.filter(|most| lost > *most) {
            other.push(format!("the mapping's policies have lost {lost} values, and `max_loss` allows {most}"));
        }
        let good =
            other.is_empty() && tables.iter().all(|table| matches!(table.outcome, Outcome::Verified | Outcome::NotVerified));
        let mut problems = plan.problems.clone();
        problems.extend(self.altered.lock().unwrap_or_else(PoisonError::into_inner).clone());
        if let Some(how) = snapshot.map(Snapshot::describe).filter(|how| !how.is_empty()) {
            problems.push(Problem::new(Severity::Note, "snapshot", &plan.source.address, how));
        }
        problems.extend(self.aged_snapshot());
        let proven = if plan.choices.scope == Scope::SchemaOnly {
            "The schema was made; no rows were asked for, and none were compared.".to_string()
        } else {
            compare::sentence(level, &tables) + &self.by_key(level, good)
        } + &parity::sentence(schema.as_ref());
        let report = Report {
            command: "run".into(),
            run: self.run.to_string(),
            version: env!("CARGO_PKG_VERSION").into(),
            source: Side { address: plan.source.address.clone(), server: plan.source.server.to_string() },
            target: Side { address: plan.target.address.clone(), server: plan.target.server.to_string() },
            seconds: self.started.elapsed().as_secs_f64(),
            phases: self.phase_reports(),
            position: snapshot.and_then(|snapshot| snapshot.position().cloned()),
            instants: self.instants.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            verify: level,
            tables,
            schema,
            resources: Some(self.resources()),
            hooks: Vec::new(),
            problems,
            errors: other,
            proven,
            exit_code: u8::from(!good),
        };
        Ok(report)
    }

    /// Where merged tables differ, by their place; of target tables that did not arrive in full, nothing.
    fn differences_together(
        &self,
        accounts: &[Account],
        source_facts: &[Facts],
        target_facts: &[Facts],
        stood: &Baselines,
    ) -> HashMap<usize, Vec<String>> {
        let (plan, level) = (self.plan, self.asking().level);
        let mut together = HashMap::new();
        let whole = |account: &Account| account.left == 0 && account.errors.is_empty();
        for group in plan.groups().into_iter().filter(|group| group.len() > 1) {
            let lead = group[0];
            if plan.choices.scope == Scope::SchemaOnly || !group.iter().all(|place| whole(&accounts[*place])) {
                continue;
            }
            let member = |place: &usize| Member {
                table: &plan.tables[*place].mapped,
                read: accounts[*place].read(),
                source: &source_facts[*place],
            };
            let members: Vec<Member<'_>> = group.iter().map(member).collect();
            let stood = stood.get(plan.tables[lead].target()).copied();
            let mut found = merged::differences(&members, level, stood, &target_facts[lead]);
            if plan.tables[lead].append && stood.is_none() && level != VerifyLevel::None {
                found[0] = vec!["it is not known what stood there before".into()];
            }
            together.extend(group.into_iter().zip(found));
        }
        together
    }

    /// What the proof is over where rows were found by a key.
    fn by_key(&self, level: VerifyLevel, good: bool) -> String {
        match self.plan.upserted().len() {
            0 => String::new(),
            _ if level == VerifyLevel::None || !good => String::new(),
            count => format!(
                " For {count} of them rows were found by their key and changed, or added: compared are the rows whose keys were sent, each once, and no others."
            ),
        }
    }

    /// What the run has taken so far.
    pub(super) fn resources(&self) -> ResourceReport {
        ResourceReport {
            memory_bytes: self.budget.memory_bytes(),
            peak_resident_bytes: resources::peak_resident_bytes(),
            max_rate_bytes: self.rate.bytes_per_second(),
            throttled_seconds: self.rate.waited_seconds(),
            pauses: self.pauses.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }

    /// A word on the source's undo history, if it has grown much while the snapshot was open.
    fn aged_snapshot(&self) -> Option<Problem> {
        let history = self.history.lock().unwrap_or_else(PoisonError::into_inner).filter(History::has_grown)?;
        let what = format!(
            "the source's undo history grew from {} to {} transactions while the snapshot was open; a busy source gets slow by it: a replica that is read from, or several runs over fewer tables each, spare it",
            history.before, history.after
        );
        Some(Problem::new(Severity::Note, "snapshot", &self.plan.source.address, what))
    }

    fn phase_reports(&self) -> Vec<PhaseReport> {
        let phases = self.phases.lock().unwrap_or_else(PoisonError::into_inner);
        let end = self.started.elapsed().as_secs_f64();
        let ends = phases.iter().skip(1).map(|(_, began)| *began).chain([end]);
        let name = |phase: Phase| {
            serde_json::to_value(phase).ok().and_then(|name| name.as_str().map(str::to_string)).unwrap_or_default()
        };
        phases.iter().zip(ends).map(|((phase, began), end)| PhaseReport { phase: name(*phase), seconds: end - began }).collect()
    }
}

//! All that might have decided a column's type, in the order in which it is asked, and what did.

use serde::Serialize;

use crate::config::rules::Mapping;
use crate::error::Result;
use crate::model::probe::Fact;

use super::rules::{PROVEN, Rules, column_rule, fill};
use super::{ColumnMapping, MappedTable, Route, standing};

/// A rule, or what stands in for one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Candidate {
    /// Which: `mapping.toml:12`, `built-in mysql-to-postgres.toml:19`, `the target's type for int8`.
    pub rule: String,
    /// The type that it demands.
    pub to: String,
    /// It is the one that decided.
    pub decides: bool,
    /// Why it did, or did not.
    pub why: String,
}

/// The candidates for a column, the first one first. `to` is the type that it has got.
///
/// # Errors
/// `Internal` if the built-in rules of the route cannot be read.
pub fn candidates(
    table: &MappedTable,
    column: &ColumnMapping,
    to: &str,
    mapping: &Mapping,
    route: Route<'_>,
) -> Result<Vec<Candidate>> {
    let rules = Rules::new(mapping, route, true, None)?;
    // A word of the mapping (`enum = "text"`) may stand behind the rule.
    let (decider, word) = column.rule.split_once(", `").map_or((column.rule.as_str(), None), |(rule, word)| (rule, Some(word)));
    let mut all: Vec<(String, String, Option<Fact>)> = Vec::new();
    let proven = decider.ends_with(PROVEN);
    let source = table.source.column(&column.source);
    for rule in rules.of_table(&table.source) {
        let name = if column.source.is_empty() { &column.target } else { &column.source };
        if let Some(own) = column_rule(Some(rule), name)
            && let Some(wanted) = &own.to
        {
            let native = source.map(|source| source.native.clone()).unwrap_or_default();
            all.push((rules.place_of(rule, Some(own)), fill(wanted, &native), None));
        }
    }
    all.dedup();
    if decider == standing::RULE {
        all.push((decider.to_string(), to.to_string(), None));
    }
    if let Some(source) = source {
        all.extend(rules.type_rules(source));
    }
    let own_type = route.target.to_native(&column.from, route.target_server);
    if let Ok((native, _)) = own_type {
        all.push((format!("the target's type for {}", column.from), native.full, None));
    }
    let decider = decider.strip_suffix(PROVEN).unwrap_or(decider);
    let place = all.iter().position(|(rule, _, fact)| rule == decider && fact.is_some() == proven);
    let mut candidates: Vec<Candidate> = all
        .into_iter()
        .enumerate()
        .map(|(at, (rule, to, fact))| {
            let decides = Some(at) == place;
            let why = match (fact, place) {
                (Some(fact), _) if decides => format!("decides: the probe has proven that {}", says(fact)),
                (None, _) if decides => "decides: it is the first one that fits".into(),
                (Some(fact), Some(place)) if at < place => format!("only when it is proven that {}; it is not", says(fact)),
                (_, Some(place)) if at > place => "comes after it".into(),
                (_, Some(_)) => "does not count here".into(),
                (_, None) => "would count without that".into(),
            };
            Candidate { rule, to, decides, why }
        })
        .collect();
    if place.is_none() {
        let why = "decides: columns that a foreign key joins have one type".to_string();
        let why = if decider.starts_with("as `") { why } else { "decides".into() };
        candidates.insert(0, Candidate { rule: decider.to_string(), to: to.to_string(), decides: true, why });
    }
    if let Some(word) = word {
        let rule = format!("`{word}");
        candidates
            .insert(0, Candidate { rule, to: to.to_string(), decides: true, why: "changes what the rule below decides".into() });
    }
    Ok(candidates)
}

fn says(fact: Fact) -> &'static str {
    match fact {
        Fact::ZeroOrOne => "every number is 0 or 1",
        Fact::TimeOfDay => "every time lies within one day",
    }
}

//! Which value policies a table's columns have, and what follows from them: the type that is read, the target's type, NULL or not.
//!
//! Per policy a column's own word wins, then its table's, then that of the first `[[type]]` rule that matches and has one. A word for one
//! column, or for one type, that cannot apply there is a fault; a table's word is for those of its columns that can have it.

use std::collections::BTreeMap;

use crate::config::policies::{self as words, JsonRule, NulByteRule, NulByteWord, PolicyRules};
use crate::config::rules::TableRule;
use crate::error::{Error, ErrorKind};
use crate::model::LogicalType;
use crate::model::catalog::{Column, Problem, Severity, Table};
use crate::model::policy::{EnumEmpty, PolicyKind, ValuePolicies, ZeroDate};
use crate::transform::numbers::is_number;

use super::lines;
use super::rules::{Rules, column_rule};

/// A table as it is to be read, and what was decided for its columns.
pub(super) struct Decided {
    /// The source, its columns with the logical types that the reader gives.
    pub(super) source: Table,
    /// By source column; only those with a policy.
    pub(super) columns: BTreeMap<String, Decision>,
}

/// What was decided for a column.
#[derive(Debug, Clone, Default)]
pub(super) struct Decision {
    /// What the reader and the cast do.
    pub(super) policies: ValuePolicies,
    /// The target's type, where a policy decides it.
    pub(super) to: Option<Retype>,
    /// A label that the enumeration does not have, and needs.
    pub(super) added: Option<String>,
    /// The lines and places that decided, for the plan.
    pub(super) said: Vec<String>,
}

/// A target's type that a policy decides.
#[derive(Debug, Clone)]
pub(super) enum Retype {
    /// The target's own type for it.
    Logical(LogicalType),
    /// By its name in the target.
    Named(&'static str),
}

impl Decided {
    /// The policies of the reader and the cast, by source column.
    pub(super) fn policies(&self) -> BTreeMap<String, ValuePolicies> {
        let all = self.columns.iter().filter(|(_, decision)| !decision.policies.is_empty());
        all.map(|(name, decision)| (name.clone(), decision.policies.clone())).collect()
    }

    /// True if what is read of the column is not what the source's own SQL sees.
    pub(super) fn changes(&self, column: &str) -> bool {
        self.columns.get(column).is_some_and(|decision| decision.policies.changes_what_is_read() || decision.retypes_reading())
    }
}

impl Decision {
    fn retypes_reading(&self) -> bool {
        self.policies.uuid.is_some()
    }
}

/// A word for a column, with its place.
struct Said<'r> {
    rules: &'r PolicyRules,
    place: String,
    /// It is for this very column or its type, so it must be able to apply.
    strict: bool,
}

/// Decides.
pub(super) fn decide(table: &Table, rule: Option<&TableRule>, rules: &Rules<'_>, faults: &mut Vec<Error>) -> Decided {
    let mut decided = Decided { source: table.clone(), columns: BTreeMap::new() };
    let mut used = Vec::new();
    for column in &mut decided.source.columns {
        let said = said(rule, column, rules);
        if said.is_empty() {
            continue;
        }
        let decision = decide_column(table, column, &said, rules, faults, &mut used);
        decided.columns.insert(column.name.clone(), decision);
    }
    if let Some(rule) = rule {
        faults.extend(unused(table, rule, rules, &used));
    }
    decided
}

/// The words for a column, the one that wins first.
fn said<'r>(rule: Option<&'r TableRule>, column: &Column, rules: &'r Rules<'_>) -> Vec<Said<'r>> {
    let mut all = Vec::new();
    if let Some(rule) = rule {
        if let Some(own) = column_rule(Some(rule), &column.name).filter(|own| !own.policies.is_empty()) {
            all.push(Said { rules: &own.policies, place: rules.place_of(rule, Some(own)), strict: true });
        }
        if !rule.policies.is_empty() {
            all.push(Said { rules: &rule.policies, place: rules.place_of(rule, None), strict: false });
        }
    }
    all.extend(rules.policies(column).map(|(policies, place)| Said { rules: policies, place, strict: true }));
    all
}

/// A policy's word among those that were said.
fn find<'s, T>(said: &'s [Said<'_>], get: impl Fn(&'s PolicyRules) -> Option<T>) -> Option<(T, &'s Said<'s>)> {
    said.iter().find_map(|said| Some((get(said.rules)?, said)))
}

/// Words of a table, and of columns that the source does not have, that nothing can follow.
fn unused(table: &Table, rule: &TableRule, rules: &Rules<'_>, used: &[PolicyKind]) -> Vec<Error> {
    let mut faults = Vec::new();
    for kind in kinds(&rule.policies).into_iter().filter(|kind| !used.contains(kind)) {
        let what = format!("`{}` is said of the table, and none of its columns can have it", kind.word());
        let error = Error::new(ErrorKind::Mapping, what).table(&table.name).file(rules.place_of(rule, None));
        faults.push(error.hint(format!("Take the line out; {}", kind.is_for())));
    }
    for (name, own) in rule.columns.iter().filter(|(name, own)| table.column(name).is_none() && !own.policies.is_empty()) {
        let error = Error::new(ErrorKind::Mapping, "a new column has no values of the source that a policy could be for");
        let error = error.table(&table.name).column(name).file(rules.place_of(rule, Some(own)));
        faults.push(error.hint("Say it of the column that the expression looks at"));
    }
    faults
}

/// The policies that are said to be more than an error.
fn kinds(said: &PolicyRules) -> Vec<PolicyKind> {
    let PolicyRules { zero_date, nul_byte, invalid_text, out_of_range, enum_empty, json, decode, uuid } = said;
    let all = [
        (zero_date.is_some(), PolicyKind::ZeroDate),
        (nul_byte.is_some(), PolicyKind::NulByte),
        (invalid_text.is_some(), PolicyKind::InvalidText),
        (out_of_range.is_some(), PolicyKind::OutOfRange),
        (enum_empty.is_some(), PolicyKind::EnumEmpty),
        (json.is_some(), PolicyKind::Json),
        (decode.is_some(), PolicyKind::Decode),
        (uuid.is_some(), PolicyKind::Uuid),
    ];
    all.into_iter().filter(|(said, _)| *said).map(|(_, kind)| kind).collect()
}

/// Why the policy cannot be for the column; none if it can.
fn misfit(kind: PolicyKind, column: &Column, rules: &Rules<'_>) -> Option<String> {
    use LogicalType as L;
    let logical = column.logical.as_ref()?;
    let fits = match kind {
        PolicyKind::ZeroDate => matches!(logical, L::Date | L::Timestamp { .. }),
        PolicyKind::NulByte | PolicyKind::InvalidText | PolicyKind::Decode => matches!(logical, L::Text { .. }),
        PolicyKind::OutOfRange => is_number(logical) || matches!(logical, L::Duration { .. }),
        PolicyKind::EnumEmpty => matches!(logical, L::Enum { .. }),
        PolicyKind::Json => matches!(logical, L::Json),
        PolicyKind::Uuid => matches!(logical, L::Binary { length: Some(16) }),
    };
    if !fits {
        return Some(format!("`{}` is {}, and the column is `{}`", kind.word(), kind.is_for(), column.native.full));
    }
    // What acts behind the reader is the same for every source.
    if matches!(kind, PolicyKind::OutOfRange | PolicyKind::Json) {
        return None;
    }
    rules.route.source.refuses_policy(kind, &column.native)
}

fn decide_column(
    table: &Table,
    column: &mut Column,
    said: &[Said<'_>],
    rules: &Rules<'_>,
    faults: &mut Vec<Error>,
    used: &mut Vec<PolicyKind>,
) -> Decision {
    let mut decision = Decision::default();
    let mut applies = |kind: PolicyKind, said: &Said<'_>| match misfit(kind, column, rules) {
        None => {
            used.push(kind);
            true
        }
        Some(why) => {
            if said.strict {
                let error = Error::new(ErrorKind::Mapping, why).table(&table.name).column(&column.name).file(&said.place);
                faults.push(error.hint("Take the line out, or say it of another column"));
            }
            false
        }
    };
    let mut note = |kind: PolicyKind, word: &str, said: &Said<'_>| {
        decision.said.push(format!("{} = {word} by {}", kind.word(), said.place));
    };
    let policies = &mut decision.policies;
    let mut logical = None;
    if let Some((word, said)) = find(said, |rules| rules.zero_date.as_deref())
        && applies(PolicyKind::ZeroDate, said)
        && let Some(Some(chosen)) = words::zero_date(word)
    {
        policies.zero_date = Some(chosen);
        if chosen == ZeroDate::Text {
            logical = Some(LogicalType::Text { length: None });
            decision.to = Some(Retype::Logical(LogicalType::Text { length: None }));
        }
        note(PolicyKind::ZeroDate, word, said);
    }
    if let Some((word, said)) = find(said, |rules| rules.nul_byte.as_ref())
        && applies(PolicyKind::NulByte, said)
    {
        policies.nul_byte = word.chosen();
        if *word == NulByteRule::Word(NulByteWord::Bytea) {
            decision.to = Some(Retype::Logical(LogicalType::Binary { length: None }));
            note(PolicyKind::NulByte, "bytea", said);
        } else if policies.nul_byte.is_some() {
            note(PolicyKind::NulByte, "replaced", said);
        }
    }
    if let Some((word, said)) = find(said, |rules| rules.invalid_text)
        && applies(PolicyKind::InvalidText, said)
        && word == words::InvalidTextRule::Replace
    {
        policies.replace_invalid = true;
        note(PolicyKind::InvalidText, "replace", said);
    }
    if let Some((word, said)) = find(said, |rules| rules.out_of_range)
        && applies(PolicyKind::OutOfRange, said)
        && let Some(chosen) = word.chosen()
    {
        policies.out_of_range = Some(chosen);
        note(PolicyKind::OutOfRange, if word == words::OutOfRangeRule::Clamp { "clamp" } else { "null" }, said);
    }
    if let Some((word, said)) = find(said, |rules| rules.enum_empty.as_deref())
        && applies(PolicyKind::EnumEmpty, said)
        && let Some(chosen) = words::enum_empty(word)
    {
        if let (EnumEmpty::Label(label), Some(LogicalType::Enum { labels })) = (&chosen, &column.logical)
            && !labels.contains(label)
        {
            let mut labels = labels.clone();
            labels.push(label.clone());
            decision.added = Some(label.clone());
            logical = Some(LogicalType::Enum { labels });
        }
        policies.enum_empty = Some(chosen);
        note(PolicyKind::EnumEmpty, word, said);
    }
    if let Some((word @ (JsonRule::Json | JsonRule::Strip), said)) = find(said, |rules| rules.json)
        && applies(PolicyKind::Json, said)
    {
        policies.strip_json = word == JsonRule::Strip;
        if !policies.strip_json {
            decision.to = Some(Retype::Named("json"));
        }
        note(PolicyKind::Json, if policies.strip_json { "strip" } else { "json" }, said);
    }
    if let Some((_, said)) = find(said, |rules| rules.decode)
        && applies(PolicyKind::Decode, said)
    {
        policies.decode_utf8 = true;
        note(PolicyKind::Decode, "utf8", said);
    }
    if let Some((word, said)) = find(said, |rules| rules.uuid)
        && applies(PolicyKind::Uuid, said)
    {
        policies.uuid = Some(word.order());
        logical = Some(LogicalType::Uuid);
        decision.to = Some(Retype::Logical(LogicalType::Uuid));
        note(PolicyKind::Uuid, if word == words::UuidRule::Binary16 { "binary16" } else { "binary16_swapped" }, said);
    }
    if let Some(logical) = logical {
        if let LogicalType::Enum { labels } = &logical {
            column.native.labels.clone_from(labels);
        }
        column.logical = Some(logical);
    }
    decision
}

/// What a policy needs of a standing table's column, whose type stays as it is; a problem where it does not have that.
pub(super) fn check_standing(
    table: &Table,
    column: &Column,
    decision: &Decision,
    there: Option<&Column>,
    own_type: bool,
) -> Result<(), Box<Problem>> {
    use LogicalType as L;
    let Some(there) = there.filter(|_| !own_type) else { return Ok(()) };
    let logical = there.logical.as_ref();
    let is_text = matches!(logical, Some(L::Text { .. }));
    let fits = match &decision.to {
        None => true,
        Some(Retype::Named(name)) => there.native.name == *name || is_text,
        Some(Retype::Logical(L::Text { .. })) => is_text,
        Some(Retype::Logical(L::Binary { .. })) => matches!(logical, Some(L::Binary { .. })),
        Some(Retype::Logical(wanted)) => is_text || logical == Some(wanted) || matches!(logical, Some(L::Binary { .. })),
    };
    let refuse = |why: String, hint: &str| {
        let place = format!("{}.{}", table.name, column.name);
        Err(Box::new(Problem::new(Severity::Refused, "column", place, why).hint(hint)))
    };
    if !fits {
        let why =
            format!("a policy ({}) cannot be followed: the existing table has `{}`", decision.said.join("; "), there.native.full);
        return refuse(why, "Choose another policy, or change the column in the target");
    }
    if let (Some(label), Some(L::Enum { labels })) = (&decision.added, logical)
        && !labels.contains(label)
    {
        let why = format!("`enum_empty = \"{label}\"`: the existing table's `{}` has no such label", there.native.full);
        return refuse(why, &format!("Choose one that it has, or add it in the target: ALTER TYPE … ADD VALUE '{label}'"));
    }
    Ok(())
}

/// True if a person's word decides the column's type.
pub(super) fn decides_type(rule: Option<&TableRule>, column: &Column, rules: &Rules<'_>) -> bool {
    let said = said(rule, column, rules);
    find(&said, |rules| rules.zero_date.as_deref()).is_some_and(|(word, _)| word == "text")
        || find(&said, |rules| rules.nul_byte.as_ref()).is_some_and(|(word, _)| *word == NulByteRule::Word(NulByteWord::Bytea))
        || find(&said, |rules| rules.json).is_some_and(|(word, _)| word == JsonRule::Json)
        || find(&said, |rules| rules.uuid).is_some()
}

/// Whether the target's column may be NULL; a problem where a policy gives NULL and the column does not take it.
pub(super) fn nullable(
    table: &Table,
    rule: Option<&TableRule>,
    column: &Column,
    there: Option<&Column>,
    decision: Option<&Decision>,
) -> Result<bool, Box<Problem>> {
    let wanted = column_rule(rule, &column.name).is_some_and(|own| own.nullable);
    let is_key =
        table.primary_key.as_ref().is_some_and(|key| key.parts.iter().any(|part| part.column.as_ref() == Some(&column.name)));
    let refuse = |why: String, hint: String| {
        let place = format!("{}.{}", table.name, column.name);
        Err(Box::new(Problem::new(Severity::Refused, "column", place, why).hint(hint)))
    };
    let takes = there.map_or(column.nullable, |there| there.nullable);
    if wanted && is_key {
        let why = "`nullable = true` is said of a column of the primary key, which cannot be NULL".to_string();
        return refuse(why, "Take the line out".into());
    }
    if wanted && there.is_some() && !takes {
        let why = "`nullable = true` is said of a column that is NOT NULL in the existing table".to_string();
        return refuse(why, "Take the line out, or drop the column's NOT NULL in the target".into());
    }
    let takes = takes || wanted;
    let Some(gives) = decision.and_then(|decision| decision.policies.gives_null()).filter(|_| !takes) else {
        return Ok(takes);
    };
    let why = format!("`{gives}` would put NULL into a column that is NOT NULL");
    let other = match gives.split(' ').next() {
        Some("zero_date") => "zero_date = \"1970-01-01\"  # or another date that stands for it",
        Some("enum_empty") => "enum_empty = \"unknown\"  # or another label that stands for it",
        _ => "out_of_range = \"clamp\"",
    };
    let rule = if is_key || there.is_some() {
        other.to_string()
    } else {
        format!("nullable = true  # drops NOT NULL; or instead of it:\n# {other}")
    };
    refuse(why, format!("Add to the mapping file (`-m FILE`):\n{}", lines::column(&table.name, &column.name, &rule)))
}

//! One source table, made into one target table.

use crate::config::rules::TableRule;
use crate::error::Error;
use crate::model::catalog::{Column, IndexPart, Problem, Severity, Table};
use crate::model::{LogicalType, ObjectName};
use crate::transform::expr::Scope;
use crate::transform::{Castability, can_cast};

use super::policies::{Decided, Decision, Retype};
use super::rules::{Rules, column_rule};
use super::{
    ChosenBy, ColumnMapping, MapOptions, MappedTable, Route, choices, computed, discriminator, dropped, left_out, lines, names,
    policies, standing,
};

/// Where tables go.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    /// The schema, unless a rule says another.
    pub(super) schema: UsualSchema<'a>,
    /// Tables that stand and are loaded as they are.
    pub(super) standing: &'a [Table],
    /// What `now()` is.
    pub(super) now_us: i64,
}

/// The schema of tables that no rule gives one.
#[derive(Clone, Copy)]
pub(super) struct UsualSchema<'a> {
    name: &'a str,
    /// Each table goes into a schema of its database's name instead.
    by_database: bool,
}

impl<'a> UsualSchema<'a> {
    pub(super) fn of(options: MapOptions<'a>, route: Route<'_>) -> Self {
        let by_database = options.by_database && options.schema.is_none();
        UsualSchema { name: options.schema.unwrap_or(route.target.default_schema()), by_database }
    }

    /// Tables that several databases are merged into belong to none of them.
    fn of_table(self, source: &Table, rule: Option<&TableRule>) -> String {
        let merged = rule.is_some_and(|rule| rule.merge && rule.to.is_some());
        if self.by_database && !merged { source.name.schema.clone() } else { self.name.to_string() }
    }
}

/// Where problems are gathered.
pub(super) struct Listed<'a> {
    /// All but these:
    pub(super) problems: &'a mut Vec<Problem>,
    /// What goes with columns that are left out, which another part of the table may carry.
    pub(super) left_out: &'a mut Vec<Problem>,
}

/// Maps a table, or a part of it; `None` if it is refused, and then a problem says why.
pub(super) fn map_table(
    source: &Table,
    rule: Option<&TableRule>,
    place: Place<'_>,
    rules: &Rules<'_>,
    faults: &mut Vec<Error>,
    Listed { problems, left_out }: Listed<'_>,
) -> Option<MappedTable> {
    let Place { schema, now_us, .. } = place;
    let faulty = faults.len();
    let decided = policies::decide(source, rule, rules, faults);
    let source = &decided.source;
    let scope = match super::scope(source, now_us) {
        Ok(scope) => scope,
        Err(error) => {
            faults.push(error.table(&source.name));
            return None;
        }
    };
    let mut target = source.clone();
    target.name = target_name(source, rule, schema, rules);
    left_out::choose(source, rule, &mut target, left_out);
    let standing = place.standing.iter().find(|table| table.name == target.name);
    let table = Computing { source, rule, rules, scope: &scope, decided: &decided, standing };
    target.columns.clear();
    let mut columns = Vec::new();
    let mut refused = false;
    let mut dropped = Vec::new();
    for column in &source.columns {
        if rule.is_some_and(|rule| rule.leaves_out(&column.name)) {
            dropped.push(column.name.as_str());
            continue;
        }
        // Where the source computes it too, both are compared.
        if column.generated.is_none() && standing::is_generated(table.standing, &target_column(&table, column)) {
            let place = format!("{}.{}", source.name, column.name);
            let why = "the existing table computes the column by itself, so it is not written";
            problems.push(Problem::new(Severity::Note, "generated column", place, why));
            continue;
        }
        match map_column(&table, column, faults, problems) {
            Ok((mapped, mapping)) => {
                target.columns.push(mapped);
                columns.push(mapping);
            }
            Err(problem) => {
                refused = true;
                problems.push(*problem);
            }
        }
    }
    for (mapped, mapping) in computed::new_columns(&table, faults) {
        target.columns.push(mapped);
        columns.push(mapping);
    }
    if faults.len() > faulty || refused {
        return None;
    }
    if columns.is_empty() && !dropped.is_empty() {
        let why = "each of its columns is left out, so nothing of it would be carried";
        let problem = Problem::new(Severity::Refused, "table", &source.name, why);
        problems.push(problem.hint(format!("Leave the table out with `--exclude {}`, or keep a column", source.name.name)));
        return None;
    }
    let says = if rule.is_some_and(|rule| rule.only.is_some()) { "`only`" } else { "`drop = true`" };
    dropped::without_dropped(source, &mut target, &dropped, says, left_out);
    rename_columns(&mut target, &columns);
    discriminator::join_keys(source, rule, &columns, &mut target, problems);
    let mut source = source.clone();
    // Nobody follows them, and nobody asks for orphans.
    source.foreign_keys.retain(|key| !rule.is_some_and(|rule| rule.drop_foreign_keys.contains(&key.name)));
    let condition = match computed::condition(&table, &mut source) {
        Ok(condition) => condition,
        Err(error) => {
            faults.push(error);
            return None;
        }
    };
    let looked_at = computed::looked_at(&table, &columns, condition.as_ref());
    let chosen_by = rule.filter(|rule| !rule.own_conditions().is_empty());
    let chosen_by = chosen_by.map(|rule| ChosenBy { conditions: rule.own_conditions(), place: rules.place_of(rule, None) });
    let orphans = rule.and_then(|rule| rule.orphans).unwrap_or_default();
    Some(MappedTable {
        source,
        target,
        columns,
        condition,
        looked_at,
        policies: decided.policies(),
        max_rejects: None,
        subset: None,
        chosen_by,
        orphans,
        indexes: rule.map(|rule| rule.indexes.clone()).unwrap_or_default(),
        now_us,
        merged: false,
        part: false,
    })
}

/// The table's own rule decides, then the patterns, then the style; a schema that none of them says is the run's, or that of its database.
pub(super) fn target_name(source: &Table, rule: Option<&TableRule>, schema: UsualSchema<'_>, rules: &Rules<'_>) -> ObjectName {
    let (own_schema, name) = match rule.and_then(|rule| rule.to.as_deref()) {
        Some(to) => match to.split_once('.') {
            Some((schema, name)) => (Some(schema.to_string()), name.to_string()),
            None => (None, to.to_string()),
        },
        None => rules.renames.table(&source.name),
    };
    let schema =
        own_schema.or_else(|| rules.renames.schema(&source.name.schema)).unwrap_or_else(|| schema.of_table(source, rule));
    ObjectName::new(names::shorten(&schema, rules.route.target.max_name_bytes()), name)
}

/// A table whose columns are being mapped.
pub(super) struct Computing<'a> {
    pub(super) source: &'a Table,
    pub(super) rule: Option<&'a TableRule>,
    pub(super) rules: &'a Rules<'a>,
    pub(super) scope: &'a Scope,
    pub(super) decided: &'a Decided,
    /// The table that stands in the target and is loaded as it is.
    pub(super) standing: Option<&'a Table>,
}

/// The name of a source's column in the target.
fn target_column(computing: &Computing<'_>, column: &Column) -> String {
    let name = column_rule(computing.rule, &column.name).and_then(|rule| rule.rename.clone());
    name.unwrap_or_else(|| computing.rules.renames.column(&computing.source.name.name, &column.name))
}

fn map_column(
    computing: &Computing<'_>,
    column: &Column,
    faults: &mut Vec<Error>,
    problems: &mut Vec<Problem>,
) -> Result<(Column, ColumnMapping), Box<Problem>> {
    let &Computing { source: table, rule, rules, decided, .. } = computing;
    let decision = decided.columns.get(&column.name);
    let place = format!("{}.{}", table.name, column.name);
    let refuse = |why: String, hint: Option<&str>| {
        let lines = lines::column(&table.name, &column.name, "to = \"bytea\"  # or another type that can hold it");
        let lines = hint.map_or(lines, |hint| suggest(table, column, hint));
        Box::new(
            Problem::new(Severity::Refused, "column", &place, why).hint(format!("Add to the mapping file (`-m FILE`):\n{lines}")),
        )
    };
    let Some(from) = column.logical.clone() else {
        let why = format!("the source type `{}` cannot be read", column.native.full);
        let hint = format!("Leave the table out with `--exclude {}`", table.name.name);
        return Err(Box::new(Problem::new(Severity::Refused, "column", &place, why).hint(hint)));
    };
    let dialect = rules.route.target;
    let name = target_column(computing, column);
    let there = standing::column(computing, &name, column_rule(rule, &column.name));
    // Said here, and the column goes on without a type, so that all else that does not fit the existing table is said as well.
    let mut fits = true;
    let mut unfit = |why: String, there: &Column| {
        let lines = standing::settle(table, column, there);
        let hint = format!("Add to the mapping file (`-m FILE`):\n{lines}");
        problems.push(Problem::new(Severity::Refused, "column", &place, why).hint(hint));
        fits = false;
    };
    let own_type = column_rule(rule, &column.name).is_some_and(|own| own.to.is_some());
    let retype = decision.and_then(|decision| decision.to.as_ref()).filter(|_| !own_type);
    let by_rule = rules.column(rule, table, column).filter(|_| retype.is_none());
    let (native, to, rule_name) = match (there, by_rule) {
        (Some(there), _) => {
            let to = standing::logical(&from, there).unwrap_or_else(|| {
                unfit(format!("the existing table has `{}`, which cannot be written", there.native.full), there);
                from.clone()
            });
            (there.native.clone(), to, standing::RULE.to_string())
        }
        (None, Some(decision)) => {
            let mut native = dialect.parse_type(&decision.to).map_err(|error| refuse(error.to_string(), None))?;
            native.labels.clone_from(&column.native.labels);
            let to = dialect
                .to_logical(&native)
                .ok_or_else(|| refuse(format!("the target type `{}` cannot be written", native.full), None))?;
            // Asked for its refusal only: whether this server has the type at all.
            dialect
                .to_native(&to, rules.route.target_server)
                .map_err(|error| refuse(error.what().to_string(), suggested(&error)))?;
            (native, receive(&from, to), decision.rule)
        }
        (None, None) if let Some(Retype::Named(name)) = retype => {
            let native = dialect.parse_type(name).map_err(|error| refuse(error.to_string(), None))?;
            let to = dialect.to_logical(&native).map_or_else(|| from.clone(), |to| receive(&from, to));
            (native, to, format!("`{name}`"))
        }
        (None, None) => {
            let from = if let Some(Retype::Logical(logical)) = retype { logical } else { &from };
            let (native, _) = dialect
                .to_native(from, rules.route.target_server)
                .map_err(|error| refuse(error.what().to_string(), suggested(&error)))?;
            let to = dialect.to_logical(&native).map_or_else(|| from.clone(), |to| receive(from, to));
            (native, to, format!("the target's type for {from}"))
        }
    };
    if let Some(decision) = decision {
        policies::check_standing(table, column, decision, there, own_type)?;
    }
    let chosen = rules.column(rule, table, column).is_some_and(|decision| decision.own);
    let (mut native, word) = if chosen || there.is_some() || retype.is_some() {
        (native, None)
    } else {
        choices::choose(rules, rule, column, native).map_err(|error| {
            let problem = Problem::new(Severity::Refused, "column", &place, error.what());
            Box::new(match error.hint_text() {
                Some(hint) => problem.hint(hint),
                None => problem,
            })
        })?
    };
    let (to, rule_name) = match word {
        Some(word) => (dialect.to_logical(&native).map_or(to, |to| receive(&from, to)), format!("{rule_name}, {word}")),
        None => (to, rule_name),
    };
    let computed = computed::of(computing, &column.name);
    let of_the_target =
        |decision: &Decision| decision.policies.out_of_range.is_some() || decision.policies.strip_json || decision.to.is_some();
    if computed.is_some() && decision.is_some_and(of_the_target) {
        let why = "a policy of the target's type is said of a column that an expression makes";
        let problem = Problem::new(Severity::Refused, "column", &place, why);
        return Err(Box::new(problem.hint("Take it out, or write it into the expression")));
    }
    if let Some(computed) = &computed {
        computed::check(computing, &column.name, computed, &to, faults);
    } else if let Castability::Never(why) = can_cast(&from, &to) {
        let Some(there) = there else {
            let wanted = Column { native: native.clone(), logical: Some(to), ..column.clone() };
            let problem = refuse(format!("`{}` cannot become `{}`: {why}", column.native.full, native.full), None);
            return Err(match standing::zone_expression(column, &wanted) {
                Some(expression) => {
                    let setting = format!("to = {}\n{expression}", lines::string(&native.full));
                    let lines = lines::column(&table.name, &column.name, &setting);
                    Box::new(problem.hint(format!("Add to the mapping file (`-m FILE`):\n{lines}")))
                }
                None => problem,
            });
        };
        unfit(format!("`{}` cannot become `{}`, the existing table's type: {why}", column.native.full, native.full), there);
    }
    // The sign is kept as a check where the target's type would also take negative numbers (rows N1 and N9 of the matrix).
    native.unsigned = keeps_sign(column, &from);
    let nullable = policies::nullable(table, rule, column, there, decision)?;
    let logical = fits.then(|| to.clone());
    if let Some(added) = decision.and_then(|decision| decision.added.as_ref()).filter(|_| there.is_none()) {
        let why = format!("the label `{added}` is added to its type, for the values that have none (`enum_empty`)");
        problems.push(Problem::new(Severity::Note, "column", &place, why));
    }
    problems.extend(rounded_on_its_way_in(column, &to).filter(|_| there.is_none()).map(|(why, to)| {
        let hint = format!("To keep that, add to the mapping file (`-m FILE`):\n{}", suggest(table, column, &to));
        Problem::new(Severity::Note, "column", &place, why).hint(hint)
    }));
    let mut rule_name = rule_name;
    for said in decision.iter().flat_map(|decision| &decision.said) {
        rule_name.push_str("; ");
        rule_name.push_str(said);
    }
    let mapped = Column { name: name.clone(), native, logical, generated: None, nullable, ..column.clone() };
    Ok((mapped, ColumnMapping { source: column.name.clone(), target: name, from, to, computed, rule: rule_name, mask: None }))
}

/// `FLOAT(7,3)` rounds what is written into it, which no float of a target does; and the type that does.
fn rounded_on_its_way_in(column: &Column, to: &LogicalType) -> Option<(String, String)> {
    let (precision, scale) = (column.native.precision?, column.native.scale?);
    let float = |logical: Option<&LogicalType>| matches!(logical, Some(LogicalType::Float32 | LogicalType::Float64));
    (float(column.logical.as_ref()) && float(Some(to))).then(|| {
        let why = format!(
            "the source rounds what is written to `{}` to {scale} digits behind the point, and the target does not; the values that are \
             there are carried as they are",
            column.native.full
        );
        (why, format!("numeric({precision},{scale})"))
    })
}

/// True if the sign of an unsigned column is kept by a check.
pub(super) fn keeps_sign(column: &Column, from: &LogicalType) -> bool {
    column.native.unsigned && !matches!(from, LogicalType::UInt8 | LogicalType::UInt16 | LogicalType::UInt32)
}

/// The logical type under which a target column receives values of `from`. One native type may hold several: a PostgreSQL `interval`
/// holds durations, and a `text[]` holds sets; they are compared as what was sent.
pub(super) fn receive(from: &LogicalType, to: LogicalType) -> LogicalType {
    use LogicalType as L;
    match (from, &to) {
        (L::Duration { .. }, L::Interval) => from.clone(),
        (L::Set { .. }, L::Array { item }) if matches!(**item, L::Text { .. }) => from.clone(),
        (L::Geometry { .. }, L::Geometry { .. }) => from.clone(),
        _ => to,
    }
}

/// The type that an error's hint proposes as `to = "…"`.
fn suggested(error: &crate::Error) -> Option<&str> {
    let hint = error.hint_text()?;
    let (_, rest) = hint.split_once("to = \"")?;
    rest.split_once('"').map(|(to, _)| to)
}

fn suggest(table: &Table, column: &Column, to: &str) -> String {
    lines::column(&table.name, &column.name, &format!("to = \"{to}\""))
}

/// Keys and indexes follow the renames of the columns.
fn rename_columns(target: &mut Table, columns: &[ColumnMapping]) {
    let renamed = |name: &mut String| {
        if let Some(column) = columns.iter().find(|column| column.source == *name) {
            name.clone_from(&column.target);
        }
    };
    let rename_part = |part: &mut IndexPart| part.column.as_mut().map(renamed);
    for index in target.primary_key.iter_mut().chain(&mut target.indexes) {
        for part in &mut index.parts {
            rename_part(part);
        }
    }
    for key in &mut target.foreign_keys {
        key.columns.iter_mut().for_each(renamed);
    }
}

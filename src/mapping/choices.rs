//! Types that a person chooses by a word: enumerations as text, text without case. The column's own word first, then the table's,
//! then that of the first `[[type]]` rule that has one, then `[objects]`.

use crate::config::rules::{CollationChoice, EnumChoice, TableRule};
use crate::error::Result;
use crate::model::catalog::{Column, Index, NativeType, Problem, Severity};

use super::rules::{Rules, column_rule};
use super::{Mapped, MappedTable, lines};

/// The type after the choices, and the word that changed it.
///
/// # Errors
/// `Mapping` where the target has no such type.
pub(super) fn choose(
    rules: &Rules<'_>,
    rule: Option<&TableRule>,
    column: &Column,
    native: NativeType,
) -> Result<(NativeType, Option<&'static str>)> {
    let target = rules.route.target;
    let own = column_rule(rule, &column.name);
    if !native.labels.is_empty() {
        let choice = own.and_then(|own| own.enumeration).or_else(|| rule?.enumeration);
        let choice = choice.or_else(|| rules.type_choice(column, |rule| rule.enumeration)).or(rules.objects().enumeration);
        if choice == Some(EnumChoice::Text)
            && let Some(text) = target.enum_as_text(&native)
        {
            return Ok((text, Some("`enum = \"text\"`")));
        }
        return Ok((native, None));
    }
    let Some(folding) = rules.route.source.folding(&column.native) else { return Ok((native, None)) };
    let choice = own.and_then(|own| own.collation).or_else(|| rule?.collation);
    let choice = choice.or_else(|| rules.type_choice(column, |rule| rule.collation)).or(rules.objects().collation);
    let word = match choice.unwrap_or_default() {
        CollationChoice::AsIs => return Ok((native, None)),
        CollationChoice::Citext => "`collation = \"citext\"`",
        CollationChoice::Nondeterministic => "`collation = \"nondeterministic\"`",
    };
    let changed = target.without_case(&native, choice.unwrap_or_default(), folding, rules.route.target_server)?;
    let word = changed.is_some().then_some(word);
    Ok((changed.unwrap_or(native), word))
}

/// Notes the unique keys that let more in than they did: two texts that differ in case alone, or in spaces at their end.
pub(super) fn note_keys(mapped: &mut Mapped, rules: &Rules<'_>) {
    let Mapped { tables, problems, .. } = mapped;
    for table in tables.iter() {
        let keys = table.source.primary_key.iter().chain(table.source.indexes.iter().filter(|index| index.unique));
        problems.extend(keys.filter_map(|key| note_case(table, key, rules).or_else(|| note_end_spaces(table, key, rules))));
    }
}

/// The columns of a key, as the source has them, that the target compares by their bytes.
fn compared_bytes<'t>(table: &'t MappedTable, key: &'t Index, rules: &Rules<'_>) -> impl Iterator<Item = &'t Column> {
    let columns = key.parts.iter().filter_map(|part| table.source.column(part.column.as_deref()?));
    columns.filter(|column| {
        let place = table.columns.iter().position(|mapping| mapping.source == column.name && mapping.computed.is_none());
        let target = place.and_then(|place| table.target.columns.get(place));
        target.is_some_and(|target| rules.route.target.compares_bytes(&target.native))
    })
}

fn note_end_spaces(table: &MappedTable, key: &Index, rules: &Rules<'_>) -> Option<Problem> {
    let opened: Vec<&Column> =
        compared_bytes(table, key, rules).filter(|column| rules.route.source.ignores_end_spaces(&column.native)).collect();
    let first = opened.first()?;
    let names: Vec<&str> = opened.iter().map(|column| column.name.as_str()).collect();
    let why = format!(
        "`{}` is compared without regard to spaces at its end in the source and with it in the target, which then takes 'a ' beside 'a'",
        names.join("`, `")
    );
    let hint = format!("Where no value ends in a space, a check keeps that: {0} = rtrim({0}, ' ')", first.name);
    Some(Problem::new(Severity::Note, "unique key", format!("{}.{}", table.source.name, key.name), why).hint(hint))
}

fn note_case(table: &MappedTable, key: &Index, rules: &Rules<'_>) -> Option<Problem> {
    let opened: Vec<&str> = compared_bytes(table, key, rules)
        .filter(|column| rules.route.source.folding(&column.native).is_some())
        .map(|column| column.name.as_str())
        .collect();
    let first = opened.first()?;
    let padded = compared_bytes(table, key, rules).any(|column| rules.route.source.ignores_end_spaces(&column.native));
    let why = format!(
        "`{}` is compared without regard to case in the source and with it in the target, which then takes 'a' beside 'A'{}",
        opened.join("`, `"),
        if padded { ", and 'a ' beside 'a'" } else { "" }
    );
    let name = format!("{}.{}", table.source.name, key.name);
    let collation = "collation = \"citext\"  # or \"nondeterministic\"";
    // A rule by name would go before one by pattern, and take its place.
    let by_pattern = rules.of_table(&table.source).iter().any(|rule| rule.matches.is_some());
    let lines = match table.source.column(first).filter(|_| by_pattern) {
        Some(column) => format!(
            "[[type]]\nmatch = {{ type = {}, column = {} }}\n{collation}",
            lines::string(&column.native.name),
            lines::string(first)
        ),
        None => lines::table(&table.source.name, &format!("columns.{}.{collation}", lines::key(first))),
    };
    let hint = format!("To keep that, add to the mapping file (`-m FILE`):\n{lines}");
    Some(Problem::new(Severity::Note, "unique key", name, why).hint(hint))
}

//! Expressions with what MySQL takes them for, and what it compares them as.

use super::Read;
use crate::model::catalog::{Column, NativeType};
use crate::model::expression::{Class, Expression as E, Function as F};

/// How text is compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Collation {
    name: String,
    /// Upper and lower case are the same.
    fold: bool,
    /// Spaces at the end do not count.
    pad: bool,
    /// By code points; others may find different letters alike.
    bytes: bool,
    /// Named in the expression, so that it wins over that of a column.
    explicit: bool,
}

impl Collation {
    fn of(name: &str) -> Self {
        let name = name.to_ascii_lowercase();
        let bytes = name.ends_with("_bin");
        Collation {
            fold: !bytes && !name.ends_with("_cs"),
            pad: !name.contains("_0900_") && !name.contains("_nopad_"),
            bytes,
            explicit: false,
            name,
        }
    }
}

/// An expression and its type.
#[derive(Debug, Clone)]
pub(super) struct Typed {
    pub(super) tree: E,
    pub(super) class: Class,
    /// Digits behind the point, of exact numbers.
    pub(super) scale: u32,
    /// A whole number of an unsigned type: the server refuses what would be negative.
    pub(super) unsigned: bool,
    /// A constant.
    pub(super) constant: bool,
    /// Of text that is none.
    pub(super) collation: Option<Collation>,
    /// Labels of an enumeration, or the character set of a text column.
    pub(super) labels: Vec<String>,
    /// The character set of a text column; empty for all else.
    pub(super) charset: String,
}

impl Typed {
    pub(super) fn of(tree: E, class: Class) -> Self {
        Typed {
            tree,
            class,
            scale: 0,
            unsigned: false,
            constant: false,
            collation: None,
            labels: Vec::new(),
            charset: String::new(),
        }
    }

    pub(super) fn bool(tree: E) -> Self {
        Typed::of(tree, Class::Bool)
    }

    pub(super) fn null() -> Self {
        Typed { constant: true, ..Typed::of(E::Null, Class::Any) }
    }

    pub(super) fn number(digits: &str) -> Self {
        if digits.contains(['e', 'E']) {
            return Typed { constant: true, ..Typed::of(E::call(F::Double, vec![E::Number(digits.into())]), Class::Float) };
        }
        let scale = digits.split_once('.').map_or(0, |(_, fraction)| u32::try_from(fraction.len()).unwrap_or(u32::MAX));
        let unsigned = scale == 0 && digits.parse::<i64>().is_err();
        Typed { constant: true, scale, unsigned, ..Typed::of(E::Number(digits.into()), Class::Exact) }
    }

    pub(super) fn text(text: &str) -> Read<Self> {
        if text.contains('\0') {
            return Err("it holds the character NUL".into());
        }
        Ok(Typed { constant: true, ..Typed::of(E::Text(text.into()), Class::Text) })
    }

    pub(super) fn column(column: &Column) -> Read<Self> {
        let native = &column.native;
        let class = class(native).ok_or_else(|| format!("columns of the type `{}` are not translated", native.full))?;
        let typed = Typed::of(E::Column { name: column.name.clone(), class }, class);
        Ok(match class {
            Class::Exact => {
                Typed { scale: native.scale.unwrap_or(0).into(), unsigned: native.unsigned && native.name != "decimal", ..typed }
            }
            Class::Text | Class::Label => Typed {
                collation: native.collation.as_deref().map(Collation::of),
                labels: native.labels.clone(),
                charset: native.charset.clone().unwrap_or_default(),
                ..typed
            },
            _ => typed,
        })
    }

    /// The same under another collation.
    pub(super) fn collated(self, collation: &str) -> Read<Self> {
        if self.class != Class::Text {
            return Err("COLLATE is not translated here".into());
        }
        // A constant stays one: its own collation still wins.
        Ok(Typed { collation: Some(Collation { explicit: true, ..Collation::of(collation) }), ..self })
    }

    /// As an exact number or a float.
    pub(super) fn numeric(self) -> Read<Self> {
        match self.class {
            Class::Exact | Class::Float => Ok(self),
            Class::Bool => Ok(Typed::of(E::call(F::Integer, vec![self.tree]), Class::Exact)),
            _ => Err("what is no number is not taken for one".into()),
        }
    }

    /// As an exact number whose sums are exact.
    pub(super) fn exact(self) -> Self {
        Typed { tree: E::call(F::Exact, vec![self.tree.clone()]), ..self }
    }

    pub(super) fn double(self) -> Self {
        if self.class == Class::Float && matches!(self.tree, E::Call { .. }) {
            return self;
        }
        Typed { tree: E::call(F::Double, vec![self.tree.clone()]), class: Class::Float, ..self }
    }

    pub(super) fn is_null(&self) -> bool {
        self.tree == E::Null
    }

    fn constant_text(&self) -> Option<&str> {
        match &self.tree {
            E::Text(text) if self.constant => Some(text),
            _ => None,
        }
    }

    /// A whole number that is written out.
    pub(super) fn constant_number(&self) -> Option<u32> {
        match &self.tree {
            E::Number(digits) => digits.parse().ok(),
            _ => None,
        }
    }

    /// Never below 0.
    pub(super) fn never_negative(&self) -> bool {
        self.unsigned || matches!(self.tree, E::Number(_)) || self.class == Class::Bool
    }
}

fn class(native: &NativeType) -> Option<Class> {
    // ZEROFILL shows when a number becomes text.
    Some(match native.name.as_str() {
        "tinyint" | "smallint" | "mediumint" | "int" | "bigint" | "decimal" | "year" => Class::Exact,
        "float" | "double" => Class::Float,
        "char" | "varchar" | "tinytext" | "text" | "mediumtext" | "longtext" if native.charset.as_deref() != Some("binary") => {
            Class::Text
        }
        "enum" => Class::Label,
        "date" => Class::Date,
        "datetime" => Class::Timestamp,
        "timestamp" => Class::Instant,
        "json" => Class::Json,
        _ => return None,
    })
}

/// As a condition.
pub(super) fn truth(typed: Typed) -> Read<E> {
    match typed.class {
        Class::Bool => Ok(typed.tree),
        Class::Exact | Class::Float => Ok(E::call(F::NotEqual, vec![typed.tree, E::Number("0".into())])),
        _ if typed.is_null() => Ok(E::Null),
        _ => Err("what is no number is not taken for true or false".into()),
    }
}

/// All as values of one class; NULL fits every class.
pub(super) fn each_same(all: Vec<Typed>) -> Read<Vec<Typed>> {
    let has = |class: Class| all.iter().any(|one| one.class == class);
    let numbers = |one: &Typed| one.is_null() || matches!(one.class, Class::Exact | Class::Float | Class::Bool);
    if all.iter().all(numbers) {
        if all.iter().all(|one| one.is_null() || one.class == Class::Bool) {
            return Ok(all);
        }
        let float = has(Class::Float);
        return all
            .into_iter()
            .map(|one| match one.is_null() {
                true => Ok(one),
                false if float => Ok(one.numeric()?.double()),
                false => one.numeric(),
            })
            .collect();
    }
    let times = has(Class::Date) || has(Class::Timestamp);
    let all: Vec<Typed> = all
        .into_iter()
        .map(|one| match one.constant_text().map(str::to_string) {
            Some(text) if times => date_literal(&text).or_else(|_| timestamp_literal(&text)),
            _ => Ok(one),
        })
        .collect::<Read<_>>()?;
    let first = all.iter().find(|one| !one.is_null()).map_or(Class::Any, |one| one.class);
    let fits = |one: &Typed| {
        one.is_null()
            || one.class == first
            || (matches!(first, Class::Date | Class::Timestamp) && matches!(one.class, Class::Date | Class::Timestamp))
    };
    if first == Class::Any || !all.iter().all(fits) {
        return Err("values of different types are not brought together".into());
    }
    Ok(all)
}

/// A comparison of two values, as MySQL makes it.
pub(super) fn compare(function: F, left: Typed, right: Typed, note: &mut Option<String>) -> Read<E> {
    if left.is_null() || right.is_null() {
        return Err("a comparison with NULL is not translated".into());
    }
    let of = |left: E, right: E| Ok(E::call(function, vec![left, right]));
    let order = matches!(function, F::Less | F::LessOrEqual);
    match (left.class, right.class) {
        (Class::Label, Class::Text) => {
            if order {
                return Err("the order of labels is not translated".into());
            }
            let label = label(&left, &right)?;
            of(left.tree, E::Text(label))
        }
        (Class::Text, Class::Label) if !order => compare(function, right, left, note),
        (Class::Text, Class::Text) => {
            if order {
                return Err("the order of text is not translated: it is the collation's".into());
            }
            let (left, right) = same_text(left, right, note)?;
            of(left, right)
        }
        (Class::Exact, Class::Text) | (Class::Text, Class::Exact) => {
            let (left, right) = (whole_number(left)?, whole_number(right)?);
            of(left.tree, right.tree)
        }
        (Class::Instant, Class::Instant) => of(left.tree, right.tree),
        (Class::Instant, _) | (_, Class::Instant) => Err("a TIMESTAMP is compared in the time zone of the session".into()),
        (Class::Json | Class::Label | Class::Any, _) | (_, Class::Json | Class::Label | Class::Any) => {
            Err("values of these types are not compared".into())
        }
        _ => {
            let both = each_same(vec![left, right])?;
            let [left, right]: [Typed; 2] = both.try_into().map_err(|_| "a comparison is not read".to_string())?;
            if left.class == Class::Bool && order {
                return of(left.numeric()?.tree, right.numeric()?.tree);
            }
            of(left.tree, right.tree)
        }
    }
}

/// A number that is written as text.
fn whole_number(typed: Typed) -> Read<Typed> {
    match typed.constant_text() {
        Some(text) if !text.is_empty() && text.len() <= 15 && text.bytes().all(|byte| byte.is_ascii_digit()) => {
            Ok(Typed::number(text))
        }
        _ if typed.class == Class::Exact && typed.scale == 0 => Ok(typed),
        _ => Err("text is not taken for a number".into()),
    }
}

/// The label that the text is found equal to.
fn label(column: &Typed, text: &Typed) -> Read<String> {
    let Some(wanted) = text.constant_text() else { return Err("a label is compared with constants only".into()) };
    let fold = column.collation.as_ref().is_none_or(|collation| collation.fold);
    let wanted = wanted.trim_end_matches(' ');
    let fitting = column.labels.iter().find(|label| *label == wanted);
    let fitting = fitting.or_else(|| column.labels.iter().find(|label| fold && label.eq_ignore_ascii_case(wanted)));
    fitting.cloned().ok_or_else(|| format!("`{wanted}` is no label of the column"))
}

fn joint_collation(left: &Typed, right: &Typed) -> Read<Collation> {
    match (&left.collation, &right.collation) {
        (Some(one), Some(other)) if one.explicit != other.explicit => Ok(if one.explicit { one } else { other }.clone()),
        (Some(left), Some(right)) if left != right => Err("text of two collations is not compared".into()),
        (Some(collation), _) | (_, Some(collation)) => Ok(collation.clone()),
        (None, None) => Err("text without a collation is not compared".into()),
    }
}

/// Two texts that are equal by their bytes where the collation finds them equal.
fn same_text(left: Typed, right: Typed, note: &mut Option<String>) -> Read<(E, E)> {
    let collation = joint_collation(&left, &right)?;
    if !collation.bytes {
        if left.constant_text().is_none() && right.constant_text().is_none() {
            return Err(format!("`{}` has letters of its own that are alike", collation.name));
        }
        remark(&collation, note);
    }
    Ok((text_key(left, &collation)?, text_key(right, &collation)?))
}

fn remark(collation: &Collation, note: &mut Option<String>) {
    let how =
        if collation.fold { "upper and lower case of A to Z, and nothing else, are alike" } else { "only equal letters are" };
    *note = Some(format!("the collation `{}` may find more texts alike: here {how}", collation.name));
}

fn text_key(typed: Typed, collation: &Collation) -> Read<E> {
    if let Some(text) = typed.constant_text() {
        if !collation.bytes && !text.is_ascii() {
            return Err(format!("`{}` finds other letters like those of `{text}`", collation.name));
        }
        let text = if collation.pad { text.trim_end_matches(' ') } else { text };
        return Ok(E::Text(if collation.fold { text.to_ascii_lowercase() } else { text.to_string() }));
    }
    let mut tree = typed.tree;
    if collation.pad {
        tree = E::call(F::TrimEnd, vec![tree]);
    }
    if collation.fold {
        tree = E::call(F::FoldAscii, vec![tree]);
    }
    Ok(tree)
}

/// LIKE, whose spaces count under every collation.
pub(super) fn like(value: Typed, pattern: &Typed, note: &mut Option<String>) -> Read<E> {
    let Some(text) = pattern.constant_text() else {
        return Err("LIKE with a pattern that is no constant is not translated".into());
    };
    if value.class != Class::Text {
        return Err("LIKE over what is no text is not translated".into());
    }
    let collation = joint_collation(&value, pattern)?;
    if text.ends_with('\\') || (!collation.bytes && !text.is_ascii()) {
        return Err(format!("LIKE with the pattern `{text}` is not translated"));
    }
    if !collation.bytes {
        remark(&collation, note);
    }
    let unpadded = Collation { pad: false, ..collation };
    let pattern = text_key(pattern.clone(), &unpadded)?;
    Ok(E::call(F::Like, vec![text_key(value, &unpadded)?, pattern]))
}

/// A day that the calendar has.
pub(super) fn date_literal(text: &str) -> Read<Typed> {
    if is_day(text) {
        Ok(Typed { constant: true, ..Typed::of(E::Date(text.into()), Class::Date) })
    } else {
        Err(format!("`{text}` is no date that is sure to be one elsewhere"))
    }
}

/// A time of a day that the calendar has.
pub(super) fn timestamp_literal(text: &str) -> Read<Typed> {
    let fault = || format!("`{text}` is no date that is sure to be one elsewhere");
    let (day, clock) = text.split_once(' ').ok_or_else(fault)?;
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let mut parts = clock.split(':');
    let mut below = |limit: u32| {
        parts.next().is_some_and(|part| part.len() == 2 && digits(part) && part.parse::<u32>().is_ok_and(|number| number < limit))
    };
    let sound = is_day(day) && below(24) && below(60) && below(60) && parts.next().is_none();
    if !sound || fraction.is_empty() || fraction.len() > 6 || !digits(fraction) {
        return Err(fault());
    }
    Ok(Typed { constant: true, ..Typed::of(E::Timestamp(text.into()), Class::Timestamp) })
}

fn digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_day(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let [year, month, day] = parts.as_slice() else { return false };
    if (year.len(), month.len(), day.len()) != (4, 2, 2) || !parts.iter().all(|part| digits(part)) {
        return false;
    }
    let number = |part: &str| part.parse::<u32>().unwrap_or(0);
    let (year, month, day) = (number(year), number(month), number(day));
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => 0,
    };
    year >= 1 && (1..=days).contains(&day)
}

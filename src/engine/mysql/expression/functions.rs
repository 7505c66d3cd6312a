//! Functions by their names, and arithmetic.

use sqlparser::ast::{BinaryOperator, DataType, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, ObjectNamePart};

use super::typed::{Typed, compare, each_same, truth};
use super::{Read, Reader};
use crate::model::expression::{Class, Expression as E, Function as F};

/// The most digits behind the point that both flavours keep.
const MOST_SCALE: u32 = 30;
/// A call as it was parsed.
pub(super) fn call(reader: &mut Reader<'_>, function: &Function) -> Read<Typed> {
    let name = match function.name.0.as_slice() {
        [ObjectNamePart::Identifier(name)] => name.value.to_ascii_lowercase(),
        _ => return Err(format!("`{}` is not translated", function.name)),
    };
    let plain = function.filter.is_none() && function.over.is_none() && function.null_treatment.is_none();
    let mut arguments: Vec<&Expr> = Vec::new();
    match &function.args {
        FunctionArguments::None => {}
        FunctionArguments::List(list) if plain && list.clauses.is_empty() && list.duplicate_treatment.is_none() => {
            for argument in &list.args {
                let FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) = argument else {
                    return Err(format!("`{name}()` is not translated in this form"));
                };
                arguments.push(expr);
            }
        }
        _ => return Err(format!("`{name}()` is not translated in this form")),
    }
    if name == "isnull"
        && let [one] = arguments.as_slice()
    {
        return Ok(Typed::bool(E::call(F::IsNull, vec![reader.anything(one)?])));
    }
    let arguments = arguments.into_iter().map(|expr| reader.enclosed(expr)).collect::<Read<Vec<_>>>()?;
    named(&name, arguments, &mut reader.note)
}

/// A call of a function of that name, in lower case.
pub(super) fn named(name: &str, mut arguments: Vec<Typed>, note: &mut Option<String>) -> Read<Typed> {
    let unknown = || format!("`{name}()` is not translated, or not with these arguments");
    let count = arguments.len();
    match (name, count) {
        ("not", 1) => {
            let one = arguments.pop().ok_or_else(unknown)?;
            Ok(Typed::bool(E::call(F::Not, vec![truth(one)?])))
        }
        ("if", 3) => {
            let [condition, then, otherwise] = take(arguments, unknown)?;
            case(vec![(truth(condition)?, then)], otherwise)
        }
        ("nullif", 2) => {
            let [left, right] = take(arguments, unknown)?;
            let same = compare(F::Equal, left.clone(), right, note)?;
            case(vec![(same, Typed::null())], left)
        }
        ("ifnull" | "nvl", 2) | ("coalesce", 1..) => {
            let all = each_same(labels_as_text(arguments))?;
            joined(F::Coalesce, all)
        }
        ("greatest" | "least", 2..) => {
            let all = each_same(arguments)?;
            if !all.iter().all(|one| matches!(one.class, Class::Exact | Class::Float | Class::Date | Class::Timestamp)) {
                return Err("the order of text is not translated: it is the collation's".into());
            }
            joined(if name == "greatest" { F::Greatest } else { F::Least }, all)
        }
        ("abs", 1) => {
            let [one] = take(arguments, unknown)?;
            let one = one.numeric()?;
            Ok(Typed { tree: E::call(F::Absolute, vec![one.tree.clone()]), constant: false, ..one })
        }
        ("round" | "truncate", 1 | 2) => {
            let mut arguments = arguments.into_iter();
            let value = arguments.next().ok_or_else(unknown)?.numeric()?;
            let digits = arguments.next().map_or(Some(0), |digits| digits.constant_number());
            let digits = digits.filter(|digits| *digits <= MOST_SCALE && value.class == Class::Exact).ok_or_else(unknown)?;
            let function = if name == "round" { F::Round } else { F::Truncate };
            let tree = E::call(function, vec![E::call(F::Exact, vec![value.tree]), E::Number(digits.to_string())]);
            Ok(Typed { scale: digits.min(value.scale), ..Typed::of(tree, Class::Exact) })
        }
        ("floor" | "ceiling" | "ceil", 1) => {
            let [one] = take(arguments, unknown)?;
            let one = one.numeric()?;
            if one.class != Class::Exact {
                return Err(unknown());
            }
            let function = if name == "floor" { F::Floor } else { F::Ceiling };
            Ok(Typed::of(E::call(function, vec![one.exact().tree]), Class::Exact))
        }
        ("mod", 2) => {
            let [left, right] = take(arguments, unknown)?;
            arithmetic(&BinaryOperator::Modulo, left, right)
        }
        ("year" | "quarter" | "month" | "day" | "dayofmonth" | "hour" | "minute" | "date", 1) => {
            let [one] = take(arguments, unknown)?;
            of_time(name, one)
        }
        ("json_valid", 1) => {
            let [one] = take(arguments, unknown)?;
            if one.class != Class::Json { Err(unknown()) } else { Ok(Typed::bool(E::call(F::JsonValid, vec![one.tree]))) }
        }
        ("json_object", 0) => Ok(Typed { constant: true, ..Typed::of(E::Json("{}".into()), Class::Json) }),
        ("json_array", 0) => Ok(Typed { constant: true, ..Typed::of(E::Json("[]".into()), Class::Json) }),
        ("uuid", 0) => Ok(Typed::of(E::call(F::NewUuid, Vec::new()), Class::Text)),
        ("curdate" | "current_date", 0) => Ok(Typed::of(E::call(F::CurrentDate, Vec::new()), Class::Date)),
        ("now" | "current_timestamp" | "localtimestamp" | "localtime", 0 | 1) => {
            let digits = arguments.first().map_or(Some(0), Typed::constant_number).filter(|digits| *digits <= 6);
            let digits = digits.ok_or_else(unknown)?;
            Ok(Typed::of(E::call(F::CurrentTimestamp, vec![E::Number(digits.to_string())]), Class::Instant))
        }
        _ => text(name, arguments),
    }
}

/// Functions over text.
fn text(name: &str, arguments: Vec<Typed>) -> Read<Typed> {
    let unknown = || format!("`{name}()` is not translated, or not with these arguments");
    let mut arguments = labels_as_text(arguments);
    let Some(first) = arguments.first().cloned() else { return Err(unknown()) };
    if name == "concat" {
        let mut collation = None;
        let mut parts = Vec::new();
        for one in arguments {
            let one = as_text(one)?;
            collation = collation.or(one.collation);
            parts.push(one.tree);
        }
        return Ok(Typed { collation, ..Typed::of(E::call(F::Concat, parts), Class::Text) });
    }
    if first.class != Class::Text {
        return Err(unknown());
    }
    let rest = arguments.split_off(1);
    let whole: Option<Vec<u32>> = rest.iter().map(Typed::constant_number).collect();
    let trees = || -> Vec<E> { std::iter::once(first.tree.clone()).chain(rest.iter().map(|one| one.tree.clone())).collect() };
    let kept = |function: F| {
        let tree = E::call(function, trees());
        Ok(Typed { tree, constant: false, charset: String::new(), ..first.clone() })
    };
    match (name, rest.len(), whole) {
        ("lower" | "lcase", 0, _) => kept(F::Lower),
        ("trim", 0, _) => kept(F::Trim),
        ("ltrim", 0, _) => kept(F::TrimStart),
        ("rtrim", 0, _) => kept(F::TrimEnd),
        ("left", 1, Some(_)) => kept(F::Left),
        ("right", 1, Some(_)) => kept(F::Right),
        ("substr" | "substring" | "mid", 1 | 2, Some(numbers)) if numbers.first().is_some_and(|from| *from > 0) => {
            kept(F::Substring)
        }
        ("replace", 2, _) if rest.iter().all(|one| one.class == Class::Text && one.constant) => kept(F::Replace),
        ("char_length" | "character_length", 0, _) => Ok(Typed::of(E::call(F::CharLength, trees()), Class::Exact)),
        ("length" | "octet_length", 0, _) => match first.charset.as_str() {
            "utf8mb4" | "utf8mb3" | "utf8" => Ok(Typed::of(E::call(F::ByteLength, trees()), Class::Exact)),
            "latin1" | "ascii" | "latin2" | "cp1251" | "cp1252" => Ok(Typed::of(E::call(F::CharLength, trees()), Class::Exact)),
            _ => Err(unknown()),
        },
        ("upper" | "ucase", 0, _) => Err("`upper()` is not translated: the servers differ over letters such as `ß`".into()),
        _ => Err(unknown()),
    }
}

fn take<const N: usize>(arguments: Vec<Typed>, unknown: impl Fn() -> String) -> Read<[Typed; N]> {
    arguments.try_into().map_err(|_| unknown())
}

fn labels_as_text(arguments: Vec<Typed>) -> Vec<Typed> {
    let text = |one: Typed| match one.class {
        Class::Label => Typed { tree: E::call(F::AsText, vec![one.tree]), class: Class::Text, labels: Vec::new(), ..one },
        _ => one,
    };
    arguments.into_iter().map(text).collect()
}

/// A text, or a whole number in its digits.
fn as_text(one: Typed) -> Read<Typed> {
    match one.class {
        Class::Text => Ok(one),
        Class::Exact if one.scale == 0 && matches!(one.tree, E::Column { .. } | E::Number(_)) => {
            Ok(Typed::of(E::call(F::AsText, vec![one.tree]), Class::Text))
        }
        _ => Err("only text and columns of whole numbers are joined to text".into()),
    }
}

/// CASE and all that is one.
pub(super) fn case(branches: Vec<(E, Typed)>, otherwise: Typed) -> Read<Typed> {
    let (conditions, mut values): (Vec<E>, Vec<Typed>) = branches.into_iter().unzip();
    values.push(otherwise);
    let values = each_same(labels_as_text(values))?;
    let model = model(&values)?;
    let mut trees = values.into_iter().map(|value| value.tree);
    let mut arguments = Vec::new();
    for condition in conditions {
        arguments.push(condition);
        arguments.extend(trees.next());
    }
    arguments.extend(trees.next());
    Ok(Typed { tree: E::call(F::Case, arguments), ..model })
}

fn joined(function: F, values: Vec<Typed>) -> Read<Typed> {
    let model = model(&values)?;
    Ok(Typed { tree: E::call(function, values.into_iter().map(|value| value.tree).collect()), ..model })
}

/// The type of what is one of these.
fn model(values: &[Typed]) -> Read<Typed> {
    let known = || values.iter().filter(|value| !value.is_null());
    let Some(first) = known().next() else { return Err("NULL alone has no type".into()) };
    let collations: Vec<_> = known().filter_map(|value| value.collation.clone()).collect();
    if collations.windows(2).any(|pair| pair.first() != pair.last()) {
        return Err("texts of two collations are not brought together".into());
    }
    Ok(Typed {
        scale: known().map(|value| value.scale).max().unwrap_or(0),
        unsigned: known().any(|value| value.unsigned),
        collation: collations.into_iter().next(),
        class: if known().any(|value| value.class == Class::Timestamp) { Class::Timestamp } else { first.class },
        ..Typed::of(E::Null, first.class)
    })
}

fn of_time(name: &str, one: Typed) -> Read<Typed> {
    if one.class == Class::Instant {
        return Err(format!("`{name}()` of a TIMESTAMP depends on the time zone of the session"));
    }
    let function = match (name, one.class) {
        ("year", Class::Date | Class::Timestamp) => F::Year,
        ("quarter", Class::Date | Class::Timestamp) => F::Quarter,
        ("month", Class::Date | Class::Timestamp) => F::Month,
        ("day" | "dayofmonth", Class::Date | Class::Timestamp) => F::Day,
        ("hour", Class::Timestamp) => F::Hour,
        ("minute", Class::Timestamp) => F::Minute,
        ("date", Class::Timestamp) => return Ok(Typed::of(E::call(F::DateOf, vec![one.tree]), Class::Date)),
        ("date", Class::Date) => return Ok(one),
        _ => return Err(format!("`{name}()` is not translated for this argument")),
    };
    Ok(Typed::of(E::call(function, vec![one.tree]), Class::Exact))
}

/// CAST to the types that lose nothing on the way.
pub(super) fn cast(value: Typed, data_type: &DataType) -> Read<Typed> {
    match data_type {
        DataType::Signed | DataType::SignedInteger if matches!(value.class, Class::Exact | Class::Bool) && !value.unsigned => {
            let value = value.numeric()?;
            if value.scale == 0 {
                return Ok(value);
            }
            let tree = E::call(F::Round, vec![E::call(F::Exact, vec![value.tree]), E::Number("0".into())]);
            Ok(Typed::of(tree, Class::Exact))
        }
        DataType::Date => of_time("date", value),
        DataType::Char(None) => as_text(labels_as_text(vec![value]).pop().unwrap_or_else(Typed::null)),
        other => Err(format!("CAST to {other} is not translated")),
    }
}

/// The opposite number.
pub(super) fn negated(value: Typed) -> Read<Typed> {
    let value = value.numeric()?;
    Ok(Typed { tree: E::call(F::Negate, vec![value.tree.clone()]), unsigned: false, ..value })
}

/// `+ - * / DIV %`.
pub(super) fn arithmetic(op: &BinaryOperator, left: Typed, right: Typed) -> Read<Typed> {
    use BinaryOperator as B;
    let (left, right) = (left.numeric()?, right.numeric()?);
    if left.class == Class::Float || right.class == Class::Float {
        let function = match op {
            B::Plus => F::Add,
            B::Minus => F::Subtract,
            B::Multiply => F::Multiply,
            B::Divide => F::Quotient,
            other => return Err(format!("{other} of floats is not translated")),
        };
        return Ok(Typed::of(E::call(function, vec![left.double().tree, right.double().tree]), Class::Float));
    }
    let unsigned = left.unsigned || right.unsigned;
    let may_turn_negative = match op {
        B::Minus => true,
        B::Plus | B::Multiply | B::MyIntegerDivide => !left.never_negative() || !right.never_negative(),
        _ => false,
    };
    if unsigned && may_turn_negative && left.scale == 0 && right.scale == 0 {
        return Err("the source refuses negative results of unsigned numbers".into());
    }
    let (function, scale) = match op {
        B::Plus => (F::Add, left.scale.max(right.scale)),
        B::Minus => (F::Subtract, left.scale.max(right.scale)),
        B::Multiply => (F::Multiply, left.scale.saturating_add(right.scale)),
        B::Modulo => (F::Modulo, left.scale.max(right.scale)),
        B::MyIntegerDivide => (F::IntegerDivide, 0),
        // MySQL 9.7 stores 7/3 as 2.3333 in a column that has place for more, MariaDB 10.11 as 2.33333333, and compares it as 2.3333.
        B::Divide => return Err("a division of exact numbers ends at a digit that is the server's own".into()),
        other => return Err(format!("the operator {other} is not translated")),
    };
    if scale > MOST_SCALE {
        return Err(format!("a result with {scale} digits behind the point is not translated"));
    }
    let tree = E::call(function, vec![left.exact().tree, right.exact().tree]);
    Ok(Typed { scale, unsigned, ..Typed::of(tree, Class::Exact) })
}

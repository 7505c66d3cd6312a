//! What an expression in MySQL's SQL means: of a check, a default, a generated column, an index.
//!
//! A list of what is known to mean the same elsewhere, over the tree of a real parser; everything else is refused with a reason. The
//! text is what the server prints of a stored expression, so names are in backticks and modes of SQL have had their say.
//!
//! `typed` numbers, texts and times, and what MySQL compares them as; `functions` by their names.
//!
//! What the server refuses at run time, such as a sum that leaves 64 bits, the tree computes: no row that the source holds is one.

use sqlparser::ast::{BinaryOperator, DataType, Expr, Ident, TimezoneInfo, UnaryOperator, Value};
use sqlparser::dialect::MySqlDialect as Grammar;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::Token;

use self::typed::{Typed, compare, date_literal, each_same, like, timestamp_literal, truth};
use crate::model::catalog::Table;
use crate::model::expression::{Class, Expression as E, Function as F, Understood};

mod functions;
mod typed;

/// What an expression means, or why that is not known.
type Read<T> = Result<T, String>;

/// Longest expression that is read, in bytes.
const LONGEST: usize = 64 << 10;

/// Deepest tree: a stored plan has three levels of JSON for each, and readers of JSON end at 128.
const DEEPEST: usize = 32;

/// Deepest SQL, whose brackets are levels too.
const DEEPEST_SQL: usize = 100;

/// Stack for reading: the grammar makes a chain of operators as deep as it has links, and must take it apart again. It is reserved, and used only as far as needed.
const STACK_BYTES: usize = 256 << 20;

/// [`crate::engine::Dialect::understand`].
pub(super) fn understand(table: &Table, sql: &str) -> Read<Understood> {
    let brackets = sql.bytes().filter(|byte| *byte == b'(').count();
    match sql.len() {
        // Too short to be deep; most are.
        0..=100 if brackets <= 8 => read(table, sql),
        0..=LONGEST => on_a_long_stack(|| read(table, sql)),
        length => Err(format!("it has {length} bytes, of {LONGEST} at most")),
    }
}

/// The grammar calls itself once per level of a text that may be hostile, and so do we.
fn on_a_long_stack(work: impl FnOnce() -> Read<Understood> + Send) -> Read<Understood> {
    std::thread::scope(|threads| {
        let reader = std::thread::Builder::new().stack_size(STACK_BYTES).name("expression".into());
        match reader.spawn_scoped(threads, work).map(std::thread::ScopedJoinHandle::join) {
            Ok(Ok(read)) => read,
            Ok(Err(_)) => Err("it makes the reader of expressions stop; please report it".into()),
            Err(error) => Err(format!("no thread could be started to read it: {error}")),
        }
    })
}

fn read(table: &Table, sql: &str) -> Read<Understood> {
    let unreadable = |error: &dyn std::fmt::Display| format!("its SQL is not read: {error}");
    let mut parser = Parser::new(&Grammar {}).try_with_sql(sql).map_err(|error| unreadable(&error))?;
    let parsed = parser.parse_expr().map_err(|error| unreadable(&error))?;
    if parser.peek_token().token != Token::EOF {
        return Err(format!("its SQL is not read from `{}` on", parser.peek_token()));
    }
    let mut reader = Reader { table, note: None, depth: 0 };
    let typed = reader.enclosed(&parsed)?;
    if typed.class == Class::Any {
        return Err("its type is not known".into());
    }
    let depth = typed.tree.depth();
    if depth > DEEPEST {
        return Err(format!("it is nested {depth} levels deep, of {DEEPEST} at most"));
    }
    Ok(Understood { tree: typed.tree, class: typed.class, note: reader.note })
}

/// Walks over an expression.
struct Reader<'a> {
    table: &'a Table,
    note: Option<String>,
    /// Levels that are being read.
    depth: usize,
}

impl Reader<'_> {
    /// An expression in parentheses, or all of it: XOR is safe only here, since the grammar gives it another rank than MySQL does.
    fn enclosed(&mut self, expr: &Expr) -> Read<Typed> {
        if let Expr::BinaryOp { left, op: BinaryOperator::Xor, right } = expr {
            let safe = |side: &Expr| matches!(side, Expr::Nested(_) | Expr::Function(_) | Expr::Identifier(_));
            if !safe(left) || !safe(right) {
                return Err("XOR without parentheses is not read".into());
            }
            let (left, right) = (truth(self.expr(left)?)?, truth(self.expr(right)?)?);
            return Ok(Typed::bool(E::call(F::Xor, vec![left, right])));
        }
        self.expr(expr)
    }

    fn expr(&mut self, expr: &Expr) -> Read<Typed> {
        if self.depth == DEEPEST_SQL {
            return Err(format!("it is nested more than {DEEPEST_SQL} levels deep"));
        }
        self.depth += 1;
        let read = self.level(expr);
        self.depth -= 1;
        read
    }

    fn level(&mut self, expr: &Expr) -> Read<Typed> {
        match expr {
            Expr::Nested(inner) => self.enclosed(inner),
            Expr::Identifier(name) => self.column(name),
            Expr::CompoundIdentifier(parts) => match parts.last() {
                Some(name) => self.column(name),
                None => Err("an empty name".into()),
            },
            Expr::Value(value) => literal(&value.value),
            Expr::Prefixed { prefix, value } => introduced(prefix, value),
            Expr::TypedString(typed) => {
                let text = typed.value.value.clone().into_string().unwrap_or_default();
                match &typed.data_type {
                    DataType::Date => date_literal(&text),
                    DataType::Timestamp(_, TimezoneInfo::None) | DataType::Datetime(_) => timestamp_literal(&text),
                    other => Err(format!("constants of the type {other} are not translated")),
                }
            }
            Expr::UnaryOp { op, expr } => self.unary(*op, expr),
            Expr::BinaryOp { left, op, right } => self.binary(left, op, right),
            Expr::IsNull(inner) => Ok(Typed::bool(E::call(F::IsNull, vec![self.anything(inner)?]))),
            Expr::IsNotNull(inner) => {
                let null = E::call(F::IsNull, vec![self.anything(inner)?]);
                Ok(Typed::bool(E::call(F::Not, vec![null])))
            }
            Expr::IsTrue(inner) => self.is(F::IsTrue, inner, false),
            Expr::IsNotTrue(inner) => self.is(F::IsTrue, inner, true),
            Expr::IsFalse(inner) => self.is(F::IsFalse, inner, false),
            Expr::IsNotFalse(inner) => self.is(F::IsFalse, inner, true),
            Expr::InList { expr, list, negated } => {
                let found = self.in_list(expr, list)?;
                Ok(Typed::bool(negate_if(*negated, found)))
            }
            Expr::Between { expr, negated, low, high } => {
                let all = each_same(vec![self.expr(expr)?, self.expr(low)?, self.expr(high)?])?;
                let [value, low, high]: [Typed; 3] = all.try_into().map_err(|_| "BETWEEN is not read".to_string())?;
                let from = compare(F::LessOrEqual, low, value.clone(), &mut self.note)?;
                let to = compare(F::LessOrEqual, value, high, &mut self.note)?;
                Ok(Typed::bool(negate_if(*negated, E::call(F::And, vec![from, to]))))
            }
            Expr::Like { negated, any: false, expr, pattern, escape_char } => {
                let escape = escape_char.as_ref().map(|escape| escape.value.to_string());
                if escape.is_some_and(|escape| !matches!(escape.as_str(), r"'\'" | r"'\\'")) {
                    return Err("LIKE with an escape of its own is not translated".into());
                }
                let found = like(self.expr(expr)?, &self.expr(pattern)?, &mut self.note)?;
                Ok(Typed::bool(negate_if(*negated, found)))
            }
            Expr::Case { operand, conditions, else_result, .. } => {
                let mut branches = Vec::new();
                for when in conditions {
                    let condition = match operand {
                        None => truth(self.expr(&when.condition)?)?,
                        Some(operand) => compare(F::Equal, self.expr(operand)?, self.expr(&when.condition)?, &mut self.note)?,
                    };
                    branches.push((condition, self.expr(&when.result)?));
                }
                let otherwise = else_result.as_ref().map_or(Ok(Typed::null()), |expr| self.expr(expr))?;
                functions::case(branches, otherwise)
            }
            Expr::Collate { expr, collation } => {
                let typed = self.expr(expr)?;
                typed.collated(&collation.to_string().replace('`', ""))
            }
            Expr::Convert { expr, data_type: None, charset: Some(charset), .. } => {
                let typed = self.expr(expr)?;
                let unicode = charset.to_string().to_ascii_lowercase().starts_with("utf8");
                if unicode && typed.class == Class::Text { Ok(typed) } else { Err("CONVERT is not translated".into()) }
            }
            Expr::Cast { expr, data_type, array: false, format: None, .. } => {
                let value = self.expr(expr)?;
                functions::cast(value, data_type)
            }
            Expr::Substring { expr, substring_from, substring_for, .. } => {
                let mut arguments = vec![self.expr(expr)?];
                for part in [substring_from, substring_for].into_iter().flatten() {
                    arguments.push(self.expr(part)?);
                }
                functions::named("substr", arguments, &mut self.note)
            }
            Expr::Trim { trim_where, trim_what: None, expr, trim_characters: None } => {
                let name = match trim_where.as_ref().map(ToString::to_string).as_deref() {
                    None | Some("BOTH") => "trim",
                    Some("LEADING") => "ltrim",
                    Some(_) => "rtrim",
                };
                functions::named(name, vec![self.expr(expr)?], &mut self.note)
            }
            Expr::Ceil {
                expr,
                field: sqlparser::ast::CeilFloorKind::DateTimeField(sqlparser::ast::DateTimeField::NoDateTime),
            } => functions::named("ceiling", vec![self.expr(expr)?], &mut self.note),
            Expr::Floor {
                expr,
                field: sqlparser::ast::CeilFloorKind::DateTimeField(sqlparser::ast::DateTimeField::NoDateTime),
            } => functions::named("floor", vec![self.expr(expr)?], &mut self.note),
            Expr::Extract { field, expr, .. } => {
                let name = field.to_string().to_ascii_lowercase();
                functions::named(&name, vec![self.expr(expr)?], &mut self.note)
            }
            Expr::Function(function) => functions::call(self, function),
            other => Err(format!("`{other}` is not translated")),
        }
    }

    fn column(&self, name: &Ident) -> Read<Typed> {
        let known = self.table.column(&name.value);
        let known = known.or_else(|| self.table.columns.iter().find(|column| column.name.eq_ignore_ascii_case(&name.value)));
        match known {
            Some(column) => Typed::column(column),
            None => Err(format!("`{}` is no column of the table", name.value)),
        }
    }

    /// A column of any type, or an expression.
    fn anything(&mut self, expr: &Expr) -> Read<E> {
        let name = match expr {
            Expr::Nested(inner) => return self.anything(inner),
            Expr::Identifier(name) => Some(name),
            Expr::CompoundIdentifier(parts) => parts.last(),
            _ => None,
        };
        let column = name.and_then(|name| self.table.columns.iter().find(|one| one.name.eq_ignore_ascii_case(&name.value)));
        match column {
            Some(column) => Ok(E::Column { name: column.name.clone(), class: Class::Any }),
            None => Ok(self.expr(expr)?.tree),
        }
    }

    fn is(&mut self, what: F, inner: &Expr, negated: bool) -> Read<Typed> {
        let found = E::call(what, vec![truth(self.expr(inner)?)?]);
        Ok(Typed::bool(negate_if(negated, found)))
    }

    fn in_list(&mut self, expr: &Expr, list: &[Expr]) -> Read<E> {
        let value = self.expr(expr)?;
        let mut sought = Vec::new();
        let mut first = None;
        let mut each = Vec::new();
        for one in list {
            let found = compare(F::Equal, value.clone(), self.expr(one)?, &mut self.note)?;
            if let E::Call { arguments, .. } = &found
                && let [left, right] = arguments.as_slice()
            {
                let alike = first.get_or_insert_with(|| left.clone()) == left;
                if alike {
                    sought.push(right.clone());
                }
            }
            each.push(found);
        }
        match first {
            Some(first) if sought.len() == each.len() => {
                sought.insert(0, first);
                Ok(E::call(F::In, sought))
            }
            _ if each.len() > 1 => Ok(E::call(F::Or, each)),
            _ => Err("an IN list of this form is not translated".into()),
        }
    }

    fn unary(&mut self, op: UnaryOperator, expr: &Expr) -> Read<Typed> {
        match op {
            UnaryOperator::Not => Ok(Typed::bool(E::call(F::Not, vec![truth(self.expr(expr)?)?]))),
            // `!` binds more tightly than the grammar knows.
            UnaryOperator::BangNot if matches!(expr, Expr::Nested(_) | Expr::Identifier(_) | Expr::Function(_)) => {
                Ok(Typed::bool(E::call(F::Not, vec![truth(self.expr(expr)?)?])))
            }
            UnaryOperator::Plus => self.expr(expr),
            UnaryOperator::Minus => functions::negated(self.expr(expr)?),
            other => Err(format!("the operator {other} is not translated")),
        }
    }

    fn binary(&mut self, left: &Expr, op: &BinaryOperator, right: &Expr) -> Read<Typed> {
        use BinaryOperator as B;
        let comparison = match op {
            B::Eq => Some((F::Equal, false)),
            B::NotEq => Some((F::NotEqual, false)),
            B::Spaceship => Some((F::Same, false)),
            B::Lt => Some((F::Less, false)),
            B::LtEq => Some((F::LessOrEqual, false)),
            B::Gt => Some((F::Less, true)),
            B::GtEq => Some((F::LessOrEqual, true)),
            _ => None,
        };
        if let Some((function, swapped)) = comparison {
            let (left, right) = (self.expr(left)?, self.expr(right)?);
            let (left, right) = if swapped { (right, left) } else { (left, right) };
            return compare(function, left, right, &mut self.note).map(Typed::bool);
        }
        match op {
            B::And | B::Or => {
                let function = if *op == B::And { F::And } else { F::Or };
                // A chain is one call, however long it is.
                let (mut links, mut first) = (vec![right], left);
                while let Expr::BinaryOp { left, op: same, right } = first
                    && same == op
                {
                    links.push(right);
                    first = left;
                }
                links.push(first);
                let all = links.into_iter().rev().map(|link| truth(self.expr(link)?)).collect::<Read<Vec<_>>>()?;
                Ok(Typed::bool(E::call(function, all)))
            }
            B::Plus | B::Minus | B::Multiply | B::Divide | B::Modulo | B::MyIntegerDivide => {
                // The grammar takes all that follows DIV for its right side.
                let atom = matches!(right, Expr::Nested(_) | Expr::Identifier(_) | Expr::Value(_) | Expr::Function(_));
                if *op == B::MyIntegerDivide && !atom {
                    return Err("DIV without parentheses is not read".into());
                }
                let (left, right) = (self.expr(left)?, self.expr(right)?);
                functions::arithmetic(op, left, right)
            }
            B::StringConcat => Err("`||` means OR or CONCAT, as the SQL mode says".into()),
            B::Xor => Err("XOR without parentheses is not read".into()),
            other => Err(format!("the operator {other} is not translated")),
        }
    }
}

fn negate_if(negated: bool, tree: E) -> E {
    if negated { E::call(F::Not, vec![tree]) } else { tree }
}

fn literal(value: &Value) -> Read<Typed> {
    match value {
        Value::Number(digits, _) => Ok(Typed::number(digits)),
        Value::SingleQuotedString(text) | Value::DoubleQuotedString(text) => Typed::text(text),
        Value::Boolean(truth) => Ok(Typed::bool(E::Bool(*truth))),
        Value::Null => Ok(Typed::null()),
        other => Err(format!("the constant {other} is not translated")),
    }
}

/// `_utf8mb4'…'`, as MySQL 8 prints constants.
fn introduced(prefix: &Ident, value: &Expr) -> Read<Typed> {
    let charset = prefix.value.to_ascii_lowercase();
    let Expr::Value(value) = value else { return Err(format!("`{prefix}` is not translated")) };
    match &value.value {
        Value::SingleQuotedString(text) | Value::DoubleQuotedString(text)
            if charset.starts_with("_utf8") || (text.is_ascii() && charset != "_binary") =>
        {
            Typed::text(text)
        }
        _ => Err(format!("a constant of the character set `{}` is not translated", charset.trim_start_matches('_'))),
    }
}

#[cfg(test)]
mod tests {
    use super::super::typemap::parse::native_type;
    use super::*;
    use crate::engine::Dialect;
    use crate::model::ObjectName;
    use crate::model::catalog::Column;

    fn column(name: &str, native: &str, collation: Option<&str>) -> Column {
        let mut native = native_type(native).unwrap();
        native.collation = collation.map(str::to_string);
        native.charset = collation.map(|_| "utf8mb4".to_string());
        Column::new(name, super::super::MySqlDialect.to_logical(&native), native)
    }

    fn table() -> Table {
        Table {
            columns: vec![
                column("a", "int(11)", None),
                column("u", "int(10) unsigned", None),
                column("t", "varchar(20)", Some("utf8mb4_general_ci")),
                column("b", "varchar(20)", Some("utf8mb4_bin")),
                column("d", "date", None),
                column("e", "enum('New','old')", Some("utf8mb4_general_ci")),
            ],
            ..Table::new(ObjectName::new("", "t"))
        }
    }

    fn refused(sql: &str) -> String {
        understand(&table(), sql).expect_err(sql)
    }

    #[test]
    fn text_under_a_collation_without_case_is_compared_so_and_that_is_noted() {
        let read = understand(&table(), "`t` in (_utf8mb4'New ',_utf8mb4'paid')").unwrap();
        let column = E::call(F::FoldAscii, vec![E::call(F::TrimEnd, vec![E::Column { name: "t".into(), class: Class::Text }])]);
        let expected = E::call(F::In, vec![column, E::Text("new".into()), E::Text("paid".into())]);
        assert_eq!((read.tree, read.class), (expected, Class::Bool));
        assert!(read.note.unwrap().contains("utf8mb4_general_ci"));
        assert!(understand(&table(), "`b` = 'x'").unwrap().note.is_none());
    }

    #[test]
    fn a_label_is_found_as_the_collation_finds_it() {
        let read = understand(&table(), "`e` = 'NEW'").unwrap();
        let column = E::Column { name: "e".into(), class: Class::Label };
        assert_eq!(read.tree, E::call(F::Equal, vec![column, E::Text("New".into())]));
        assert!(refused("`e` = 'gone'").contains("label"));
    }

    #[test]
    fn a_chain_is_one_call_and_a_deep_or_a_long_expression_is_refused() {
        let chain: Vec<String> = (0..5000).map(|number| format!("`a` <> {number}")).collect();
        let read = understand(&table(), &chain[..3].join(" and ")).unwrap();
        assert!(matches!(&read.tree, E::Call { function: F::And, arguments } if arguments.len() == 3), "{read:?}");
        let read = understand(&table(), chain.join(" or ")[..60_000].rsplit_once(" or ").unwrap().0).unwrap();
        assert_eq!(read.tree.depth(), 3);
        assert!(refused(&chain.join(" or ")).contains("bytes"));
        let nested = |levels: usize| format!("{}`a`{}", "abs(".repeat(levels), ")".repeat(levels));
        assert!(understand(&table(), &nested(20)).is_ok());
        for levels in [45, 60, 1000, 10_000] {
            refused(&nested(levels));
        }
        assert!(refused(&["`a`"; 60].join(" + ")).contains("levels deep"));
        assert!(refused(&format!("`a`{}", " + 1".repeat(15_000))).contains("levels deep"));
        for hostile in ["(", "coalesce((`a`,", "- ", "not ", "case when ", "`a` in (", "((((`a`)) and ("] {
            refused(&hostile.repeat(60_000 / hostile.len()));
        }
    }

    #[test]
    fn what_is_not_known_to_mean_the_same_is_refused_with_a_reason() {
        for (sql, why) in [
            ("md5(`t`)", "`md5()`"),
            ("`t` = 'é'", "letters"),
            ("`t` < 'b'", "order of text"),
            ("`u` - `a` > 0", "unsigned"),
            ("`a` > 1 xor `a` > 2", "XOR"),
            ("`a` DIV 2 > 1", "DIV"),
            ("`a` || `a`", "CONCAT"),
            ("`a` / 3", "division"),
            ("`a` regexp 'x'", "not translated"),
            ("`d` > '2000-02-30'", "no date"),
            ("`nowhere` > 1", "no column"),
            ("`a` > 1 garbage", "not read"),
            ("(select 1)", "not translated"),
        ] {
            let said = refused(sql);
            assert!(said.contains(why), "{sql}: {said}");
        }
    }
}

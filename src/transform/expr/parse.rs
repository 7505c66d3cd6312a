//! The text of an expression, read; and what has no place in one, refused with its place in the text.

use std::ops::ControlFlow;

use datafusion_sql::sqlparser::ast::{Expr, Function, ObjectName, ObjectNamePart, Query, Spanned, Value, Visit, Visitor};
use datafusion_sql::sqlparser::dialect::GenericDialect;
use datafusion_sql::sqlparser::parser::Parser;
use datafusion_sql::sqlparser::tokenizer::{Span, Token, Tokenizer};

use super::fault::at;
use super::functions::{Known, functions};
use super::scope::Scope;
use crate::config::nearest;
use crate::error::{Error, ErrorKind, Result};

/// Most words and signs of an expression.
const MOST_TOKENS: usize = 20_000;

/// Deepest nesting of an expression, and longest chain of operators: each level is a call within a call when a batch is evaluated.
const DEEPEST: usize = 100;

/// Reads one expression.
///
/// # Errors
/// `Mapping` for what is too long or nested too deep; for what is no SQL expression; and, all at once, for names that are not known and for what has no place in an expression over
/// one row: subqueries, aggregates, window functions, functions whose result varies.
pub fn parse(sql: &str, scope: &Scope) -> Result<Expr> {
    read(sql, Some(scope))
}

/// As [`parse`], for a text whose columns are not known.
///
/// # Errors
/// As for [`parse`], without those about names of columns.
pub fn parse_alone(sql: &str) -> Result<Expr> {
    read(sql, None)
}

fn read(sql: &str, scope: Option<&Scope>) -> Result<Expr> {
    let syntax = |error: &dyn std::fmt::Display| {
        let what = error.to_string();
        let what = what.trim_start_matches("sql parser error: ").to_string();
        Error::new(ErrorKind::Mapping, format!("the expression `{}` is no SQL expression: {what}", sql.trim())).hint(
            "Close each bracket and quote; text stands in single quotes, a name with other signs than letters in double quotes",
        )
    };
    let tokens = Tokenizer::new(&GenericDialect {}, sql).tokenize_with_location().map_err(|error| syntax(&error))?;
    if tokens.len() > MOST_TOKENS {
        return Err(at(sql, Span::empty(), &format!("it is longer than {MOST_TOKENS} words and signs")));
    }
    let mut parser = Parser::new(&GenericDialect {}).with_tokens_with_locations(tokens);
    let parsed = parser.parse_expr().map_err(|error| syntax(&error))?;
    let rest = parser.peek_token();
    if rest.token != Token::EOF {
        let what = format!("`{}` follows the end of the expression", rest.token);
        return Err(at(sql, rest.span, &what).hint("Write one expression, and nothing behind it"));
    }
    let mut check = Check { sql, scope, depth: 0, deepest: 0, faults: Vec::new() };
    let _ = parsed.visit(&mut check);
    if check.deepest > DEEPEST {
        let what = format!("it is {} levels deep, of {DEEPEST} at most", check.deepest);
        return Err(at(sql, Span::empty(), &what)
            .hint("Use `IN (…)`, `concat(…)`, `coalesce(…)` in the place of a long chain, or fewer brackets"));
    }
    match Error::many(check.faults) {
        Some(error) => Err(error),
        None => Ok(parsed),
    }
}

/// The parts of an expression that are expressions themselves, inner ones first, each with its place.
pub fn parts(parsed: &Expr) -> Vec<(Expr, Span)> {
    struct Collect(Vec<(Expr, Span)>);
    impl Visitor for Collect {
        type Break = ();
        fn post_visit_expr(&mut self, part: &Expr) -> ControlFlow<()> {
            self.0.push((part.clone(), part.span()));
            ControlFlow::Continue(())
        }
    }
    let mut collect = Collect(Vec::new());
    let _ = parsed.visit(&mut collect);
    collect.0
}

struct Check<'a> {
    sql: &'a str,
    /// None where the columns are not known.
    scope: Option<&'a Scope>,
    depth: usize,
    deepest: usize,
    faults: Vec<Error>,
}

impl Check<'_> {
    fn refuse(&mut self, span: Span, what: &str, hint: impl Into<String>) {
        self.faults.push(at(self.sql, span, what).hint(hint));
    }

    fn function(&mut self, function: &Function) {
        let span = function.name.span();
        let name = bare(&function.name);
        if function.over.is_some() {
            self.refuse(
                span,
                &format!("`{name}` is a window function here, which needs other rows"),
                "Use functions of one row only",
            );
            return;
        }
        match functions().known(&name) {
            Known::Function => {}
            Known::Volatile => self.refuse(
                span,
                &format!("`{name}` gives another value at each call, so that the copy could be neither resumed nor verified"),
                "Compute the value from the row, as `sha256(…)` or `md5(…)` of its key",
            ),
            Known::Aggregate => {
                self.refuse(
                    span,
                    &format!("`{name}` is over many rows"),
                    "Use functions of one row only: `greatest`, `least`, `array_…`",
                );
            }
            Known::Unknown => {
                let hint = match nearest::nearest(&name, functions().names()) {
                    Some(near) => format!("Did you mean `{near}`?"),
                    None => "See the scalar functions of DataFusion; `TRY_CAST` and `CAST` are how to cast".into(),
                };
                self.refuse(span, &format!("there is no function `{name}`"), hint);
            }
        }
    }
}

fn bare(name: &ObjectName) -> String {
    match name.0.as_slice() {
        [ObjectNamePart::Identifier(ident)] => ident.value.clone(),
        _ => name.to_string(),
    }
}

impl Visitor for Check<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        self.refuse(query.span(), "a subquery needs other rows", "Use the columns of the row only");
        // What is inside has names of its own.
        ControlFlow::Break(())
    }

    fn post_visit_expr(&mut self, _part: &Expr) -> ControlFlow<()> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, part: &Expr) -> ControlFlow<()> {
        self.depth += 1;
        self.deepest = self.deepest.max(self.depth);
        match part {
            Expr::Identifier(name) => {
                if let Some(scope) = self.scope.filter(|scope| scope.logical(&name.value).is_none()) {
                    let hint = nearest::hint(&name.value, scope.names());
                    self.refuse(name.span, &format!("there is no column `{}`", name.value), hint);
                }
            }
            Expr::CompoundIdentifier(names) => {
                let name = part.to_string();
                let hint = match names.last() {
                    Some(last) if self.scope.is_none_or(|scope| scope.logical(&last.value).is_some()) => {
                        format!("Write `{last}`")
                    }
                    _ => "Columns are named alone; text stands in single quotes".into(),
                };
                self.refuse(part.span(), &format!("`{name}` names a column with its table"), hint);
            }
            Expr::Value(value) if matches!(value.value, Value::Placeholder(_)) => {
                self.refuse(value.span, "there are no parameters", "Write the value itself");
            }
            Expr::Function(function) => self.function(function),
            Expr::Lambda(_) => self.refuse(part.span(), "lambda functions have no place here", "Use plain functions"),
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

//! Where in an expression something is wrong, and DataFusion's errors in our words.

use arrow::error::ArrowError;
use datafusion_common::DataFusionError;
use datafusion_sql::sqlparser::tokenizer::Span;

use crate::error::{Error, ErrorKind};

/// Most characters of an expression in a message.
const SHOWN_CHARS: usize = 60;

/// An error at a place of an expression. The place is counted from 1, in lines and in characters.
pub fn at(sql: &str, span: Span, what: &str) -> Error {
    let shown = excerpt(sql);
    let place = if span == Span::empty() || span.start.line == 0 {
        String::new()
    } else {
        format!(" at {}:{}", span.start.line, span.start.column)
    };
    Error::new(ErrorKind::Mapping, format!("the expression `{shown}` is wrong{place}: {what}"))
}

/// The expression on one line, cut with `…`.
fn excerpt(sql: &str) -> String {
    let line = sql.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut cut: String = line.chars().take(SHOWN_CHARS).collect();
    if cut.len() < line.len() {
        cut.push('…');
    }
    cut
}

/// What DataFusion says, without its prefixes and without advice for its own maintainers.
pub fn words(error: &DataFusionError) -> String {
    match error {
        DataFusionError::ArrowError(error, _) => arrow_words(error),
        DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => words(inner),
        DataFusionError::Shared(inner) => words(inner),
        DataFusionError::Collection(all) => all.first().map(words).unwrap_or_default(),
        DataFusionError::External(error) => error.to_string(),
        other => {
            let message = other.message();
            let message = message.split(DataFusionError::BACK_TRACE_SEP).next().unwrap_or_default();
            let end = message.find("\n").unwrap_or(message.len());
            message.get(..end).unwrap_or(message).trim().trim_end_matches('.').to_string()
        }
    }
}

fn arrow_words(error: &ArrowError) -> String {
    match error {
        ArrowError::DivideByZero => "division by zero".into(),
        ArrowError::ArithmeticOverflow(what) => {
            format!("overflow: {}", what.trim_start_matches("Overflow happened on: "))
        }
        ArrowError::CastError(what)
        | ArrowError::ParseError(what)
        | ArrowError::ComputeError(what)
        | ArrowError::InvalidArgumentError(what) => match what.as_str() {
            // Arrow's words for a reading of no instant, or of two.
            "Cannot cast timezone to different timezone" => {
                "the clock of that zone shows this reading never, or twice, since it is put forward and back in that hour".into()
            }
            _ => what.clone(),
        },
        ArrowError::ExternalError(error) => match error.downcast_ref::<DataFusionError>() {
            Some(error) => words(error),
            None => error.to_string(),
        },
        other => other.to_string(),
    }
}

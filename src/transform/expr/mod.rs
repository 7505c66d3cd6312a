//! SQL expressions over the columns of a row, by DataFusion: what a column becomes (`expr`), and which rows are carried (`where`).
//!
//! The meaning of an expression is DataFusion's, with these differences, so that nothing is ever changed in silence:
//! * Names keep their case, quoted or not: `Name` and `"Name"` are the same column, `name` is another.
//! * `0.1` is a decimal. It becomes a binary float only beside one, and then the nearest.
//! * `+ - * / %`, unary minus: overflow and division by zero are errors, for floats too. Integers divide to integers, and decimals to four
//!   more digits of fraction than the dividend has. Functions over floats give what IEEE 754 says: `ln(0)` is -infinity.
//! * A cast, written or implied, keeps the value or is an error. `round(…)`, `trunc(…)` and `date_trunc(…)` are how to lose digits on purpose;
//!   [`Rounding`] lets every cast of an expression do so. `TRY_CAST` gives NULL where a cast would be an error.
//! * A wall-clock reading becomes an instant, or the other way, only by name: `ts AT TIME ZONE 'Europe/Berlin'`, `to_local_time(…)`. Text and date
//!   constants beside an instant are in UTC.
//! * `TIMESTAMP` and `TIME` have microseconds. `now()` and its kin are the start of the run, in UTC.
//! * The dates and timestamps that mean infinity can be compared and passed on; a calculation with one is an error.
//! * Functions whose result varies from call to call, aggregates, window functions and subqueries are refused.
//!
//! How the types without an Arrow type of their own look: an enumeration and JSON are text, a set is a list of text (`array_has(tags, 'new')`),
//! a geometry and bits are bytes (EWKB; the bits from the highest), a UUID is 16 bytes, an unbounded `numeric` is text
//! (`CAST(n AS DECIMAL(38, 10))`). A column that is passed on as it is keeps its type.
//!
//! A condition that guards a calculation belongs in `CASE WHEN b <> 0 THEN a / b END` or `a / nullif(b, 0)`: both sides of `AND` may be computed.
//!
//! `scope` names the columns · `functions` are those at hand · `parse` reads the text and refuses what has no place · `rewrite` makes it
//! strict, with `arithmetic` and `cast` (whose number casts are `digits`) · `compile` joins these · `expression` and `predicate` are
//! what the outside sees · `pushdown` says what of a predicate the source can do itself ·
//! `captures` puts what a pattern matched into texts.

mod arithmetic;
pub(crate) mod captures;
mod cast;
mod compile;
mod digits;
mod expression;
mod fault;
mod finite;
mod functions;
mod natural;
mod parse;
mod predicate;
mod pushdown;
mod rewrite;
mod scope;

pub use cast::Rounding;
pub use compile::check_alone;
pub use expression::Expression;
pub use predicate::Predicate;
pub use pushdown::Pushdown;
pub use scope::Scope;

#[cfg(test)]
mod tests;

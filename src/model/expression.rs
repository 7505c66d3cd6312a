//! Expressions of checks, defaults, generated columns and indexes, free of any engine's SQL.
//!
//! An engine that is read from makes trees of its own SQL, one that is written to prints them. Each node has one meaning, written down
//! here, so that a source says only what it means and a target prints only what means the same; neither knows the other. What has no
//! node here is not translated.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// What sort of values an expression has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Whole and decimal numbers.
    Exact,
    /// Numbers of IEEE 754.
    Float,
    /// True, false, unknown.
    Bool,
    /// Characters, compared by their bytes.
    Text,
    /// A label of an enumeration.
    Label,
    /// A day.
    Date,
    /// A reading of a clock and calendar without a zone.
    Timestamp,
    /// An instant.
    Instant,
    /// JSON.
    Json,
    /// Anything: only asked whether it is NULL.
    Any,
}

/// An expression over a row. Every function is NULL when one of its arguments is, unless it says otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expression {
    /// NULL.
    Null,
    /// True or false.
    Bool(bool),
    /// A number, in digits, with a point and an exponent if need be, without a sign.
    Number(String),
    /// Text, or a label when it stands beside one.
    Text(String),
    /// A day, `YYYY-MM-DD`.
    Date(String),
    /// A reading of a clock and calendar, `YYYY-MM-DD HH:MM:SS[.ffffff]`.
    Timestamp(String),
    /// JSON text.
    Json(String),
    /// A column of the row.
    Column {
        /// Its name.
        name: String,
        /// What it is taken for.
        class: Class,
    },
    /// A function of other expressions.
    Call {
        /// The function.
        function: Function,
        /// Its arguments.
        arguments: Vec<Expression>,
    },
}

/// A function or an operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Function {
    /// Three-valued; of two or more.
    And,
    /// Three-valued; of two or more.
    Or,
    /// Three-valued.
    Not,
    /// Unknown if one of them is.
    Xor,
    /// Never NULL.
    IsNull,
    /// Of a Bool; never NULL.
    IsTrue,
    /// Of a Bool; never NULL.
    IsFalse,
    /// Both of one class; text by its bytes.
    Equal,
    /// See [`Function::Equal`].
    NotEqual,
    /// Numbers and times only.
    Less,
    /// Numbers and times only.
    LessOrEqual,
    /// Never NULL: two NULLs are the same.
    Same,
    /// The first among the others; unknown as a chain of Equal is.
    In,
    /// Text like a pattern of `%`, `_` and the escape `\`; letters by their bytes.
    Like,
    /// A number of 1 for true and 0 for false.
    Integer,
    /// An exact number as one whose sums, differences and products are exact.
    Exact,
    /// A number as the nearest 64-bit float.
    Double,
    /// Of two Exact or two Double.
    Add,
    /// Of two Exact or two Double.
    Subtract,
    /// Of two Exact or two Double.
    Multiply,
    /// Of two Double; NULL when the second is 0.
    Quotient,
    /// Of two Exact, cut off towards zero; NULL when the second is 0.
    IntegerDivide,
    /// Of two Exact, with the sign of the first; NULL when the second is 0.
    Modulo,
    /// The number's opposite.
    Negate,
    /// Without its sign.
    Absolute,
    /// An exact number rounded to so many digits, half away from zero.
    Round,
    /// An exact number cut off at so many digits.
    Truncate,
    /// The largest whole number that is not larger.
    Floor,
    /// The smallest whole number that is not smaller.
    Ceiling,
    /// The largest; NULL if one is.
    Greatest,
    /// The smallest; NULL if one is.
    Least,
    /// Condition, result, condition, result …, and the result when none is true.
    Case,
    /// The first that is not NULL.
    Coalesce,
    /// A whole number in digits, or a label, as text.
    AsText,
    /// The letters A to Z made small, nothing else.
    FoldAscii,
    /// Without spaces at its end.
    TrimEnd,
    /// Without spaces at its start.
    TrimStart,
    /// Without spaces at both ends.
    Trim,
    /// All letters made small, as Unicode says.
    Lower,
    /// In characters.
    CharLength,
    /// In bytes of UTF-8.
    ByteLength,
    /// One text after the other.
    Concat,
    /// So many characters, from 0 on, from the start.
    Left,
    /// So many characters, from 0 on, from the end.
    Right,
    /// From a position, counted from 1, to the end, or for so many characters.
    Substring,
    /// Each occurrence of the second in the first, by its bytes, becomes the third.
    Replace,
    /// Of a Date or Timestamp.
    Year,
    /// Of a Date or Timestamp, from 1.
    Quarter,
    /// Of a Date or Timestamp, from 1.
    Month,
    /// Of a Date or Timestamp, from 1.
    Day,
    /// Of a Timestamp.
    Hour,
    /// Of a Timestamp.
    Minute,
    /// The day of a Timestamp.
    DateOf,
    /// Whether a Json column holds JSON, which its type demands.
    JsonValid,
    /// The day of the statement.
    CurrentDate,
    /// The time of the statement, to so many digits of the second's fraction.
    CurrentTimestamp,
    /// A UUID that nobody has had before, as text.
    NewUuid,
}

impl Expression {
    /// A call.
    pub fn call(function: Function, arguments: Vec<Expression>) -> Self {
        Expression::Call { function, arguments }
    }

    /// The names of the columns that it looks at.
    pub fn columns(&self) -> BTreeSet<&str> {
        let mut names = BTreeSet::new();
        self.gather(&mut names);
        names
    }

    fn gather<'e>(&'e self, names: &mut BTreeSet<&'e str>) {
        match self {
            Expression::Column { name, .. } => {
                names.insert(name);
            }
            Expression::Call { arguments, .. } => arguments.iter().for_each(|argument| argument.gather(names)),
            _ => {}
        }
    }

    /// How many levels it has: 1 without arguments.
    pub fn depth(&self) -> usize {
        match self {
            Expression::Call { arguments, .. } => 1 + arguments.iter().map(Expression::depth).max().unwrap_or_default(),
            _ => 1,
        }
    }

    /// Gives each column another name.
    pub fn rename(&mut self, renamed: &impl Fn(&str) -> Option<String>) {
        match self {
            Expression::Column { name, .. } => {
                if let Some(other) = renamed(name) {
                    *name = other;
                }
            }
            Expression::Call { arguments, .. } => arguments.iter_mut().for_each(|argument| argument.rename(renamed)),
            _ => {}
        }
    }
}

/// What was understood of an expression.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Understood {
    /// The tree.
    pub tree: Expression,
    /// What sort of values it has.
    pub class: Class,
    /// Where the tree means a little less, or more, than the source does, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl Understood {
    /// As a condition; none for what is neither true nor false nor a number.
    pub fn condition(&self) -> Option<Expression> {
        match self.class {
            Class::Bool => Some(self.tree.clone()),
            Class::Exact | Class::Float => {
                Some(Expression::call(Function::NotEqual, vec![self.tree.clone(), Expression::Number("0".into())]))
            }
            _ => None,
        }
    }

    /// As a value: a truth is 1 or 0.
    pub fn value(&self) -> (Expression, Class) {
        match self.class {
            Class::Bool => (Expression::call(Function::Integer, vec![self.tree.clone()]), Class::Exact),
            class => (self.tree.clone(), class),
        }
    }
}

/// What became of an expression in a source's SQL.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reading {
    /// It was understood, in the names of the table that holds it.
    Understood(Understood),
    /// It was not, and why.
    Unread(String),
}

impl Reading {
    /// The tree, or why there is none.
    ///
    /// # Errors
    /// Why it was not understood.
    pub fn understood(&self) -> Result<&Understood, String> {
        match self {
            Reading::Understood(understood) => Ok(understood),
            Reading::Unread(why) => Err(why.clone()),
        }
    }
}

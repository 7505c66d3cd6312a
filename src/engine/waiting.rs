//! What a server does for a run at this moment.

/// One session of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// What it does or waits for, for people: the statement, and who holds what it waits for.
    pub what: String,
    /// The server is busy with it, so that it will end by itself.
    pub working: bool,
}

/// The start of a statement, on one line, for messages.
pub fn shortened(sql: &str) -> String {
    let line = sql.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= 120 { line } else { line.chars().take(119).chain(['…']).collect() }
}

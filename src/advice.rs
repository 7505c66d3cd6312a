//! From the kind of an error to what follows: may the chunk be tried again, and what should the operator do?
//!
//! This is the only place that decides either.

use crate::error::ErrorKind;

/// Whether the same work may be done again by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// No: it would fail again.
    Never,
    /// Yes, the whole chunk, on a new connection, after a pause.
    Later,
}

/// What follows from a kind of error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Advice {
    /// May the chunk be tried again?
    pub retry: Retry,
    /// The standing hint, used when the error has none of its own.
    pub hint: Option<&'static str>,
}

/// The advice for `kind`.
pub fn advice(kind: ErrorKind) -> Advice {
    use ErrorKind as K;
    let retry = match kind {
        // A server that starts again refuses connections for a while, so one that cannot be reached in the midst of a run is waited for, too.
        K::ConnectionLost | K::Unreachable | K::Timeout | K::Deadlock | K::TooManyConnections => Retry::Later,
        _ => Retry::Never,
    };
    let hint = match kind {
        K::Unreachable => Some("Check host and port, and that the server accepts connections from here"),
        K::LoginRefused => Some("Check user and password; a password belongs in `${NAME}` from the environment"),
        K::UnknownDatabase => Some("Create the database first, or correct its name in the URL"),
        K::MissingRight => Some("Grant the right to the user, or connect as another one"),
        K::TargetExists => Some("Choose another schema with `--schema`, or say what to do with `--if-exists`"),
        K::ConnectionLost | K::Timeout | K::Deadlock => {
            Some("Run the same command again with `--resume`; `--retry-for` sets how long a run tries by itself")
        }
        K::TooLarge => {
            Some("Raise `max_allowed_packet` on that server to more than its largest row, and then go on with `--resume`")
        }
        K::TooManyConnections => Some("Lower `--jobs`, or free connections on the server"),
        K::DiskFull => Some("Make room on the target, then run the same command again with `--resume`"),
        K::SchemaChanged => Some("Make a new plan with `dbferry plan`"),
        K::Interrupted => Some("Run the same command again with `--resume`"),
        K::Internal => Some("This is a bug in dbferry; please report it with the command and this text"),
        _ => None,
    };
    Advice { retry, hint }
}

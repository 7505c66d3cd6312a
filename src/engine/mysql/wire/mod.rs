//! Our own client of the MySQL protocol, for the sessions that carry rows.
//!
//! The driver makes an object of each row and a copy of each value. Here rows are found in the buffer that they were received in, and
//! decoders read them there: no allocation for a row or a value. Everything else of the source stays with the driver.
//!
//! `socket` the way to the server, `tls` encryption; `packets` the framing, `fields` what is in a packet; `login` the handshake and the
//! passwords; `session` statements; `rows` results in the binary protocol, `ahead` how wide one is before it is received; `fault` what can
//! go wrong.
//! The pages that are named in the files are those of "MySQL Source Code Documentation", "Client/Server Protocol"; MariaDB's "Clients &
//! Utilities / Client/server protocol" agrees with all that is used here.

mod ahead;
mod fault;
mod fields;
mod login;
mod packets;
#[cfg(test)]
mod random;
mod rows;
mod session;
mod socket;
mod tls;

pub(super) use fault::Fault;
pub(super) use login::Login;
pub(super) use rows::{Block, Rows, Sample, Step, Wide};
pub(super) use session::{Bound, Field, Session};
pub(super) use tls::{Tls, TlsMode};

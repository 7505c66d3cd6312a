//! Stub.

use sqlx::PgConnection;

use crate::error::Result;
use crate::model::catalog::ServerInfo;

pub(super) async fn check(
    _connection: &mut PgConnection,
    _server: &ServerInfo,
    _schemas: &[String],
    _owner: Option<&str>,
    _ledger_schema: &str,
) -> Result<()> {
    unimplemented!()
}

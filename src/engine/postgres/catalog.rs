//! Stub.

use sqlx::PgConnection;

use crate::error::Result;
use crate::model::{ObjectName, Table};

pub(super) async fn existing(_connection: &mut PgConnection, _tables: &[ObjectName]) -> Result<Vec<Table>> {
    unimplemented!()
}

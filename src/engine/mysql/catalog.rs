//! Stub.
use sqlx::MySqlConnection;

use crate::engine::TableFilter;
use crate::error::Result;
use crate::model::catalog::{Catalog, ServerInfo};

pub(super) async fn read(_: &mut MySqlConnection, server: &ServerInfo, _: &TableFilter) -> Result<Catalog> {
    Ok(Catalog { server: server.clone(), ..Catalog::default() })
}

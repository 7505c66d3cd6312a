//! Stub.
use crate::engine::{Ddl, DdlOptions, Dialect, Fidelity, Quoted};
use crate::error::{Error, Result};
use crate::model::LogicalType;
use crate::model::catalog::{NativeType, Problem, ServerInfo, Table};

/// Stub.
pub struct MySqlDialect;

impl Dialect for MySqlDialect {
    fn to_logical(&self, _: &NativeType) -> Option<LogicalType> {
        None
    }
    fn parse_type(&self, _: &str) -> Result<NativeType> {
        Err(Error::internal("stub"))
    }
    fn to_native(&self, _: &LogicalType, _: &ServerInfo) -> Result<(NativeType, Fidelity)> {
        Err(Error::internal("stub"))
    }
    fn quote(&self, name: &str) -> Quoted {
        Quoted(format!("`{}`", name.replace('`', "``")))
    }
    fn max_name_bytes(&self) -> Option<usize> {
        None
    }
    fn index_names_per_schema(&self) -> bool {
        false
    }
    fn default_schema(&self) -> &'static str {
        ""
    }
    fn ddl(&self, _: &[Table], _: &DdlOptions) -> (Vec<Ddl>, Vec<Problem>) {
        (Vec::new(), Vec::new())
    }
}

//! Stub.

use crate::engine::{Ddl, DdlOptions, Dialect, Fidelity, Quoted};
use crate::error::Result;
use crate::model::LogicalType;
use crate::model::catalog::{NativeType, Problem, ServerInfo, Table};

/// Stub.
pub struct PostgresDialect;

impl Dialect for PostgresDialect {
    fn to_logical(&self, _: &NativeType) -> Option<LogicalType> {
        unimplemented!()
    }
    fn parse_type(&self, _: &str) -> Result<NativeType> {
        unimplemented!()
    }
    fn to_native(&self, _: &LogicalType, _: &ServerInfo) -> Result<(NativeType, Fidelity)> {
        unimplemented!()
    }
    fn quote(&self, name: &str) -> Quoted {
        Quoted(format!("\"{}\"", name.replace('"', "\"\"")))
    }
    fn max_name_bytes(&self) -> Option<usize> {
        Some(63)
    }
    fn index_names_per_schema(&self) -> bool {
        true
    }
    fn default_schema(&self) -> &'static str {
        "public"
    }
    fn ddl(&self, _: &[Table], _: &DdlOptions) -> (Vec<Ddl>, Vec<Problem>) {
        unimplemented!()
    }
}

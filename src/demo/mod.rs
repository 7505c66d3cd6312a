//! The sample shop of `dbferry demo`, made as a SQLite file.

/// stub
pub const DEFAULT_ROWS: u64 = 500_000;
/// stub
pub fn build(_: &std::path::Path, _: u64) -> crate::Result<()> {
    Err(crate::Error::internal("stub"))
}

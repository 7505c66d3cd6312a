//! Which tables are wanted.

use crate::error::Result;

/// Which tables are wanted: shell patterns (`*`, `?`, `[a-z]`) over table names, `exclude` after `include`.
#[derive(Debug, Clone)]
pub struct TableFilter {
    include: globset::GlobSet,
    exclude: globset::GlobSet,
}

impl TableFilter {
    /// Compiles the patterns.
    ///
    /// # Errors
    /// `Config` for a pattern that is none.
    pub fn new(include: &[String], exclude: &[String]) -> Result<Self> {
        let compile = |patterns: &[String]| -> Result<globset::GlobSet> {
            let mut set = globset::GlobSetBuilder::new();
            for pattern in patterns {
                let glob = globset::Glob::new(pattern).map_err(|error| {
                    crate::Error::new(crate::ErrorKind::Config, format!("`{pattern}` is no pattern")).with_source(error)
                })?;
                set.add(glob);
            }
            set.build().map_err(|error| crate::Error::internal("patterns could not be joined").with_source(error))
        };
        Ok(TableFilter { include: compile(include)?, exclude: compile(exclude)? })
    }

    /// Every table.
    pub fn all() -> Self {
        TableFilter { include: globset::GlobSet::empty(), exclude: globset::GlobSet::empty() }
    }

    /// True if the table is wanted.
    pub fn accepts(&self, table: &str) -> bool {
        (self.include.is_empty() || self.include.is_match(table)) && !self.exclude.is_match(table)
    }
}

//! Which tables are wanted.

use globset::{Glob, GlobMatcher, GlobSet};

use crate::error::Result;

/// Which tables are wanted: shell patterns (`*`, `?`, `[a-z]`) over table names, `exclude` after `include`. Where a source has several
/// databases, a pattern with a point is one of `database.table` as well.
#[derive(Debug, Clone)]
pub struct TableFilter {
    include: GlobSet,
    exclude: GlobSet,
    included: Vec<Qualified>,
    excluded: Vec<Qualified>,
}

/// The two halves of a pattern such as `shop.tmp_*`. By halves, since `*` alone would run over the point.
#[derive(Debug, Clone)]
struct Qualified {
    database: GlobMatcher,
    table: GlobMatcher,
}

impl Qualified {
    /// `None` for a pattern without a point, or with one in the midst of brackets.
    fn new(pattern: &str) -> Option<Self> {
        let (database, table) = pattern.split_once('.')?;
        let compile = |half: &str| Glob::new(half).ok().map(|glob| glob.compile_matcher());
        Some(Qualified { database: compile(database)?, table: compile(table)? })
    }

    fn is_match(&self, database: &str, table: &str) -> bool {
        self.database.is_match(database) && self.table.is_match(table)
    }
}

impl TableFilter {
    /// Compiles the patterns.
    ///
    /// # Errors
    /// `Config` for a pattern that is none.
    pub fn new(include: &[String], exclude: &[String]) -> Result<Self> {
        let compile = |patterns: &[String]| -> Result<GlobSet> {
            let mut set = globset::GlobSetBuilder::new();
            for pattern in patterns {
                let glob = Glob::new(pattern).map_err(|error| {
                    crate::Error::new(crate::ErrorKind::Config, format!("`{pattern}` is no pattern")).with_source(error)
                })?;
                set.add(glob);
            }
            set.build().map_err(|error| crate::Error::internal("patterns could not be joined").with_source(error))
        };
        let qualified = |patterns: &[String]| patterns.iter().filter_map(|pattern| Qualified::new(pattern)).collect();
        Ok(TableFilter {
            include: compile(include)?,
            exclude: compile(exclude)?,
            included: qualified(include),
            excluded: qualified(exclude),
        })
    }

    /// Every table.
    pub fn all() -> Self {
        TableFilter { include: GlobSet::empty(), exclude: GlobSet::empty(), included: Vec::new(), excluded: Vec::new() }
    }

    /// True if the table is wanted.
    pub fn accepts(&self, table: &str) -> bool {
        (self.include.is_empty() || self.include.is_match(table)) && !self.exclude.is_match(table)
    }

    /// True if the table of that database, one of several, is wanted.
    pub fn accepts_in(&self, database: &str, table: &str) -> bool {
        let fits = |set: &GlobSet, qualified: &[Qualified]| {
            set.is_match(table) || qualified.iter().any(|pattern| pattern.is_match(database, table))
        };
        (self.include.is_empty() || fits(&self.include, &self.included)) && !fits(&self.exclude, &self.excluded)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_databases_a_pattern_with_a_point_names_both() {
        let patterns = |all: &[&str]| all.iter().map(ToString::to_string).collect::<Vec<_>>();
        let filter = TableFilter::new(&patterns(&["shop_*.orders", "users"]), &patterns(&["*.tmp_*", "shop_b.*"])).unwrap();
        assert!(filter.accepts_in("shop_a", "orders") && filter.accepts_in("crm", "users"));
        assert!(!filter.accepts_in("crm", "orders") && !filter.accepts_in("shop_b", "orders"));
        assert!(!filter.accepts_in("crm", "tmp_users"));
        let all_but = TableFilter::new(&[], &patterns(&["s*"])).unwrap();
        assert!(all_but.accepts_in("shop", "orders"), "a pattern without a point knows nothing of databases");
        assert!(!all_but.accepts_in("shop", "stock"));
    }
}

//! Catalog and rules, made into the target's schema; remembers which rule decided each column.

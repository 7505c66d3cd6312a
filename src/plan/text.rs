//! A plan for people, and as SQL.

//! The sample shop of `dbferry demo`, made as a SQLite file.

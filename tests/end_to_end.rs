//! Whole databases from MariaDB to PostgreSQL.

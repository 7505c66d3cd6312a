//! The Parquet sink and its re-read.

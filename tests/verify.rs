//! Planted faults that verification must find.

//! The order of the work, decided before anything runs.

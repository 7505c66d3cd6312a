//! One suite that every engine passes.

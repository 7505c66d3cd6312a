//! Batch to batch: checked casts between logical types.

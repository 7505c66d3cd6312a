//! Rows of the protocol without a server: what benchmarks and fuzzing feed the decoders with.

use arrow::array::RecordBatch;

use super::batch::BatchBuilder;
use super::error::failed;
use super::wire::Sample;
use crate::error::Result;
use crate::model::unit::ReadPlan;

/// Rows as they come in packets, with the wire types of their columns ("Column types" of the protocol).
#[derive(Debug)]
pub struct Packets(Sample);

impl Packets {
    /// Finds the values of each row.
    ///
    /// # Errors
    /// `SourceRead` for an unknown type and for a row that does not have these columns.
    pub fn of(column_types: &[u8], rows: &[&[u8]]) -> Result<Self> {
        Sample::of(column_types, rows).map(Packets).map_err(|error| failed("the rows could not be read", error))
    }

    /// Decodes them, as a reader does.
    ///
    /// # Errors
    /// What a reader says of them.
    pub fn decode(&self, what: &ReadPlan) -> Result<Vec<RecordBatch>> {
        let block = self.0.block();
        let mut builder = BatchBuilder::new(what)?;
        let mut batches = Vec::new();
        let mut row = 0;
        while row < block.rows() {
            let next = builder.take(&block, row, what.batch_bytes)?;
            if next == row {
                batches.push(builder.finish()?.rows);
            }
            row = next;
        }
        if builder.holds_anything() {
            batches.push(builder.finish()?.rows);
        }
        Ok(batches)
    }
}

//! Which logical type a result has of itself.

use arrow::datatypes::{DataType, IntervalUnit};

use crate::model::LogicalType;
use crate::model::logical::Zone;

/// The logical type of an Arrow type, as widely as it can be; none for what no column holds.
pub fn natural(data_type: &DataType) -> Option<LogicalType> {
    use DataType as D;
    use LogicalType as L;
    Some(match data_type {
        D::Boolean => L::Bool,
        D::Int8 => L::Int8,
        D::Int16 => L::Int16,
        D::Int32 => L::Int32,
        D::Int64 => L::Int64,
        D::UInt8 => L::UInt8,
        D::UInt16 => L::UInt16,
        D::UInt32 => L::UInt32,
        D::UInt64 => L::UInt64,
        D::Float32 => L::Float32,
        D::Float64 => L::Float64,
        D::Decimal32(precision, scale)
        | D::Decimal64(precision, scale)
        | D::Decimal128(precision, scale)
        | D::Decimal256(precision, scale) => match u8::try_from(*scale) {
            Ok(scale) if scale <= *precision => L::Decimal { precision: *precision, scale },
            // More digits behind the point than in all.
            Ok(scale) => L::Decimal { precision: scale.min(76), scale: scale.min(76) },
            Err(_) => L::Decimal { precision: precision.saturating_add(scale.unsigned_abs()).min(76), scale: 0 },
        },
        D::Date32 | D::Date64 => L::Date,
        D::Time32(_) | D::Time64(_) => L::Time { fsp: 6 },
        D::Timestamp(_, None) => L::Timestamp { fsp: 6, zone: Zone::None },
        D::Timestamp(_, Some(_)) => L::Timestamp { fsp: 6, zone: Zone::Utc },
        D::Duration(_) => L::Duration { fsp: 6 },
        D::Interval(IntervalUnit::MonthDayNano | IntervalUnit::DayTime | IntervalUnit::YearMonth) => L::Interval,
        D::Utf8 | D::LargeUtf8 | D::Utf8View => L::Text { length: None },
        D::Binary | D::LargeBinary | D::BinaryView => L::Binary { length: None },
        D::FixedSizeBinary(16) => L::Uuid,
        D::FixedSizeBinary(_) => L::Binary { length: None },
        D::List(item) | D::LargeList(item) => L::Array { item: Box::new(natural(item.data_type())?) },
        D::FixedSizeList(item, length) if item.data_type() == &D::Float32 => {
            L::Vector { dimensions: u32::try_from(*length).ok()? }
        }
        D::FixedSizeList(item, _) => L::Array { item: Box::new(natural(item.data_type())?) },
        _ => return None,
    })
}

//! Binary COPY, both ways, for fuzzing; see [`crate::fuzzing`].

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryBuilder, BooleanBuilder, Date32Array, Decimal128Array, Decimal256Array, DurationMicrosecondArray,
    FixedSizeBinaryBuilder, FixedSizeListBuilder, Float32Array, Float32Builder, Float64Array, Int8Array, Int16Array, Int32Array,
    Int64Array, IntervalMonthDayNanoArray, ListBuilder, RecordBatch, StringArray, StringBuilder, Time64MicrosecondArray,
    TimestampMicrosecondArray, UInt8Array, UInt16Array, UInt32Array, UInt64Array,
};
use arrow::datatypes::{DataType, Field, IntervalMonthDayNano, i256};

use super::decode::RowDecoder;
use super::decode::hashes::RowHashes;
use super::encode::{HEADER, RowEncoder, TRAILER};
use super::target::{Element, PgType, TargetColumn};
use crate::error::ErrorKind;
use crate::fuzzing::Input;
use crate::model::catalog::{Column, NativeType, Table};
use crate::model::logical::{Zone, schema};
use crate::model::{Digest, LogicalType, ObjectName};
use crate::verify::canonical;
use crate::verify::hasher::RowHasher;

const LABELS: &[&str] = &["a", "b", "", "it's"];

/// The modifier of `numeric(precision, scale)`.
fn numeric(precision: i32, scale: i32) -> i32 {
    ((precision << 16) | (scale & 0x7ff)) + 4
}

/// What goes into what, with the type's modifier.
fn pairs() -> Vec<(LogicalType, PgType, i32)> {
    use LogicalType as L;
    use PgType as P;
    let labels = || LABELS.iter().map(ToString::to_string).collect::<Vec<_>>();
    let enumeration = || P::Enum(Arc::new(LABELS.iter().map(ToString::to_string).collect::<HashSet<_>>()));
    let array = |pg_type, typmod| P::Array(Box::new(Element { oid: 25, pg_type, typmod }));
    let mut pairs = vec![
        (L::Bool, P::Bool, -1),
        (L::Int8, P::Int2, -1),
        (L::Int16, P::Int2, -1),
        (L::UInt16, P::Int4, -1),
        (L::Int32, P::Int4, -1),
        (L::UInt32, P::Int8, -1),
        (L::Int64, P::Int8, -1),
        (L::UInt64, P::Numeric, numeric(20, 0)),
        (L::UInt8, P::Numeric, -1),
        (L::Int64, P::Int2, -1),
        (L::Float32, P::Float4, -1),
        (L::Float64, P::Float8, -1),
        (L::Numeric, P::Numeric, -1),
        (L::Numeric, P::Numeric, numeric(9, -3)),
        (L::Date, P::Date, -1),
        (L::Time { fsp: 6 }, P::Time, -1),
        (L::Time { fsp: 3 }, P::Interval, 0x7fff << 16 | 3),
        (L::Timestamp { fsp: 6, zone: Zone::None }, P::Timestamp, -1),
        (L::Timestamp { fsp: 6, zone: Zone::Utc }, P::Timestamptz, 2),
        (L::Duration { fsp: 6 }, P::Interval, -1),
        (L::Duration { fsp: 6 }, P::Time, 6),
        (L::Interval, P::Interval, -1),
        (L::Text { length: None }, P::Text, -1),
        (L::Text { length: Some(5) }, P::Text, 9),
        (L::Text { length: None }, P::Bpchar, 7),
        (L::Text { length: None }, P::Name, -1),
        (L::Text { length: None }, P::Jsonb, -1),
        (L::Json, P::Json, -1),
        (L::Json, P::Jsonb, -1),
        (L::Binary { length: None }, P::Bytea, -1),
        (L::Binary { length: Some(16) }, P::Uuid, -1),
        (L::Bits { length: 1 }, P::Bool, -1),
        (L::Bits { length: 13 }, P::Bit, 13),
        (L::Bits { length: 64 }, P::Varbit, -1),
        (L::Uuid, P::Uuid, -1),
        (L::Uuid, P::Bytea, -1),
        (L::Geometry { srid: None, shape: None }, P::Geometry, -1),
        (L::Enum { labels: labels() }, enumeration(), -1),
        (L::Set { labels: labels() }, array(P::Text, -1), -1),
        (L::Set { labels: labels() }, array(P::Text, 7), 7),
        (L::Array { item: Box::new(L::Int32) }, array(P::Int4, -1), -1),
        (L::Array { item: Box::new(L::Decimal { precision: 9, scale: 2 }) }, array(P::Numeric, -1), -1),
        (L::Vector { dimensions: 3 }, P::Vector, 3),
    ];
    for (precision, scale) in [(1, 0), (4, 4), (18, 2), (38, 10), (38, 38), (39, 0), (65, 30), (76, 76)] {
        let logical = L::Decimal { precision, scale };
        pairs.push((logical.clone(), P::Numeric, numeric(precision.into(), scale.into())));
        pairs.push((logical, P::Numeric, -1));
    }
    pairs
}

/// A table of up to four columns.
fn table(input: &mut Input<'_>) -> (Table, Vec<TargetColumn>) {
    let pairs = pairs();
    let mut table = Table::new(ObjectName::new("public", "t"));
    let mut target = Vec::new();
    for at in 0..=input.below(4) {
        let (logical, pg_type, typmod) = input.one_of(&pairs).clone();
        let name = format!("c{at}");
        table.columns.push(Column::new(name.clone(), Some(logical), NativeType::default()));
        target.push(TargetColumn { name, type_name: String::new(), pg_type, typmod, not_null: false, generated: false });
    }
    (table, target)
}

/// As [`decoded_rows`], which must have the digest that is made of the bytes themselves.
///
/// # Panics
/// Where it has not.
fn decoded(table: &Table, target: &[TargetColumn], copy: &[u8], size: usize) -> Result<Vec<RecordBatch>, ErrorKind> {
    let rows = decoded_rows(table, target, copy, size);
    let mut hasher = RowHasher::new(table.columns.iter().filter_map(|column| column.logical.clone()));
    let mut expected = Digest::default();
    for batch in rows.iter().flatten() {
        hasher.update(batch, &mut expected).unwrap_or_else(|error| panic!("{error} of {target:?}"));
    }
    let hashed = || {
        let mut hashes = RowHashes::new(table, target)?;
        copy.chunks(size.max(1)).try_for_each(|piece| hashes.feed(piece))?;
        hashes.finish()
    };
    match (&rows, hashed()) {
        (Ok(_), Ok(digest)) => assert_eq!(digest, expected, "the digest of {target:?}"),
        (Err(_), Err(_)) => {}
        (rows, digest) => panic!("{target:?}: {digest:?} instead of that of {rows:?}"),
    }
    rows
}

/// Rows of a table as they come back; none if the bytes are refused. Fed in pieces of `size` bytes.
fn decoded_rows(table: &Table, target: &[TargetColumn], copy: &[u8], size: usize) -> Result<Vec<RecordBatch>, ErrorKind> {
    let mut decoder = RowDecoder::new(table, target, 1 << 20).map_err(|error| error.kind())?;
    let mut rows = Vec::new();
    for piece in copy.chunks(size.max(1)) {
        decoder.feed(bytes::Bytes::copy_from_slice(piece));
        while let Some(batch) = decoder.next().map_err(|error| error.kind())? {
            rows.push(batch.rows);
        }
    }
    rows.extend(decoder.finish().map_err(|error| error.kind())?.map(|batch| batch.rows));
    Ok(rows)
}

/// Any bytes as a binary COPY: rows or an error, the same in whatever pieces they come.
///
/// # Panics
/// Where that is not so.
pub fn copy_decode(data: &[u8]) {
    let mut input = Input::new(data);
    let (table, target) = table(&mut input);
    let size = 1 + input.below(64);
    let mut copy = if input.byte() < 240 { HEADER.to_vec() } else { Vec::new() };
    if input.byte() < 128 {
        // As many fields as the table has, each of a length that is there.
        let rows = input.below(3);
        for _ in 0..rows {
            copy.extend_from_slice(&u16::try_from(target.len()).unwrap_or_default().to_be_bytes());
            for _ in &target {
                let field = input.some_bytes();
                copy.extend_from_slice(&u32::try_from(field.len()).unwrap_or_default().to_be_bytes());
                copy.extend_from_slice(field);
            }
        }
        copy.extend_from_slice(&TRAILER);
    }
    copy.extend_from_slice(input.all());
    let whole = decoded(&table, &target, &copy, copy.len());
    let pieces = decoded(&table, &target, &copy, size);
    match (whole, pieces) {
        (Ok(whole), Ok(pieces)) => assert_eq!(whole, pieces, "the pieces of {target:?} make other rows"),
        (Err(_), Err(_)) => {}
        (whole, pieces) => panic!("the pieces of {target:?} make {pieces:?} instead of {whole:?}"),
    }
}

/// Any values that have an encoding come back as they were.
///
/// # Panics
/// Where they do not.
pub fn copy_round_trip(data: &[u8]) {
    let mut input = Input::new(data);
    let (table, target) = table(&mut input);
    let rows = 1 + input.below(4);
    let logicals: Vec<&LogicalType> = table.columns.iter().filter_map(|column| column.logical.as_ref()).collect();
    let arrays: Vec<ArrayRef> = logicals.iter().map(|logical| values(logical, rows, &mut input)).collect();
    let fields = table.columns.iter().map(|column| column.name.as_str()).zip(logicals.iter().copied());
    let sent = RecordBatch::try_new(schema(fields), arrays).unwrap_or_else(|error| panic!("no batch of {target:?}: {error}"));
    let Ok(encoder) = RowEncoder::new(&table, &target) else { return };
    let mut copy = HEADER.to_vec();
    let put = encoder.bind(&sent).and_then(|bound| bound.put(0, usize::MAX, &mut copy));
    match put {
        Ok(count) => assert_eq!(count, rows, "rows of {target:?}"),
        Err(error) => return assert_eq!(error.kind(), ErrorKind::Value, "{error:?} of {target:?}"),
    }
    copy.extend_from_slice(&TRAILER);
    let size = 1 + input.below(64);
    let back = decoded(&table, &target, &copy, size).unwrap_or_else(|kind| panic!("{kind:?} of {sent:?} in {target:?}"));
    let back = arrow::compute::concat_batches(&sent.schema(), &back).unwrap_or_else(|error| panic!("{error} of {target:?}"));
    for (at, logical) in logicals.into_iter().enumerate() {
        let (sent, back) = (form(sent.column(at), logical), form(back.column(at), logical));
        assert_eq!(sent, back, "{logical} as {:?}", target.get(at));
    }
}

/// What "equal" looks at.
fn form(array: &ArrayRef, logical: &LogicalType) -> Vec<Option<Vec<u8>>> {
    let mut all = Vec::new();
    canonical::visit(array, logical, |_, bytes| all.push(bytes.map(<[u8]>::to_vec)))
        .unwrap_or_else(|error| panic!("{logical} has no form: {error}"));
    all
}

/// Values of a type; every eighth is NULL.
fn values(logical: &LogicalType, rows: usize, input: &mut Input<'_>) -> ArrayRef {
    use LogicalType as L;
    macro_rules! integers {
        ($array:ty, $native:ty) => {
            Arc::new((0..rows).map(|_| present(input).then(|| <$native>::from_le_bytes(input.array()))).collect::<$array>())
        };
    }
    match logical {
        L::Bool => {
            let mut builder = BooleanBuilder::new();
            (0..rows).for_each(|_| builder.append_option(present(input).then(|| input.byte() & 1 == 1)));
            Arc::new(builder.finish())
        }
        L::Int8 => integers!(Int8Array, i8),
        L::Int16 => integers!(Int16Array, i16),
        L::Int32 => integers!(Int32Array, i32),
        L::Int64 => integers!(Int64Array, i64),
        L::UInt8 => integers!(UInt8Array, u8),
        L::UInt16 => integers!(UInt16Array, u16),
        L::UInt32 => integers!(UInt32Array, u32),
        L::UInt64 => integers!(UInt64Array, u64),
        L::Float32 => integers!(Float32Array, f32),
        L::Float64 => integers!(Float64Array, f64),
        L::Date => integers!(Date32Array, i32),
        L::Time { .. } => Arc::new(times(rows, input).into_iter().collect::<Time64MicrosecondArray>()),
        L::Timestamp { zone, .. } => {
            let array: TimestampMicrosecondArray = times(rows, input).into_iter().collect();
            Arc::new(array.with_timezone_opt((*zone == Zone::Utc).then_some("UTC")))
        }
        L::Duration { .. } => Arc::new(times(rows, input).into_iter().collect::<DurationMicrosecondArray>()),
        L::Interval => {
            let interval = |input: &mut Input<'_>| IntervalMonthDayNano {
                months: i32::from_le_bytes(input.array()),
                days: i32::from_le_bytes(input.array()),
                nanoseconds: i64::from_le_bytes(input.array()) / 1_000 * 1_000,
            };
            Arc::new((0..rows).map(|_| present(input).then(|| interval(input))).collect::<IntervalMonthDayNanoArray>())
        }
        L::Decimal { precision, scale } if *precision <= 38 => {
            let most = 10i128.checked_pow(u32::from(*precision)).unwrap_or(i128::MAX);
            let array: Decimal128Array =
                (0..rows).map(|_| present(input).then(|| i128::from_le_bytes(short(input)) % most)).collect();
            let array = array.with_precision_and_scale(*precision, scale.cast_signed());
            Arc::new(array.unwrap_or_else(|error| panic!("{error}")))
        }
        L::Decimal { precision, scale } => {
            let most = i256::from_i128(10).checked_pow(u32::from(*precision)).unwrap_or(i256::MAX);
            let value = |input: &mut Input<'_>| i256::from_le_bytes(short(input)).wrapping_rem(most);
            let array: Decimal256Array = (0..rows).map(|_| present(input).then(|| value(input))).collect();
            let array = array.with_precision_and_scale(*precision, scale.cast_signed());
            Arc::new(array.unwrap_or_else(|error| panic!("{error}")))
        }
        L::Numeric => texts(rows, input, |input| {
            const SPECIAL: &[&str] = &["NaN", "Infinity", "-Infinity", "0", "-1.50", "1000000000", "0.00001", "99999999.9999"];
            if input.byte() < 64 {
                return (*input.one_of(SPECIAL)).to_string();
            }
            let digits: String = input.some_bytes().iter().map(|byte| char::from(b'0' + byte % 10)).collect();
            let point = input.below(digits.len() + 1);
            let (whole, fraction) = digits.split_at_checked(point).unwrap_or_default();
            // As casts and readers spell it: no zeros in front, no zero below zero.
            let whole = Some(whole.trim_start_matches('0')).filter(|whole| !whole.is_empty()).unwrap_or("0");
            let zero = whole == "0" && fraction.bytes().all(|digit| digit == b'0');
            let sign = if input.byte() & 1 == 1 && !zero { "-" } else { "" };
            format!("{sign}{whole}{}{fraction}", if fraction.is_empty() { "" } else { "." })
        }),
        L::Text { .. } => texts(rows, input, |input| input.some_text()),
        L::Json => texts(rows, input, |input| match input.byte() {
            0..=99 => format!("[{}, \"{}\"]", input.byte(), input.below(256)),
            100..=149 => format!("{{\"{}\": {}.50e{}}}", input.byte(), input.byte(), input.byte()),
            _ => input.some_text(),
        }),
        L::Enum { .. } => texts(rows, input, |input| (*input.one_of(LABELS)).to_string()),
        L::Binary { .. } | L::Bits { .. } | L::Geometry { .. } => {
            let mut builder = BinaryBuilder::new();
            for _ in 0..rows {
                builder.append_option(present(input).then(|| match logical {
                    L::Bits { length: 64 } => input.array::<8>().to_vec(),
                    L::Bits { length: 13 } => vec![input.byte(), input.byte() & 0xf8],
                    L::Bits { .. } => vec![input.byte() & 0x80],
                    L::Geometry { .. } => [&[1, 1, 0, 0, 0x20][..], input.some_bytes()].concat(),
                    _ => input.some_bytes().to_vec(),
                }));
            }
            Arc::new(builder.finish())
        }
        L::Uuid => {
            let mut builder = FixedSizeBinaryBuilder::new(16);
            for _ in 0..rows {
                match present(input) {
                    true => builder.append_value(input.array::<16>()).unwrap_or_else(|error| panic!("{error}")),
                    false => builder.append_null(),
                }
            }
            Arc::new(builder.finish())
        }
        L::Set { .. } => {
            let mut builder = ListBuilder::new(StringBuilder::new()).with_field(Field::new_list_field(DataType::Utf8, false));
            for _ in 0..rows {
                let bits = input.byte();
                LABELS
                    .iter()
                    .enumerate()
                    .filter(|(at, _)| bits >> at & 1 == 1)
                    .for_each(|(_, label)| builder.values().append_value(label));
                builder.append(bits < 240);
            }
            Arc::new(builder.finish())
        }
        L::Array { item } => {
            let lengths: Vec<usize> = (0..rows).map(|_| input.below(4)).collect();
            let items = values(item, lengths.iter().sum(), input);
            let field = Arc::new(Field::new_list_field(item.arrow(), true));
            let offsets = arrow::buffer::OffsetBuffer::from_lengths(lengths);
            let array = arrow::array::ListArray::try_new(field, offsets, items, None);
            Arc::new(array.unwrap_or_else(|error| panic!("{error}")))
        }
        L::Vector { dimensions } => {
            let length = i32::try_from(*dimensions).unwrap_or_default();
            let mut builder = FixedSizeListBuilder::new(Float32Builder::new(), length)
                .with_field(Field::new_list_field(DataType::Float32, false));
            for _ in 0..rows {
                (0..length).for_each(|_| builder.values().append_value(f32::from_le_bytes(input.array())));
                builder.append(present(input));
            }
            Arc::new(builder.finish())
        }
    }
}

fn present(input: &mut Input<'_>) -> bool {
    input.byte() & 7 != 7
}

/// A number of few bytes or of all.
fn short<const N: usize>(input: &mut Input<'_>) -> [u8; N] {
    let used = 1 + input.below(N);
    let mut bytes = [0; N];
    bytes.iter_mut().take(used).for_each(|byte| *byte = input.byte());
    bytes
}

fn texts(rows: usize, input: &mut Input<'_>, mut text: impl FnMut(&mut Input<'_>) -> String) -> ArrayRef {
    Arc::new((0..rows).map(|_| present(input).then(|| text(input))).collect::<StringArray>())
}

/// Microseconds: of a day, or any.
fn times(rows: usize, input: &mut Input<'_>) -> Vec<Option<i64>> {
    let time = |input: &mut Input<'_>| {
        let any = i64::from_le_bytes(input.array());
        match input.below(3) {
            0 => any,
            1 => any.rem_euclid(86_400_000_001),
            _ => any / 1_000_000 * 1_000_000,
        }
    };
    (0..rows).map(|_| present(input).then(|| time(input))).collect()
}

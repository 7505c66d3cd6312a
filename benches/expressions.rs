//! What a mapping costs per batch: `cargo bench --bench expressions`.
//!
//! Batches like those of the table of `benches/side_by_side` go through what a chunk's rows go through between reader and writer
//! (`src/transfer/execute.rs`): the compiled transform, then the digest. Three ways over the same rows:
//!
//! * `plain`: as without a mapping, every column as it is.
//! * `named`: every column is named in the mapping and keeps its type: nothing may be paid for that.
//! * `expressions`: ten of the sixteen columns are made by simple expressions.
//!
//! Reading and writing are not in here, and cost several times as much: `benches/side_by_side/expressions` measures whole runs.
#![allow(missing_docs, clippy::unwrap_used)]

use std::hint::black_box;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, Date32Array, Decimal128Array, Float64Array, Int16Array, Int32Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray, UInt32Array,
};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use dbferry::config::load::mapping;
use dbferry::model::catalog::NativeType;
use dbferry::model::logical::{Zone, schema};
use dbferry::model::{Digest, LogicalType, ObjectName};
use dbferry::transform::expr::{Expression, Rounding, Scope};
use dbferry::transform::{CastColumn, Step, Transform, compile_table};
use dbferry::verify::hasher::RowHasher;

/// As many as a batch of 8 MiB has of this table.
const ROWS: i32 = 40_000;

fn decimal(precision: u8, scale: u8) -> LogicalType {
    LogicalType::Decimal { precision, scale }
}

fn text(length: u32) -> LogicalType {
    LogicalType::Text { length: Some(length) }
}

fn columns() -> Vec<(&'static str, LogicalType)> {
    use LogicalType as L;
    vec![
        ("orderkey", L::Int64),
        ("partkey", L::Int32),
        ("suppkey", L::UInt32),
        ("linenumber", L::Int16),
        ("quantity", decimal(15, 2)),
        ("extendedprice", decimal(15, 2)),
        ("discount", L::Float64),
        ("tax", decimal(4, 2)),
        ("returnflag", text(1)),
        ("linestatus", text(1)),
        ("shipdate", L::Date),
        ("commitdate", L::Timestamp { fsp: 0, zone: Zone::None }),
        ("receiptdate", L::Timestamp { fsp: 6, zone: Zone::None }),
        ("shipinstruct", text(25)),
        ("shipmode", text(10)),
        ("comment", text(60)),
    ]
}

fn decimals(precision: u8, value: impl Fn(i32) -> i32) -> ArrayRef {
    let values = (0..ROWS).map(|row| i128::from(value(row)));
    Arc::new(Decimal128Array::from_iter_values(values).with_precision_and_scale(precision, 2).unwrap())
}

fn strings(value: impl Fn(i32) -> Option<String>) -> ArrayRef {
    Arc::new((0..ROWS).map(value).collect::<StringArray>())
}

fn one_of(words: &'static [&'static str]) -> impl Fn(i32) -> Option<String> {
    move |row| Some(words[usize::try_from(row).unwrap() % words.len()].to_string()).filter(|word| !word.is_empty())
}

fn batch() -> RecordBatch {
    let second = |row: i32| 700_000_000_000_000 + i64::from(row) * 977_000_000;
    let arrays: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from_iter_values((0..ROWS).map(|row| i64::from(row) / 4 * 8 + 1))),
        Arc::new(Int32Array::from_iter_values((0..ROWS).map(|row| 1 + row % 200_000))),
        Arc::new(UInt32Array::from_iter_values((0..ROWS).map(|row| u32::try_from(1 + row % 10_000).unwrap()))),
        Arc::new(Int16Array::from_iter_values((0..ROWS).map(|row| i16::try_from(1 + row % 4).unwrap()))),
        decimals(15, |row| (1 + row % 50) * 100),
        decimals(15, |row| row % 10_000 * 6151 + 90_000),
        Arc::new(Float64Array::from_iter_values((0..ROWS).map(|row| f64::from(row % 11) / 100.0))),
        decimals(4, |row| row % 9),
        strings(one_of(&["A", "N", "R"])),
        strings(one_of(&["O", "F"])),
        Arc::new(Date32Array::from_iter_values((0..ROWS).map(|row| 8036 + row % 2526))),
        Arc::new(TimestampMicrosecondArray::from_iter_values((0..ROWS).map(second))),
        Arc::new((0..ROWS).map(|row| (row % 20 != 0).then(|| second(row) + 1)).collect::<TimestampMicrosecondArray>()),
        strings(one_of(&["DELIVER IN PERSON", "COLLECT COD", "NONE", "TAKE BACK RETURN"])),
        strings(one_of(&["AIR", "FOB", "MAIL", "RAIL", "REG AIR", "SHIP", "TRUCK", ""])),
        strings(|row| Some(format!("überaus {:08x}{:x} packages sleep", row.wrapping_mul(0x09e3_779b), row))),
    ];
    let columns = columns();
    RecordBatch::try_new(schema(columns.iter().map(|(name, logical)| (*name, logical))), arrays).unwrap()
}

/// The way of the rows, with the expressions of the mapping file of the same name.
fn transform(file: Option<&str>) -> (Transform, Vec<LogicalType>) {
    let scope = Scope::new(&columns().into_iter().map(|(name, logical)| (name.to_string(), logical)).collect::<Vec<_>>(), 0);
    let scope = scope.unwrap();
    let rules = file.map(|file| mapping(format!("benches/side_by_side/mappings/{file}.toml").as_ref(), &|_| None).unwrap());
    let mut types = Vec::new();
    let mut computed = 0;
    let steps: Vec<Step> = columns()
        .into_iter()
        .map(|(name, from)| {
            let rule = rules.as_ref().and_then(|rules| rules.tables[0].columns.get(name));
            let cast = |to: &LogicalType| CastColumn {
                source: name.into(),
                target: name.into(),
                from: from.clone(),
                to: to.clone(),
                native: NativeType::default(),
                mask: None,
                out_of_range: None,
                strip_json: false,
            };
            let Some(sql) = rule.and_then(|rule| rule.expr.clone()) else {
                types.push(from.clone());
                return Step::Cast(cast(&from));
            };
            computed += 1;
            // The type that the mapping names, or else the expression's own.
            let to = match rule.and_then(|rule| rule.to.as_deref()) {
                Some("numeric(16,2)") => decimal(16, 2),
                Some("numeric(4,2)") => decimal(4, 2),
                Some("varchar(4)") => text(4),
                Some("varchar(60)") => text(60),
                Some(other) => panic!("name `{other}` here as well"),
                None => Expression::natural_type(&sql, &scope).unwrap(),
            };
            types.push(to.clone());
            Step::Compute { cast: cast(&to), sql, rounding: Rounding::Exact }
        })
        .collect();
    assert_eq!(computed, if file == Some("expressions") { 10 } else { 0 });
    (compile_table(&steps, None, &scope, None).unwrap(), types)
}

fn expressions(criterion: &mut Criterion) {
    let batch = batch();
    let (table, key) = (ObjectName::new("bench", "lineitem"), vec!["orderkey".to_string(), "linenumber".to_string()]);
    let mut group = criterion.benchmark_group("batch of the side-by-side table");
    group.throughput(Throughput::Elements(u64::try_from(ROWS).unwrap()));
    for (name, file) in [("plain", None), ("named", Some("named")), ("expressions", Some("expressions"))] {
        let (transform, types) = transform(file);
        group.bench_function(format!("transform, {name}"), |bencher| {
            bencher.iter(|| black_box(transform.apply(&table, &key, black_box(&batch)).unwrap()));
        });
        let mut hasher = RowHasher::new(types);
        group.bench_function(format!("transform and digest, {name}"), |bencher| {
            bencher.iter(|| {
                let mut digest = Digest::default();
                hasher.update(&transform.apply(&table, &key, black_box(&batch)).unwrap(), &mut digest).unwrap();
                black_box(digest)
            });
        });
    }
    group.finish();
}

criterion_group!(benches, expressions);
criterion_main!(benches);

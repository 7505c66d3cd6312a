//! What one column costs on its way: `cargo bench --bench columns`.
//!
//! For each type of column: rows of the MySQL protocol into Arrow (`decode`), Arrow into the rows of a binary COPY (`encode`), and Arrow
//! into the digest (`digest`). No server is asked, so sockets are not in here. The figures are rows per second of a table with that
//! column alone.
#![allow(missing_docs, clippy::unwrap_used)]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use dbferry::engine::mysql::offline::Packets;
use dbferry::engine::postgres::encode::encode_offline;
use dbferry::model::catalog::NativeType;
use dbferry::model::logical::Zone;
use dbferry::model::unit::{ReadColumn, ReadPlan};
use dbferry::model::{ChunkPlan, Column, Digest, LogicalType, ObjectName, Table, ValuePolicies};
use dbferry::verify::hasher::RowHasher;

const ROWS: u64 = 10_000;

/// A type of column.
struct Kind {
    /// As the source prints it.
    full: &'static str,
    logical: LogicalType,
    /// Its number in the protocol.
    wire: u8,
    /// Its type in the target, with its modifier.
    target: (&'static str, i32),
    /// The value of a row, as it stands in a packet.
    value: fn(u64) -> Vec<u8>,
}

fn sized(bytes: impl AsRef<[u8]>) -> Vec<u8> {
    let bytes = bytes.as_ref();
    let mut value = vec![u8::try_from(bytes.len()).unwrap()];
    value.extend_from_slice(bytes);
    value
}

fn low(number: u64, below: u64) -> u8 {
    u8::try_from(number % below).unwrap()
}

fn date(row: u64) -> [u8; 4] {
    [0xc8 + low(row, 40), 7, 1 + low(row, 12), 1 + low(row, 28)]
}

fn kinds() -> Vec<Kind> {
    let decimal = |precision, scale| LogicalType::Decimal { precision, scale };
    let modifier = |precision: i32, scale: i32| (precision << 16 | scale) + 4;
    let text = || LogicalType::Text { length: None };
    vec![
        Kind {
            full: "int",
            logical: LogicalType::Int32,
            wire: 0x03,
            target: ("int4", -1),
            value: |row| row.to_le_bytes()[..4].to_vec(),
        },
        Kind {
            full: "bigint",
            logical: LogicalType::Int64,
            wire: 0x08,
            target: ("int8", -1),
            value: |row| (row * 1_000_003).to_le_bytes().to_vec(),
        },
        Kind {
            full: "double",
            logical: LogicalType::Float64,
            wire: 0x05,
            target: ("float8", -1),
            value: |row| 1.5_f64.powi(i32::from(low(row, 99))).to_le_bytes().to_vec(),
        },
        Kind {
            full: "decimal(15,2)",
            logical: decimal(15, 2),
            wire: 0xf6,
            target: ("numeric", modifier(15, 2)),
            value: |row| sized(format!("{}.{:02}", row * 37, row % 100)),
        },
        Kind {
            full: "decimal(38,10)",
            logical: decimal(38, 10),
            wire: 0xf6,
            target: ("numeric", modifier(38, 10)),
            value: |row| sized(format!("-1234567890123456{row}.{:010}", row * 97)),
        },
        Kind {
            full: "decimal(65,30)",
            logical: decimal(65, 30),
            wire: 0xf6,
            target: ("numeric", modifier(65, 30)),
            value: |row| sized(format!("9876543210987654321{row}.{:030}", row * 97)),
        },
        Kind { full: "date", logical: LogicalType::Date, wire: 0x0a, target: ("date", -1), value: |row| sized(date(row)) },
        Kind {
            full: "datetime(6)",
            logical: LogicalType::Timestamp { fsp: 6, zone: Zone::None },
            wire: 0x0c,
            target: ("timestamp", 6),
            value: |row| sized([&date(row)[..], &[low(row, 24), low(row, 60), 59], &[low(row, 200), 1, 2, 0]].concat()),
        },
        Kind {
            full: "varchar(44)",
            logical: text(),
            wire: 0xfd,
            target: ("text", -1),
            value: |row| sized(format!("furiously regular deposit {row}")),
        },
        Kind {
            full: "varchar(60)",
            logical: text(),
            wire: 0xfd,
            target: ("text", -1),
            value: |row| sized(format!("wütend gewöhnliche Einlage {row}")),
        },
        Kind {
            full: "varbinary(40)",
            logical: LogicalType::Binary { length: None },
            wire: 0xfd,
            target: ("bytea", -1),
            value: |row| sized(row.to_le_bytes().repeat(4)),
        },
    ]
}

fn native(full: &str) -> NativeType {
    let name = full.split('(').next().unwrap().to_string();
    let charset = (name == "varchar").then(|| "utf8mb4".to_string());
    NativeType { name, full: full.into(), charset, ..NativeType::default() }
}

fn table(kind: &Kind) -> Table {
    let mut table = Table::new(ObjectName::new("bench", "t"));
    table.columns = vec![Column::new("c", Some(kind.logical.clone()), native(kind.full))];
    table
}

fn columns(criterion: &mut Criterion) {
    for kind in kinds() {
        let table = table(&kind);
        let policies = ValuePolicies::default();
        let column = ReadColumn { name: "c".into(), native: native(kind.full), logical: kind.logical.clone(), policies };
        let what = ReadPlan::of(&table, vec![column], &ChunkPlan::whole(0, 0), 8 << 20);
        let rows: Vec<Vec<u8>> = (0..ROWS).map(|row| [&[0, 0][..], &(kind.value)(row)].concat()).collect();
        let rows: Vec<&[u8]> = rows.iter().map(Vec::as_slice).collect();
        let packets = Packets::of(&[kind.wire], &rows).unwrap();
        let batch = packets.decode(&what).unwrap().remove(0);
        let mut group = criterion.benchmark_group(kind.full);
        group.throughput(Throughput::Elements(ROWS));
        group.bench_function("decode", |bench| bench.iter(|| black_box(packets.decode(&what).unwrap())));
        let mut out = Vec::new();
        group.bench_function("encode", |bench| {
            bench.iter(|| {
                out.clear();
                encode_offline(&table, &[kind.target], &batch, &mut out).unwrap();
                black_box(out.len())
            });
        });
        let mut hasher = RowHasher::new([kind.logical.clone()]);
        group.bench_function("digest", |bench| {
            bench.iter(|| {
                let mut digest = Digest::default();
                hasher.update(&batch, &mut digest).unwrap();
                black_box(digest)
            });
        });
        group.finish();
    }
}

criterion_group!(benches, columns);
criterion_main!(benches);

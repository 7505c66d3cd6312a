//! The PostgreSQL sink against a real server: the database judges each value.

#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod write {
    use std::sync::Arc;

    use arrow::array::*;
    use arrow::datatypes::{DataType, Field, IntervalMonthDayNano, i256};
    use arrow::record_batch::RecordBatch;
    use dbferry::config::endpoint::{Endpoint, Secret};
    use dbferry::engine::registry::engine;
    use dbferry::engine::{Ddl, DdlPhase, EngineKind, ProfileColumn, ProfileKind, ReadBack, SessionOptions, Sink};
    use dbferry::error::{Error, ErrorKind};
    use dbferry::ledger::{RunRecord, RunState};
    use dbferry::model::catalog::{Column, Generated, Index, IndexMethod, IndexPart, NativeType};
    use dbferry::model::chunk::{Chunk, ChunkRange};
    use dbferry::model::logical::{Zone, schema};
    use dbferry::model::unit::{ReadPlan, WorkUnit};
    use dbferry::model::{ChunkPlan, Digest, LogicalType as L, ObjectName, RunId, Table, json};
    use futures::StreamExt;
    use proptest::prelude::*;
    use proptest::strategy::ValueTree;
    use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
    use sqlx::{AssertSqlSafe, Row};

    use crate::support::PostgresDatabase;

    fn options(jobs: usize) -> SessionOptions {
        SessionOptions { application_name: "dbferry/test".into(), jobs, ledger_schema: "dbferry".into() }
    }

    async fn open(db: &PostgresDatabase) -> Arc<dyn Sink> {
        let at = Endpoint::parse(&db.url).unwrap();
        engine(EngineKind::Postgres).open_sink(&at, &options(2)).await.unwrap()
    }

    async fn open_prepared(db: &PostgresDatabase) -> Arc<dyn Sink> {
        let sink = open(db).await;
        sink.ledger().prepare().await.unwrap();
        sink
    }

    fn column(name: &str, logical: L, native: &str) -> Column {
        Column {
            name: name.into(),
            native: NativeType { name: native.into(), full: native.into(), ..NativeType::default() },
            logical: Some(logical),
            nullable: true,
            default: None,
            generated: None,
            identity: false,
            invisible: false,
            on_update_now: false,
            comment: String::new(),
        }
    }

    /// A table with `id` as its key, and more columns.
    fn table(name: &str, more: Vec<Column>) -> Table {
        let mut table = Table::new(ObjectName::new("public", name));
        table.columns = vec![column("id", L::Int32, "integer")];
        table.columns.extend(more);
        let part = IndexPart { column: Some("id".into()), expression: None, prefix: None, descending: false };
        let index = Index { name: "pk".into(), parts: vec![part], unique: true, method: IndexMethod::BTree, visible: true };
        table.primary_key = Some(index);
        table
    }

    fn batch(table: &Table, arrays: Vec<ArrayRef>) -> RecordBatch {
        let columns = table.columns.iter().map(|column| (column.name.as_str(), column.logical.as_ref().unwrap()));
        RecordBatch::try_new(schema(columns), arrays).unwrap()
    }

    fn ids(count: usize) -> ArrayRef {
        Arc::new(Int32Array::from_iter_values(0..i32::try_from(count).unwrap()))
    }

    fn unit(run: RunId, table: &Table, chunk: u32) -> WorkUnit {
        WorkUnit {
            run,
            read: ReadPlan::of(table, Vec::new(), &ChunkPlan::whole(0, 0), 1 << 20),
            chunk: Chunk { id: chunk, range: ChunkRange::Whole, estimated_rows: 0, estimated_bytes: 0 },
            target: table.name.clone(),
        }
    }

    fn digest(rows: usize) -> Digest {
        Digest { rows: u64::try_from(rows).unwrap(), sum: u128::MAX - 5 }
    }

    async fn carry(sink: &dyn Sink, table: &Table, batches: &[RecordBatch]) -> Result<(), Error> {
        let mut writer = sink.begin_chunk(&unit(RunId::generate(), table, 0), table).await?;
        for batch in batches {
            writer.write(batch).await?;
        }
        writer.commit(digest(batches.iter().map(RecordBatch::num_rows).sum())).await?;
        Ok(())
    }

    async fn read_all(back: &dyn ReadBack, table: &Table, target_bytes: u64) -> RecordBatch {
        let plan = back.plan_chunks(table, target_bytes, None).await.unwrap();
        let mut batches = Vec::new();
        for chunk in &plan.chunks {
            let mut stream = back.read(table, chunk);
            while let Some(batch) = stream.next().await {
                batches.push(batch.unwrap().rows);
            }
        }
        let columns = table.columns.iter().map(|column| (column.name.as_str(), column.logical.as_ref().unwrap()));
        // Rows do not lie in the order of their arrival: the server fills the room that a wide row has left.
        let all = arrow::compute::concat_batches(&schema(columns), &batches).unwrap();
        let order = arrow::compute::sort_to_indices(all.column(0), None, None).unwrap();
        arrow::compute::take_record_batch(&all, &order).unwrap()
    }

    /// How many values a property is tried with, from `DBFERRY_TEST_VALUES`.
    fn value_count() -> usize {
        std::env::var("DBFERRY_TEST_VALUES").ok().and_then(|text| text.parse().ok()).unwrap_or(300)
    }

    /// Random values; the seed comes from `DBFERRY_TEST_SEED` and stands in every message.
    struct Random {
        seed: u64,
        runner: TestRunner,
    }

    impl Random {
        fn new() -> Self {
            let seed = std::env::var("DBFERRY_TEST_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or_else(rand_seed);
            let mut bytes = [0; 32];
            bytes[..8].copy_from_slice(&seed.to_le_bytes());
            let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
            Random { seed, runner: TestRunner::new_with_rng(Config::default(), rng) }
        }

        fn one<T: std::fmt::Debug>(&mut self, strategy: &impl Strategy<Value = T>) -> T {
            strategy.new_tree(&mut self.runner).unwrap().current()
        }

        /// Values, every tenth of them NULL.
        fn some<T: std::fmt::Debug>(&mut self, strategy: impl Strategy<Value = T>) -> Vec<Option<T>> {
            let strategy = proptest::option::weighted(0.9, strategy);
            (0..value_count()).map(|_| self.one(&strategy)).collect()
        }
    }

    fn rand_seed() -> u64 {
        u64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_micros()).unwrap()
    }

    /// What is carried, and how the database is asked whether it has arrived.
    struct Case {
        name: String,
        logical: L,
        /// Type of the target column.
        native: String,
        array: ArrayRef,
        /// What each value is, as text that does not come from the encoder.
        wanted: Vec<Option<String>>,
        /// SQL that is true when the column `c` is what the text `v` says.
        same: String,
    }

    fn case(logical: L, native: &str, array: impl Array + 'static, wanted: Vec<Option<String>>, same: &str) -> Case {
        let name = format!("{logical} to {native}");
        Case { name, logical, native: native.into(), array: Arc::new(array), wanted, same: same.into() }
    }

    /// Carries each case into a table of its own, lets the database compare, reads it again and compares with what was sent.
    async fn arrives(script: &str, seed: u64, cases: Vec<Case>) {
        let db = PostgresDatabase::create(script).await;
        let sink = open_prepared(&db).await;
        let mut connection = db.connect().await;
        sqlx::raw_sql("SET timezone = 'UTC'; SET extra_float_digits = 3").execute(&mut connection).await.unwrap();
        let mut tables = Vec::new();
        for (number, case) in cases.iter().enumerate() {
            let name = format!("t{number}");
            db.run(&format!(
                "CREATE TABLE {name} (id int NOT NULL, c {}); CREATE TABLE want{number} (id int, v text)",
                case.native
            ))
            .await;
            let table = table(&name, vec![column("c", case.logical.clone(), &case.native)]);
            let rows = batch(&table, vec![ids(case.array.len()), Arc::clone(&case.array)]);
            // Two batches, of which the second one is a slice: offsets matter.
            let cut = rows.num_rows() / 3;
            let batches = [rows.slice(0, cut), rows.slice(cut, rows.num_rows() - cut)];
            carry(&*sink, &table, &batches).await.unwrap_or_else(|error| panic!("{} (seed {seed}): {error:?}", case.name));
            let wanted: Vec<i32> = (0..).take(case.wanted.len()).collect();
            sqlx::query(AssertSqlSafe(format!("INSERT INTO want{number} SELECT * FROM unnest($1::int[], $2::text[])")))
                .bind(wanted)
                .bind(&case.wanted)
                .execute(&mut connection)
                .await
                .unwrap();
            let sql = format!(
                "SELECT id, c::text, v, (SELECT count(*) FROM {name}) FROM {name} FULL JOIN want{number} USING (id)
                 WHERE (CASE WHEN v IS NULL THEN c IS NULL ELSE {} END) IS NOT TRUE LIMIT 3",
                case.same
            );
            let wrong = sqlx::query(AssertSqlSafe(sql)).fetch_all(&mut connection).await;
            let wrong = wrong.unwrap_or_else(|error| panic!("{} (seed {seed}): {error}", case.name));
            let wrong: Vec<(i32, Option<String>, Option<String>)> =
                wrong.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect();
            assert!(wrong.is_empty(), "{} (seed {seed}): the database differs in {wrong:?}", case.name);
            tables.push((table, rows));
        }
        let back = sink.read_back(2).await.unwrap();
        for ((table, sent), case) in tables.iter().zip(&cases) {
            let read = read_all(&*back, table, 16 << 10).await;
            if case.native.starts_with("jsonb") {
                let (sent, read) = (sent.column(1).as_string::<i32>(), read.column(1).as_string::<i32>());
                let meaning = |array: &StringArray| -> Vec<_> {
                    array.iter().map(|text| text.map(|text| json::canonical(text).unwrap())).collect()
                };
                assert_eq!(meaning(sent), meaning(read), "{} (seed {seed})", case.name);
            } else {
                assert_eq!(sent.num_rows(), read.num_rows(), "{} (seed {seed}): read again", case.name);
                for row in 0..sent.num_rows() {
                    assert_eq!(sent.slice(row, 1), read.slice(row, 1), "{} (seed {seed}): read again", case.name);
                }
            }
        }
        drop(back);
        drop(sink);
        db.drop().await;
    }

    fn texts<T: ToString>(values: &[Option<T>]) -> Vec<Option<String>> {
        values.iter().map(|value| value.as_ref().map(T::to_string)).collect()
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn cases_of_integers(random: &mut Random) -> Vec<Case> {
        let mut cases = Vec::new();
        macro_rules! integers {
            ($($logical:ident $array:ident $type:ty: $($native:literal)*;)*) => {$(
                let edge = prop_oneof![Just(<$type>::MIN), Just(<$type>::MAX), Just(0), Just(1), any::<$type>()];
                let values = random.some(edge);
                $(cases.push(case(L::$logical, $native, $array::from(values.clone()), texts(&values), "c::numeric = v::numeric"));)*
            )*};
        }
        integers! {
            Int8 Int8Array i8: "smallint" "integer" "bigint" "numeric" "numeric(3,0)";
            Int16 Int16Array i16: "smallint" "integer" "bigint" "numeric";
            Int32 Int32Array i32: "integer" "bigint" "numeric(10,0)";
            Int64 Int64Array i64: "bigint" "numeric" "numeric(19,0)";
            UInt8 UInt8Array u8: "smallint" "numeric(3,0)";
            UInt16 UInt16Array u16: "integer" "numeric";
            UInt32 UInt32Array u32: "bigint" "numeric(10,0)";
            UInt64 UInt64Array u64: "numeric(20,0)" "numeric";
        }
        let values = random.some(0u64..=9_223_372_036_854_775_807);
        cases.push(case(L::UInt64, "bigint", UInt64Array::from(values.clone()), texts(&values), "c = v::bigint"));
        let values = random.some(any::<bool>());
        let numbers: Vec<_> = values.iter().map(|value| value.map(i32::from)).collect();
        cases.push(case(L::Bool, "boolean", BooleanArray::from(values.clone()), texts(&values), "c = v::boolean"));
        cases.push(case(L::Bool, "smallint", BooleanArray::from(values), texts(&numbers), "c = v::smallint"));
        cases.push(case(L::Int32, "boolean", Int32Array::from(numbers.clone()), texts(&numbers), "c = (v = '1')"));
        cases
    }

    #[tokio::test]
    async fn whole_numbers_arrive() {
        let mut random = Random::new();
        let cases = cases_of_integers(&mut random);
        arrives("", random.seed, cases).await;
    }

    #[tokio::test]
    async fn floats_arrive_bit_by_bit() {
        let mut random = Random::new();
        let any64 =
            prop_oneof![any::<u64>(), Just((-0.0f64).to_bits()), Just(1), Just(f64::NAN.to_bits()), Just(f64::MAX.to_bits())];
        let values = random.some(any64);
        let hexes = values.iter().map(|bits| bits.map(|bits| hex(&bits.to_be_bytes()))).collect();
        let array: Float64Array = values.iter().map(|bits| bits.map(f64::from_bits)).collect();
        let double = case(L::Float64, "double precision", array, hexes, "encode(float8send(c), 'hex') = v");
        let any32 = prop_oneof![any::<u32>(), Just((-0.0f32).to_bits()), Just(1), Just(f32::INFINITY.to_bits())];
        let values = random.some(any32);
        let hexes = values.iter().map(|bits| bits.map(|bits| hex(&bits.to_be_bytes()))).collect();
        let array: Float32Array = values.iter().map(|bits| bits.map(f32::from_bits)).collect();
        let real = case(L::Float32, "real", array, hexes, "encode(float4send(c), 'hex') = v");
        let values = random.some(proptest::num::f32::ANY.prop_filter("a NaN has no one spelling", |value| !value.is_nan()));
        let wide: Vec<_> = values.iter().map(|value| value.map(|value| format!("{:?}", f64::from(value)))).collect();
        let widened = case(L::Float32, "double precision", Float32Array::from(values), wide, "c = v::float8");
        arrives("", random.seed, vec![double, real, widened]).await;
    }

    /// An unscaled number of up to `precision` digits, as text, often with runs of zeros.
    fn digits(precision: usize) -> impl Strategy<Value = String> {
        let run = prop_oneof!["[0-9]{1,6}", "0{1,9}", "[1-9]0{2,7}", "9{1,8}"];
        (proptest::collection::vec(run, 1..16), 1..=precision, any::<bool>()).prop_map(|(runs, length, minus)| {
            let digits: String = runs.concat().chars().cycle().take(length).collect();
            format!("{}{digits}", if minus { "-" } else { "" })
        })
    }

    /// `unscaled` with `scale` digits behind the point.
    fn with_point(unscaled: &str, scale: usize) -> String {
        let (sign, digits) = unscaled.strip_prefix('-').map_or(("", unscaled), |digits| ("-", digits));
        let digits = format!("{digits:0>width$}", width = scale + 1);
        let (integer, fraction) = digits.split_at(digits.len() - scale);
        if scale == 0 { format!("{sign}{integer}") } else { format!("{sign}{integer}.{fraction}") }
    }

    #[tokio::test]
    async fn decimals_of_every_scale_arrive_as_the_number_that_their_text_says() {
        let mut random = Random::new();
        let mut cases = Vec::new();
        for (precision, scale) in
            [(1, 0), (1, 1), (4, 4), (5, 5), (9, 2), (10, 3), (18, 6), (19, 7), (38, 0), (38, 10), (38, 37), (38, 38)]
        {
            let values = random.some(digits(usize::from(precision)));
            let array: Decimal128Array =
                values.iter().map(|text| text.as_ref().map(|text| text.parse::<i128>().unwrap())).collect();
            let array = array.with_precision_and_scale(precision, i8::try_from(scale).unwrap()).unwrap();
            let wanted: Vec<_> = values.iter().map(|text| text.as_ref().map(|text| with_point(text, scale))).collect();
            let logical = L::Decimal { precision, scale: u8::try_from(scale).unwrap() };
            for native in [
                "numeric".to_string(),
                format!("numeric({precision},{scale})"),
                format!("numeric({},{})", precision + 9, scale + 4),
            ] {
                // The text says it, too: all zeros behind the point are there.
                let same = if native == "numeric" { "c = v::numeric AND c::text = (v::numeric)::text" } else { "c = v::numeric" };
                cases.push(case(logical.clone(), &native, array.clone(), wanted.clone(), same));
            }
        }
        for (precision, scale) in [(39, 0), (40, 5), (65, 30), (76, 0), (76, 30), (76, 73), (76, 76)] {
            let values = random.some(digits(usize::from(precision)));
            let array: Decimal256Array =
                values.iter().map(|text| text.as_ref().map(|text| i256::from_string(text).unwrap())).collect();
            let array = array.with_precision_and_scale(precision, i8::try_from(scale).unwrap()).unwrap();
            let wanted: Vec<_> = values.iter().map(|text| text.as_ref().map(|text| with_point(text, scale))).collect();
            let logical = L::Decimal { precision, scale: u8::try_from(scale).unwrap() };
            for native in ["numeric".to_string(), format!("numeric({precision},{scale})")] {
                cases.push(case(logical.clone(), &native, array.clone(), wanted.clone(), "c = v::numeric"));
            }
        }
        arrives("", random.seed, cases).await;
    }

    #[tokio::test]
    async fn numbers_without_bounds_arrive_as_the_number_that_their_text_says() {
        let mut random = Random::new();
        let number = ("-?", "[1-9][0-9]{0,30}|0|[1-9]0{3,40}", proptest::option::of("[0-9]{1,30}|0{1,13}[0-9]{0,3}")).prop_map(
            |(sign, integer, fraction)| match fraction {
                Some(fraction) => format!("{sign}{integer}.{fraction}"),
                None => format!("{sign}{integer}"),
            },
        );
        // There is no -0.
        let number = number.prop_map(|text| {
            if text.bytes().all(|byte| matches!(byte, b'-' | b'0' | b'.')) { text.replace('-', "") } else { text }
        });
        let special = prop_oneof![Just("NaN".to_string()), Just("Infinity".to_string()), Just("-Infinity".to_string())];
        let edges = prop_oneof![
            Just(format!("1{}", "0".repeat(131_071))),
            Just("9".repeat(131_072)),
            Just(format!("0.{}1", "0".repeat(16_382))),
            Just(format!("-9.{}", "9".repeat(16_383)))
        ];
        let values = random.some(prop_oneof![100 => number, 5 => special, 1 => edges]);
        let case = case(L::Numeric, "numeric", StringArray::from(values.clone()), values, "c = v::numeric AND c::text = v");
        arrives("", random.seed, vec![case]).await;
    }

    #[tokio::test]
    async fn dates_and_times_arrive() {
        let mut random = Random::new();
        let mut cases = Vec::new();
        let days = prop_oneof![
            6 => -800_000i32..2_000_000,
            1 => -2_440_588i32..=2_145_042_905,
            1 => Just(i32::MIN), 1 => Just(i32::MAX), 1 => Just(0), 1 => Just(10_957), 1 => Just(-2_440_588), 1 => Just(2_145_042_905)
        ];
        let values = random.some(days);
        let date = "c = CASE v WHEN '-2147483648' THEN date '-infinity' WHEN '2147483647' THEN 'infinity' ELSE date '1970-01-01' + v::int END";
        cases.push(case(L::Date, "date", Date32Array::from(values.clone()), texts(&values), date));

        let day = 86_400_000_000i64;
        for fsp in [0, 3, 6] {
            let step = 10i64.pow(6 - fsp);
            let fsp = u8::try_from(fsp).unwrap();
            let micros = prop_oneof![
                6 => -62_000_000_000_000_000i64..250_000_000_000_000_000,
                1 => Just(i64::MIN / step * step), 1 => Just(0), 1 => Just(946_684_800_000_000), 1 => Just(946_684_799_000_000)
            ];
            let micros =
                micros.prop_map(
                    move |micros| if micros < -300_000_000_000_000_000 { i64::MIN } else { micros.div_euclid(step) * step },
                );
            let last = i64::MAX / step * step - step;
            let micros = prop_oneof![9 => micros, 1 => Just(i64::MAX), 1 => Just(last), 1 => Just(-210_866_803_200_000_000)];
            for (zone, native) in [(Zone::None, "timestamp"), (Zone::Utc, "timestamptz")] {
                let values = random.some(&micros);
                let array =
                    TimestampMicrosecondArray::from(values.clone()).with_timezone_opt((zone == Zone::Utc).then_some("UTC"));
                let same = format!(
                    "c = CASE v WHEN '{}' THEN {native} '-infinity' WHEN '{}' THEN 'infinity' ELSE {native} '1970-01-01'
                     + div(v::numeric, {day})::int * interval '1 day' + mod(v::numeric, {day})::bigint * interval '1 microsecond' END",
                    i64::MIN,
                    i64::MAX
                );
                cases.push(case(L::Timestamp { fsp, zone }, &format!("{native}({fsp})"), array.clone(), texts(&values), &same));
                cases.push(case(L::Timestamp { fsp, zone }, native, array, texts(&values), &same));
            }
            let micros = prop_oneof![8 => 0..day, 1 => Just(0), 1 => Just(day)].prop_map(move |micros| micros / step * step);
            let values = random.some(micros);
            let same =
                format!("c = CASE v WHEN '{day}' THEN time '24:00' ELSE time '00:00' + v::bigint * interval '1 microsecond' END");
            let native = format!("time({fsp})");
            cases.push(case(L::Time { fsp }, &native, Time64MicrosecondArray::from(values.clone()), texts(&values), &same));
            cases.push(case(L::Duration { fsp }, &native, DurationMicrosecondArray::from(values.clone()), texts(&values), &same));
            let same = "c = v::bigint * interval '1 microsecond'";
            cases.push(case(L::Time { fsp }, "interval", Time64MicrosecondArray::from(values.clone()), texts(&values), same));

            let micros = (-3_020_399_999_999i64..=3_020_399_999_999).prop_map(move |micros| micros / step * step);
            let values = random.some(micros);
            let native = format!("interval({fsp})");
            let same = "c = v::bigint * interval '1 microsecond' AND extract(day FROM c) = 0";
            cases.push(case(L::Duration { fsp }, &native, DurationMicrosecondArray::from(values.clone()), texts(&values), same));
            let native = format!("interval day to second({fsp})");
            cases.push(case(L::Duration { fsp }, &native, DurationMicrosecondArray::from(values.clone()), texts(&values), same));
        }
        let parts = (any::<i16>(), -100_000i32..100_000, -9_000_000_000_000_000i64..9_000_000_000_000_000);
        let values = random.some(parts);
        let array: IntervalMonthDayNanoArray = values
            .iter()
            .map(|value| {
                value.map(|(months, days, micros)| IntervalMonthDayNano {
                    months: months.into(),
                    days,
                    nanoseconds: micros * 1_000,
                })
            })
            .collect();
        let wanted = values.iter().map(|value| value.map(|(months, days, micros)| format!("{months} {days} {micros}"))).collect();
        let same = "extract(year FROM c) * 12 + extract(month FROM c) || ' ' || extract(day FROM c) || ' '
             || trim_scale((extract(hour FROM c) * 3600 + extract(minute FROM c) * 60) * 1000000 + extract(microseconds FROM c)) = v";
        cases.push(case(L::Interval, "interval", array, wanted, same));
        arrives("", random.seed, cases).await;
    }

    #[tokio::test]
    async fn known_days_are_those_days() {
        let wanted = [
            "1970-01-01",
            "2000-01-01",
            "1999-12-31",
            "0001-01-01",
            "9999-12-31",
            "1000-01-01",
            "2024-02-29",
            "infinity",
            "-infinity",
        ];
        let days = [0, 10_957, 10_956, -719_162, 2_932_896, -354_285, 19_782, i32::MAX, i32::MIN];
        let wanted = wanted.map(|text| Some(text.to_string())).to_vec();
        let date = case(L::Date, "date", Date32Array::from(days.to_vec()), wanted, "c = v::date AND c::text = v");
        let wanted = ["1970-01-01 00:00:00", "1999-12-31 23:59:59.999999", "1000-01-01 00:00:00.5", "9999-12-31 23:59:59.999999"];
        let micros = vec![0, 946_684_799_999_999, -30_610_223_999_500_000, 253_402_300_799_999_999];
        let wanted = wanted.map(|text| Some(text.to_string())).to_vec();
        let timestamp = case(
            L::Timestamp { fsp: 6, zone: Zone::None },
            "timestamp",
            TimestampMicrosecondArray::from(micros),
            wanted,
            "c::text = v",
        );
        arrives("", 0, vec![date, timestamp]).await;
    }

    #[tokio::test]
    async fn texts_arrive() {
        let mut random = Random::new();
        let text = L::Text { length: None };
        let values = random.some("[^\\x00]{0,40}|[\\t\\r\\n\\\\ ]{0,5}|NULL|\\\\N|\\\\\\.| {1,3}|😀{1,3}");
        let mut cases = Vec::new();
        for native in ["text", "varchar", "varchar(40)", "shop.citext", "shop.short", "bpchar"] {
            // A cast from `bpchar` would trim.
            let bytes = if native == "bpchar" { "bpcharsend(c)" } else { "convert_to(c::text, 'UTF8')" };
            let same = format!("{bytes} = convert_to(v, 'UTF8')");
            cases.push(case(text.clone(), native, StringArray::from(values.clone()), values.clone(), &same));
        }
        let values = random.some("[a-zA-Zäß😀]{3}");
        cases.push(case(text.clone(), "char(3)", StringArray::from(values.clone()), values, "c = v"));
        let values = random.some("[a-z]{1,63}");
        cases.push(case(text.clone(), "name", StringArray::from(values.clone()), values, "c = v"));
        let labels = ["a", "", "it's", "A", "\"q\"\\", "ä😀"].map(String::from).to_vec();
        let values = random.some(proptest::sample::select(labels.clone()));
        let logical = L::Enum { labels: labels.clone() };
        for native in ["shop.\"Mood\"", "text", "varchar(5)"] {
            cases.push(case(logical.clone(), native, StringArray::from(values.clone()), values.clone(), "c::text = v"));
        }
        let script = "CREATE SCHEMA shop; CREATE EXTENSION citext SCHEMA shop; CREATE DOMAIN shop.inner AS varchar(40);
            CREATE DOMAIN shop.short AS shop.inner CHECK (char_length(VALUE) <= 40);
            CREATE TYPE shop.\"Mood\" AS ENUM ('a', '', 'it''s', 'A', '\"q\"\\', 'ä😀')";
        arrives(script, random.seed, cases).await;
    }

    #[tokio::test]
    async fn bytes_bits_and_uuids_arrive() {
        let mut random = Random::new();
        let mut cases = Vec::new();
        let values = random.some(proptest::collection::vec(any::<u8>(), 0..60));
        let hexes: Vec<_> = values.iter().map(|bytes| bytes.as_deref().map(hex)).collect();
        let array: BinaryArray = values.iter().map(Option::as_deref).collect();
        cases.push(case(L::Binary { length: None }, "bytea", array, hexes, "encode(c, 'hex') = v"));
        for length in [1u32, 3, 8, 9, 64] {
            let values = random.some(proptest::collection::vec(any::<bool>(), usize::try_from(length).unwrap()));
            let wanted: Vec<Option<String>> = values
                .iter()
                .map(|bits| bits.as_ref().map(|bits| bits.iter().map(|bit| if *bit { '1' } else { '0' }).collect()))
                .collect();
            let packed = |bits: &Vec<bool>| -> Vec<u8> {
                bits.chunks(8)
                    .map(|bits| bits.iter().enumerate().fold(0, |byte, (at, bit)| byte | u8::from(*bit) << (7 - at)))
                    .collect()
            };
            let array: BinaryArray = values.iter().map(|bits| bits.as_ref().map(packed)).collect();
            for native in [format!("bit({length})"), "varbit".into(), format!("varbit({})", length + 1)] {
                cases.push(case(L::Bits { length }, &native, array.clone(), wanted.clone(), "c::text = v"));
            }
            if length == 1 {
                cases.push(case(L::Bits { length }, "boolean", array, wanted, "c::int::text = v"));
            }
        }
        let values = random.some(any::<[u8; 16]>());
        let wanted: Vec<_> = values.iter().map(|bytes| bytes.as_ref().map(|bytes| hex(bytes))).collect();
        let array = FixedSizeBinaryArray::try_from_sparse_iter_with_size(values.iter().copied(), 16).unwrap();
        cases.push(case(L::Uuid, "uuid", array.clone(), wanted.clone(), "c = v::uuid"));
        cases.push(case(L::Uuid, "bytea", array, wanted.clone(), "encode(c, 'hex') = v"));
        let array: BinaryArray = values.iter().map(|bytes| bytes.as_ref().map(<[u8; 16]>::as_slice)).collect();
        cases.push(case(L::Binary { length: Some(16) }, "uuid", array, wanted, "c = v::uuid"));
        arrives("", random.seed, cases).await;
    }

    #[tokio::test]
    async fn json_arrives() {
        let mut random = Random::new();
        let leaf = prop_oneof![
            Just("null".to_string()),
            Just("true".to_string()),
            "-?(0|[1-9][0-9]{0,25})(\\.[0-9]{1,20})?([eE][+-]?[0-9]{1,2})?",
            "[^\\x00-\\x1f\"\\\\]{0,9}".prop_map(|text| format!("\"{text}\"")),
            Just("\"\\ud83d\\ude00\\n\\/\\\"\"".to_string()),
        ];
        let value = leaf.prop_recursive(3, 20, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(" , "))),
                proptest::collection::btree_map("[a-z ]{0,4}", inner, 0..4).prop_map(|members| {
                    let members: Vec<_> = members.iter().rev().map(|(key, value)| format!("\"{key}\" : {value}")).collect();
                    format!("{{{}}}", members.join(","))
                }),
            ]
        });
        let values = random.some(value);
        let mut cases = Vec::new();
        for (native, same) in [("json", "c::text = v"), ("jsonb", "c = v::jsonb"), ("text", "c = v")] {
            cases.push(case(L::Json, native, StringArray::from(values.clone()), values.clone(), same));
        }
        // The plain `json` keeps what `jsonb` refuses.
        let odd = ["{\"a\":1,\"a\":2}", "\"\\u0000\"", "\"\\ud800\"", "1e999999", " [1.0, 1 ] "]
            .map(|text| Some(text.to_string()))
            .to_vec();
        cases.push(case(L::Json, "json", StringArray::from(odd.clone()), odd, "c::text = v"));
        arrives("", random.seed, cases).await;
    }

    #[tokio::test]
    async fn arrays_arrive() {
        let mut random = Random::new();
        let mut cases = Vec::new();
        let labels = ["null", "NULL", "", "a\"b", "{", "}", ",", "\\", "it's", "ä😀"].map(String::from).to_vec();
        let sets = random.some(proptest::collection::vec(proptest::sample::select(labels.clone()), 0..5));
        let mut builder = ListBuilder::new(StringBuilder::new()).with_field(Field::new_list_field(DataType::Utf8, false));
        for set in &sets {
            if let Some(set) = set {
                set.iter().for_each(|label| builder.values().append_value(label));
            }
            builder.append(set.is_some());
        }
        // Compared as JSON, which the array has no part in.
        let as_json: Vec<_> = sets.iter().map(|set| set.as_ref().map(|set| serde_json::to_string(set).unwrap())).collect();
        let array = builder.finish();
        for native in ["text[]", "varchar(4)[]", "label[]", "label_text[]", "labels"] {
            let same = "to_jsonb(c::text[]) = v::jsonb AND (cardinality(c) = 0 OR array_lower(c, 1) = 1)";
            cases.push(case(L::Set { labels: labels.clone() }, native, array.clone(), as_json.clone(), same));
        }
        let lists = random.some(proptest::collection::vec(proptest::option::weighted(0.8, any::<i64>()), 0..6));
        let as_json: Vec<_> = lists.iter().map(|list| list.as_ref().map(|list| serde_json::to_string(list).unwrap())).collect();
        let array = ListArray::from_iter_primitive::<arrow::datatypes::Int64Type, _, _>(lists);
        let array = retyped(&array, L::Array { item: Box::new(L::Int64) });
        for native in ["bigint[]", "numeric[]", "numeric(19,0)[]"] {
            cases.push(case(
                L::Array { item: Box::new(L::Int64) },
                native,
                array.clone(),
                as_json.clone(),
                "to_jsonb(c) = v::jsonb",
            ));
        }
        let script = "CREATE TYPE label AS ENUM ('null','NULL','','a\"b','{','}',',','\\','it''s','ä😀');
            CREATE DOMAIN label_text AS varchar(4); CREATE DOMAIN labels AS text[]";
        arrives(script, random.seed, cases).await;
    }

    fn retyped(array: &ListArray, logical: L) -> ListArray {
        let DataType::List(field) = logical.arrow() else { panic!("no list") };
        ListArray::new(field, array.offsets().clone(), Arc::clone(array.values()), array.nulls().cloned())
    }

    #[tokio::test]
    async fn geometries_arrive_with_their_reference_system() {
        let mut random = Random::new();
        let point = |x: f64, y: f64, srid: u32| {
            let mut bytes = vec![1];
            bytes.extend((1u32 | if srid == 0 { 0 } else { 0x2000_0000 }).to_le_bytes());
            if srid != 0 {
                bytes.extend(srid.to_le_bytes());
            }
            bytes.extend(x.to_le_bytes());
            bytes.extend(y.to_le_bytes());
            bytes
        };
        let place = (-180.0f64..180.0, -90.0f64..90.0);
        let mut cases = Vec::new();
        for (srid, native) in [(4326, "gis.geometry(Point,4326)"), (0, "gis.geometry"), (3857, "gis.geometry")] {
            let values: Vec<_> = random.some(&place).iter().map(|place| place.map(|(x, y)| point(x, y, srid))).collect();
            let hexes = values.iter().map(|bytes| bytes.as_deref().map(hex)).collect();
            let array: BinaryArray = values.iter().map(Option::as_deref).collect();
            let logical = L::Geometry { srid: None, shape: None };
            cases.push(case(logical, native, array, hexes, "encode(gis.ST_AsEWKB(c, 'NDR'), 'hex') = v"));
        }
        arrives("CREATE SCHEMA gis; CREATE EXTENSION postgis SCHEMA gis", random.seed, cases).await;
    }

    /// Values that a binary COPY would change or refuse: each is refused before it is sent, with column and key, and nothing stays.
    async fn refused(script: &str, cases: Vec<(L, &str, ArrayRef, &str)>) {
        let db = PostgresDatabase::create(script).await;
        let sink = open_prepared(&db).await;
        for (number, (logical, native, value, why)) in cases.into_iter().enumerate() {
            let what = format!("{logical} to {native}: {why}");
            let name = format!("t{number}");
            db.run(&format!("CREATE TABLE {name} (id int, c {native})")).await;
            let table = table(&name, vec![column("c", logical, native)]);
            // A NULL first: the row that is named must be the one that fails.
            let nothing = arrow::array::new_null_array(value.data_type(), 1);
            let values = arrow::compute::concat(&[&*nothing, &*value]).unwrap();
            let rows = batch(&table, vec![Arc::new(Int32Array::from(vec![6, 7])), values]);
            let error = carry(&*sink, &table, &[rows]).await.expect_err(&what);
            assert_eq!(error.kind(), ErrorKind::Value, "{what}: {error:?}");
            assert_eq!(error.place().table.as_deref(), Some(format!("public.{name}").as_str()), "{what}");
            assert_eq!(error.place().column.as_deref(), Some("c"), "{what}");
            assert_eq!(error.place().key.as_deref(), Some("(id = 7)"), "{what}");
            assert!(error.what().contains(why), "{what}: {error:?}");
            assert_eq!(db.value(&format!("SELECT count(*) FROM {name}")).await.as_deref(), Some("0"), "{what}");
        }
        assert_eq!(db.value("SELECT count(*) FROM dbferry.receipts").await.as_deref(), Some("0"));
        drop(sink);
        db.drop().await;
    }

    fn decimal(value: i128, precision: u8, scale: i8) -> (L, ArrayRef) {
        let array = Decimal128Array::from(vec![value]).with_precision_and_scale(precision, scale).unwrap();
        (L::Decimal { precision, scale: scale.try_into().unwrap() }, Arc::new(array))
    }

    #[tokio::test]
    async fn numbers_that_would_change_are_refused() {
        let mut cases: Vec<(L, &str, ArrayRef, &str)> = vec![
            (L::UInt64, "bigint", Arc::new(UInt64Array::from(vec![1u64 << 63])), "out of the range of `bigint`"),
            (L::Int64, "smallint", Arc::new(Int64Array::from(vec![32_768])), "out of the range of `smallint`"),
            (L::Int32, "smallint", Arc::new(Int32Array::from(vec![-32_769])), "out of the range of `smallint`"),
            (L::UInt32, "integer", Arc::new(UInt32Array::from(vec![u32::MAX])), "out of the range of `integer`"),
            (L::Int8, "boolean", Arc::new(Int8Array::from(vec![2])), "neither 0 nor 1"),
            (L::Int8, "boolean", Arc::new(Int8Array::from(vec![-1])), "neither 0 nor 1"),
            (L::UInt64, "numeric(19,0)", Arc::new(UInt64Array::from(vec![u64::MAX])), "20 digits before the point"),
            (L::Numeric, "numeric(5,2)", Arc::new(StringArray::from(vec!["1.005"])), "3 digits behind the point"),
            (L::Numeric, "numeric(5,2)", Arc::new(StringArray::from(vec!["-1000"])), "4 digits before the point"),
            (L::Numeric, "numeric(5,2)", Arc::new(StringArray::from(vec!["Infinity"])), "Infinity has no place"),
            (L::Numeric, "numeric", Arc::new(StringArray::from(vec!["1e5"])), "no decimal number"),
            (L::Numeric, "numeric", Arc::new(StringArray::from(vec![""])), "no decimal number"),
            (L::Numeric, "numeric", Arc::new(StringArray::from(vec!["1.2.3"])), "no decimal number"),
            (L::Numeric, "numeric", Arc::new(StringArray::from(vec!["9".repeat(131_073)])), "more digits"),
            (L::Numeric, "numeric", Arc::new(StringArray::from(vec![format!("0.{}", "1".repeat(16_384))])), "more digits"),
        ];
        let (logical, value) = decimal(100_001, 9, 5);
        cases.push((logical, "numeric(9,4)", value, "5 digits behind the point"));
        let (logical, value) = decimal(100_000, 9, 2);
        cases.push((logical, "numeric(5,2)", value, "4 digits before the point"));
        let (logical, value) = decimal(1, 38, 38);
        cases.push((logical, "amount", value, "38 digits behind the point"));
        refused("CREATE DOMAIN amount AS numeric(20,2)", cases).await;
    }

    #[tokio::test]
    async fn times_that_would_change_are_refused() {
        let timestamp = |micros: i64| -> ArrayRef { Arc::new(TimestampMicrosecondArray::from(vec![micros])) };
        let instant = |micros: i64| -> ArrayRef { Arc::new(TimestampMicrosecondArray::from(vec![micros]).with_timezone("UTC")) };
        let wall = L::Timestamp { fsp: 6, zone: Zone::None };
        let duration = |micros: i64| -> ArrayRef { Arc::new(DurationMicrosecondArray::from(vec![micros])) };
        let parts = |months, days, nanoseconds| -> ArrayRef {
            Arc::new(IntervalMonthDayNanoArray::from(vec![IntervalMonthDayNano { months, days, nanoseconds }]))
        };
        let cases: Vec<(L, &str, ArrayRef, &str)> = vec![
            (wall.clone(), "timestamp(3)", timestamp(1_500), "more than the 3 digits"),
            (wall.clone(), "timestamp(0)", timestamp(-1), "more than the 0 digits"),
            (L::Timestamp { fsp: 6, zone: Zone::Utc }, "timestamptz(5)", instant(1), "more than the 5 digits"),
            (wall.clone(), "timestamp", timestamp(i64::MIN + 1), "out of PostgreSQL's range"),
            (wall, "timestamp", timestamp(-210_866_803_200_000_001), "out of PostgreSQL's range"),
            (L::Date, "date", Arc::new(Date32Array::from(vec![i32::MAX - 1])), "out of PostgreSQL's range"),
            (L::Date, "date", Arc::new(Date32Array::from(vec![-2_440_589])), "out of PostgreSQL's range"),
            (L::Date, "date", Arc::new(Date32Array::from(vec![2_145_042_906])), "out of PostgreSQL's range"),
            (L::Time { fsp: 6 }, "time(2)", Arc::new(Time64MicrosecondArray::from(vec![123_456])), "more than the 2 digits"),
            (L::Time { fsp: 6 }, "time", Arc::new(Time64MicrosecondArray::from(vec![-1])), "not between 00:00:00 and 24:00:00"),
            (L::Duration { fsp: 6 }, "time", duration(86_400_000_001), "not between 00:00:00 and 24:00:00"),
            (L::Duration { fsp: 6 }, "time", duration(-1), "not between 00:00:00 and 24:00:00"),
            (L::Duration { fsp: 6 }, "interval(0)", duration(-500_000), "more than the 0 digits"),
            (L::Interval, "interval(3)", parts(1, 1, 1_000), "more than the 3 digits"),
            (L::Interval, "interval", parts(0, 0, 1_001), "fraction of a microsecond"),
        ];
        refused("", cases).await;
    }

    #[tokio::test]
    async fn texts_and_bytes_that_would_change_are_refused() {
        let text = |text: &str| -> ArrayRef { Arc::new(StringArray::from(vec![text])) };
        let bytes = |bytes: &[u8]| -> ArrayRef { Arc::new(BinaryArray::from(vec![bytes])) };
        let any = L::Text { length: None };
        let mood = L::Enum { labels: vec!["sad".into(), "".into()] };
        let mut set = ListBuilder::new(StringBuilder::new()).with_field(Field::new_list_field(DataType::Utf8, false));
        set.values().append_value("ok");
        set.values().append_value("not\0ok");
        set.append(true);
        let set: ArrayRef = Arc::new(set.finish());
        let cases: Vec<(L, &str, ArrayRef, &str)> = vec![
            (any.clone(), "text", text("a\0b"), "U+0000"),
            (any.clone(), "varchar(3)", text("äöüß"), "4 characters"),
            // The server would drop the spaces without a word.
            (any.clone(), "varchar(3)", text("abc  "), "5 characters"),
            (any.clone(), "short", text("abcd"), "4 characters"),
            (any.clone(), "char(3)", text("ab"), "pads"),
            (any.clone(), "char(3)", text("abc "), "pads"),
            (any.clone(), "name", text(&"x".repeat(64)), "64 bytes"),
            (mood, "mood", text(""), "no label"),
            (any.clone(), "mood", text("glad"), "no label"),
            (L::Set { labels: vec![] }, "text[]", set.clone(), "U+0000"),
            (L::Set { labels: vec![] }, "varchar(3)[]", set, "6 characters"),
            (L::Bits { length: 3 }, "bit(3)", bytes(&[0b1011_0000]), "exactly 3 bits"),
            (L::Bits { length: 3 }, "bit(3)", bytes(&[0, 0]), "exactly 3 bits"),
            (L::Binary { length: None }, "uuid", bytes(&[1; 15]), "no `uuid`"),
            (L::Json, "jsonb", text("{\"a\":1,\"\\u0061\":2}"), "key `a` twice"),
            (L::Json, "jsonb", text("\"\\u0000\""), "U+0000"),
            (L::Json, "jsonb", text("\"\\ud800\""), "surrogate"),
            (L::Json, "jsonb", text("[1e131072]"), "more digits"),
            (L::Json, "jsonb", text("[1e-16384]"), "more digits"),
            (L::Json, "jsonb", text("[1"), "no JSON"),
            (L::Json, "json", text("{a:1}"), "no JSON"),
            (any, "jsonb", text(""), "no JSON"),
        ];
        refused("CREATE DOMAIN short AS varchar(3); CREATE TYPE mood AS ENUM ('sad')", cases).await;
    }

    #[tokio::test]
    async fn a_geometry_of_another_reference_system_is_refused() {
        let mut point = vec![1, 1, 0, 0, 0x20, 0x11, 0x0f, 0, 0];
        point.extend([0; 16]);
        let geometry = L::Geometry { srid: Some(4326), shape: None };
        let bytes = |bytes: &[u8]| -> ArrayRef { Arc::new(BinaryArray::from(vec![bytes])) };
        let cases: Vec<(L, &str, ArrayRef, &str)> = vec![
            (geometry.clone(), "geometry(Point,4326)", bytes(&point), "SRID 3857"),
            (geometry.clone(), "geometry", bytes(&[1, 2]), "no geometry"),
        ];
        refused("CREATE EXTENSION postgis", cases).await;
    }

    #[tokio::test]
    async fn a_null_where_none_may_be_is_refused_with_its_key() {
        let db = PostgresDatabase::create("CREATE TABLE t (id int, c text NOT NULL)").await;
        let sink = open_prepared(&db).await;
        let table = table("t", vec![column("c", L::Text { length: None }, "text")]);
        let rows = batch(&table, vec![ids(3), Arc::new(StringArray::from(vec![Some("a"), None, None]))]);
        let error = carry(&*sink, &table, &[rows]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Value);
        assert_eq!(error.place().key.as_deref(), Some("(id = 1)"));
        assert_eq!(error.place().column.as_deref(), Some("c"));
        drop(sink);
        db.drop().await;
    }

    #[tokio::test]
    async fn a_pair_without_an_encoder_is_refused_before_the_first_row() {
        let db = PostgresDatabase::create("").await;
        let sink = open_prepared(&db).await;
        let pairs = [
            (L::Text { length: None }, "integer"),
            (L::Float64, "real"),
            (L::Float64, "numeric"),
            (L::Int64, "double precision"),
            (L::Timestamp { fsp: 0, zone: Zone::None }, "timestamptz"),
            (L::Timestamp { fsp: 0, zone: Zone::Utc }, "timestamp"),
            (L::Duration { fsp: 6 }, "interval year to month"),
            (L::Bits { length: 9 }, "bit(8)"),
            (L::Bits { length: 9 }, "varbit(8)"),
            (L::Text { length: None }, "xml"),
            (L::Text { length: None }, "inet"),
            (L::Text { length: None }, "\"char\""),
            (L::Set { labels: vec![] }, "text"),
            (L::Set { labels: vec![] }, "integer[]"),
            (L::Time { fsp: 6 }, "timetz"),
            (L::Int32, "money"),
            (L::Vector { dimensions: 3 }, "real[]"),
        ];
        let natives: Vec<_> = pairs.iter().enumerate().map(|(number, (_, native))| format!("c{number} {native}")).collect();
        db.run(&format!("CREATE TABLE t (id int, {})", natives.join(", "))).await;
        let columns =
            pairs.iter().enumerate().map(|(number, (logical, native))| column(&format!("c{number}"), logical.clone(), native));
        let table = table("t", columns.collect());
        let error = sink.begin_chunk(&unit(RunId::generate(), &table, 0), &table).await.err().unwrap();
        let all: Vec<_> = std::iter::once(&error).chain(error.also()).collect();
        for error in &all {
            assert_eq!(error.kind(), ErrorKind::Mapping, "{error:?}");
        }
        let names: Vec<_> = all.iter().map(|error| error.place().column.clone().unwrap()).collect();
        let expected: Vec<_> = (0..pairs.len()).map(|number| format!("c{number}")).collect();
        assert_eq!(names, expected, "{error:?}");
        drop(sink);
        db.drop().await;
    }

    #[tokio::test]
    async fn generated_columns_are_not_written_but_read_again() {
        let db = PostgresDatabase::create("CREATE TABLE t (id int, twice int GENERATED ALWAYS AS (id * 2) STORED, c text)").await;
        let sink = open_prepared(&db).await;
        let mut twice = column("twice", L::Int32, "integer");
        twice.generated = Some(Generated { expression: "id * 2".into(), stored: true });
        let table = table("t", vec![twice, column("c", L::Text { length: None }, "text")]);
        let rows = batch(
            &table,
            vec![ids(3), Arc::new(Int32Array::from(vec![0, 2, 4])), Arc::new(StringArray::from(vec!["a", "b", "c"]))],
        );
        carry(&*sink, &table, std::slice::from_ref(&rows)).await.unwrap();
        let back = sink.read_back(1).await.unwrap();
        assert_eq!(read_all(&*back, &table, 1 << 20).await, rows);
        // What one side generates and the other does not is no table of this plan.
        let mut plain = table.clone();
        plain.columns[1].generated = None;
        let error = carry(&*sink, &plain, &[rows]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::SchemaChanged);
        drop(back);
        drop(sink);
        db.drop().await;
    }

    fn numbers(table: &Table, count: usize) -> RecordBatch {
        let texts: StringArray = (0..count).map(|number| Some(format!("value {number}"))).collect();
        batch(table, vec![ids(count), Arc::new(texts)])
    }

    fn plain() -> Table {
        table("t", vec![column("c", L::Text { length: None }, "text")])
    }

    const PLAIN: &str = "CREATE TABLE t (id int, c text)";

    #[tokio::test]
    async fn rows_and_receipt_are_committed_together_and_a_chunk_is_taken_once() {
        let db = PostgresDatabase::create(PLAIN).await;
        let sink = open_prepared(&db).await;
        let (table, run) = (plain(), RunId::generate());
        let rows = numbers(&table, 1000);
        let mut writer = sink.begin_chunk(&unit(run, &table, 3), &table).await.unwrap();
        writer.write(&rows).await.unwrap();
        assert!(sink.ledger().receipts(run).await.unwrap().is_empty());
        assert_eq!(db.value("SELECT count(*) FROM t").await.as_deref(), Some("0"));
        let receipt = writer.commit(digest(1000)).await.unwrap();
        assert_eq!(receipt.digest, digest(1000));
        assert!(receipt.bytes > 10_000);
        assert_eq!(sink.ledger().receipts(run).await.unwrap(), [receipt]);
        assert_eq!(db.value("SELECT count(*) FROM t").await.as_deref(), Some("1000"));

        let error = sink.begin_chunk(&unit(run, &table, 3), &table).await.err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Ledger, "{error:?}");
        // Another run, and another chunk, are no second attempt.
        for unit in [unit(RunId::generate(), &table, 3), unit(run, &table, 4)] {
            let writer = sink.begin_chunk(&unit, &table).await.unwrap();
            writer.commit(Digest::default()).await.unwrap();
        }
        drop(sink);
        db.drop().await;
    }

    #[tokio::test]
    async fn a_second_claim_waits_for_the_first_and_then_fails() {
        let db = PostgresDatabase::create(PLAIN).await;
        let sink = open_prepared(&db).await;
        let (table, run) = (plain(), RunId::generate());
        let first = sink.begin_chunk(&unit(run, &table, 0), &table).await.unwrap();
        let second = {
            let (sink, table) = (Arc::clone(&sink), table.clone());
            tokio::spawn(async move { sink.begin_chunk(&unit(run, &table, 0), &table).await.map(drop) })
        };
        // It waits in the server, where it can be seen to.
        let waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
        while db.value(waiting).await.as_deref() != Some("1") {
            assert!(!second.is_finished());
        }
        first.commit(Digest::default()).await.unwrap();
        let error = second.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Ledger, "{error:?}");

        // After a first one that was taken back, the second one goes on.
        let first = sink.begin_chunk(&unit(run, &table, 1), &table).await.unwrap();
        let second = {
            let (sink, table) = (Arc::clone(&sink), table.clone());
            tokio::spawn(async move { sink.begin_chunk(&unit(run, &table, 1), &table).await.map(drop) })
        };
        first.abort().await.unwrap();
        second.await.unwrap().unwrap();
        drop(sink);
        db.drop().await;
    }

    #[tokio::test]
    async fn a_writer_that_is_dropped_or_aborted_leaves_nothing() {
        let db = PostgresDatabase::create(PLAIN).await;
        let sink = open_prepared(&db).await;
        let (table, run) = (plain(), RunId::generate());
        // More than one piece, so that rows are in the server already.
        let rows = numbers(&table, 200_000);
        for abort in [false, true, false] {
            let mut writer = sink.begin_chunk(&unit(run, &table, 0), &table).await.unwrap();
            writer.write(&rows).await.unwrap();
            if abort {
                writer.abort().await.unwrap();
            }
        }
        // The claim of a new attempt waits until the dropped ones are gone.
        let mut writer = sink.begin_chunk(&unit(run, &table, 0), &table).await.unwrap();
        assert_eq!(db.value("SELECT count(*) FROM t").await.as_deref(), Some("0"));
        writer.write(&rows.slice(0, 5)).await.unwrap();
        writer.commit(digest(5)).await.unwrap();
        assert_eq!(db.value("SELECT count(*) FROM t").await.as_deref(), Some("5"));
        drop(sink);
        db.drop().await;
    }

    #[tokio::test]
    async fn a_row_that_the_target_refuses_fails_the_chunk_with_constraint_and_key() {
        let db = PostgresDatabase::create("CREATE TABLE t (id int PRIMARY KEY, c text CHECK (c <> 'value 7'))").await;
        let sink = open_prepared(&db).await;
        let table = plain();
        let error = carry(&*sink, &table, &[numbers(&table, 100)]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TargetWrite);
        assert!(error.hint_text().unwrap().contains("t_c_check"), "{error:?}");
        let rows = numbers(&table, 5);
        let error = carry(&*sink, &table, &[rows.clone(), rows.clone()]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TargetWrite);
        assert_eq!(error.place().key.as_deref(), Some("(id) = (0)"), "{error:?}");
        carry(&*sink, &table, &[rows]).await.unwrap();
        drop(sink);
        db.drop().await;
    }

    #[tokio::test]
    async fn triggers_do_not_act_on_carried_rows_and_rows_that_one_drops_are_missed() {
        let db = PostgresDatabase::create(
            "CREATE TABLE t (id int, c text);
             CREATE FUNCTION skip() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
             CREATE TRIGGER skip BEFORE INSERT ON t FOR EACH ROW WHEN (NEW.id = 2) EXECUTE FUNCTION skip()",
        )
        .await;
        let sink = open_prepared(&db).await;
        let table = plain();
        carry(&*sink, &table, &[numbers(&table, 5)]).await.unwrap();
        assert_eq!(db.value("SELECT count(*) FROM t").await.as_deref(), Some("5"));
        db.run("ALTER TABLE t ENABLE ALWAYS TRIGGER skip").await;
        let error = carry(&*sink, &table, &[numbers(&table, 5)]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TargetWrite, "{error:?}");
        assert!(error.what().contains("stored 4"), "{error:?}");
        assert_eq!(db.value("SELECT count(*) FROM t").await.as_deref(), Some("5"));
        drop(sink);
        db.drop().await;
    }

    #[tokio::test]
    async fn a_user_without_rights_carries_and_is_told_what_is_missing() {
        let db = PostgresDatabase::create("").await;
        let user = format!("{}_loader", db.name);
        db.run(&format!(
            "CREATE ROLE {user} LOGIN PASSWORD 'secret'; CREATE SCHEMA ours AUTHORIZATION {user}; REVOKE CREATE ON DATABASE {} FROM PUBLIC;
             CREATE TABLE t (id int, c text); GRANT INSERT, SELECT ON t TO {user}; CREATE TABLE shut (id int)",
            db.name
        ))
        .await;
        let mut at = Endpoint::parse(&db.url).unwrap();
        at.user = Some(user.clone());
        at.password = Some(Secret::new("secret"));
        let open = |schema: &str| {
            let (at, mut options) = (at.clone(), options(2));
            options.ledger_schema = schema.into();
            async move { engine(EngineKind::Postgres).open_sink(&at, &options).await.unwrap() }
        };
        let error = open("elsewhere").await.ledger().prepare().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::MissingRight);
        assert!(error.hint_text().unwrap().contains("ledger_schema"));
        // No right to create schemas, and none is needed for one that stands.
        let sink = open("ours").await;
        sink.ledger().prepare().await.unwrap();
        let rows = numbers(&plain(), 5);
        carry(&*sink, &plain(), &[rows]).await.unwrap();
        let shut = table("shut", vec![]);
        let error = carry(&*sink, &shut, &[batch(&shut, vec![ids(1)])]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::MissingRight, "{error:?}");
        let gone = table("gone", vec![]);
        let error = carry(&*sink, &gone, &[batch(&gone, vec![ids(1)])]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::SchemaChanged, "{error:?}");
        drop(sink);
        db.run(&format!("DROP OWNED BY {user}; DROP ROLE {user}")).await;
        db.drop().await;
    }

    #[tokio::test]
    async fn the_ledger_is_made_by_many_at_once_and_keeps_runs_and_marks() {
        let db = PostgresDatabase::create("").await;
        let sinks = [open(&db).await, open(&db).await, open(&db).await, open(&db).await];
        let ledger = sinks[0].ledger();
        assert!(ledger.runs().await.unwrap().is_empty());
        let outcomes = futures::future::join_all(sinks.iter().map(|sink| sink.ledger().prepare())).await;
        outcomes.into_iter().for_each(Result::unwrap);
        ledger.prepare().await.unwrap();
        let run = RunRecord {
            run: RunId::generate(),
            source: "mysql://me@db/shop".into(),
            target: "postgres://me@db2/shop".into(),
            identity: "abc".into(),
            state: RunState::Running,
            plan: serde_json::json!({"z": 1, "a": "\u{0}ä", "n": 18446744073709551615u64}),
            started_us: 0,
            updated_us: 0,
            report: None,
        };
        ledger.start(&run).await.unwrap();
        assert_eq!(ledger.start(&run).await.unwrap_err().kind(), ErrorKind::Ledger);
        let report = serde_json::json!({"ok": true});
        ledger.finish(run.run, RunState::Done, &report).await.unwrap();
        let kept = ledger.runs().await.unwrap();
        let [kept] = kept.as_slice() else { panic!("{kept:?}") };
        assert!(kept.started_us > 1_700_000_000_000_000 && kept.updated_us >= kept.started_us);
        let expected = RunRecord {
            started_us: kept.started_us,
            updated_us: kept.updated_us,
            report: Some(report),
            state: RunState::Done,
            ..run
        };
        assert_eq!(*kept, expected);
        let other = ledger.finish(RunId::generate(), RunState::Failed, &serde_json::Value::Null).await.unwrap_err();
        assert_eq!(other.kind(), ErrorKind::Ledger);
        for _ in 0..2 {
            ledger.mark(expected.run, &ObjectName::new("public", "t"), "indexes").await.unwrap();
        }
        assert_eq!(ledger.marks(expected.run).await.unwrap(), [(ObjectName::new("public", "t"), "indexes".to_string())]);
        db.run("UPDATE dbferry.format SET version = 99").await;
        assert_eq!(ledger.prepare().await.unwrap_err().kind(), ErrorKind::Ledger);
        drop(sinks);
        db.drop().await;
    }

    #[tokio::test]
    async fn statements_are_skipped_when_their_object_stands() {
        let db = PostgresDatabase::create("").await;
        let sink = open(&db).await;
        let ddl = |phase, sql: &str, exists: &str| Ddl {
            phase,
            table: Some(ObjectName::new("public", "t")),
            object: "table t".into(),
            sql: sql.into(),
            exists_sql: Some(exists.into()),
        };
        let create = ddl(DdlPhase::Tables, "CREATE TABLE public.t (id int)", "SELECT to_regclass('public.t') IS NOT NULL");
        let index = ddl(DdlPhase::Indexes, "CREATE INDEX i ON public.t (id)", "SELECT to_regclass('public.i') IS NOT NULL");
        for _ in 0..2 {
            sink.apply(&create).await.unwrap();
            sink.apply(&index).await.unwrap();
        }
        let again = Ddl { exists_sql: None, ..create };
        let error = sink.apply(&again).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TargetExists);
        assert_eq!(error.place().table.as_deref(), Some("public.t"));
        drop(sink);
        db.drop().await;
    }

    #[tokio::test]
    async fn a_table_is_read_again_in_pieces_of_one_snapshot() {
        let db = PostgresDatabase::create(PLAIN).await;
        let sink = open_prepared(&db).await;
        let table = plain();
        let rows = numbers(&table, 50_000);
        carry(&*sink, &table, std::slice::from_ref(&rows)).await.unwrap();
        let back = sink.read_back(2).await.unwrap();
        let plan = back.plan_chunks(&table, 256 << 10, None).await.unwrap();
        assert!(plan.chunks.len() > 5, "{}", plan.chunks.len());
        // What comes later is in no reader's snapshot, not even in one that is opened later.
        db.run("INSERT INTO t SELECT n, 'late' FROM generate_series(1, 1000) AS n; DELETE FROM t WHERE id < 100").await;
        assert_eq!(back.count(&table).await.unwrap(), 50_000);
        assert_eq!(read_all(&*back, &table, 256 << 10).await, rows);
        // A reader whose rows are not wanted to the end does no harm.
        for chunk in &plan.chunks {
            let mut stream = back.read(&table, chunk);
            assert!(stream.next().await.unwrap().is_ok());
        }
        assert_eq!(back.count(&table).await.unwrap(), 50_000);
        drop(back);
        let back = sink.read_back(1).await.unwrap();
        assert_eq!(back.count(&table).await.unwrap(), 50_801);
        drop(back);
        drop(sink);
        db.drop().await;
    }

    #[tokio::test]
    async fn what_cannot_be_read_as_it_was_sent_is_an_error() {
        let db = PostgresDatabase::create("").await;
        let sink = open(&db).await;
        let cases = [
            (L::Int16, "integer", "40000"),
            (L::UInt64, "numeric", "-1"),
            (L::UInt64, "numeric", "1.5"),
            (L::Int32, "numeric", "'NaN'"),
            (L::Decimal { precision: 5, scale: 2 }, "numeric", "1.005"),
            (L::Decimal { precision: 5, scale: 2 }, "numeric", "1000"),
            (L::Decimal { precision: 76, scale: 2 }, "numeric", "1e80"),
            (L::Duration { fsp: 6 }, "interval", "'1 month'"),
            (L::Bits { length: 4 }, "varbit", "B'101'"),
            (L::Set { labels: vec![] }, "text[]", "'{{a},{b}}'"),
            (L::Set { labels: vec![] }, "text[]", "'[0:1]={a,b}'"),
            (L::Float32, "double precision", "0.1"),
        ];
        for (number, (logical, native, value)) in cases.into_iter().enumerate() {
            db.run(&format!("CREATE TABLE t{number} (id int, c {native}); INSERT INTO t{number} VALUES (1, {value})")).await;
            let what = format!("{value} as {logical}");
            let table = table(&format!("t{number}"), vec![column("c", logical, native)]);
            let back = sink.read_back(1).await.unwrap();
            let plan = back.plan_chunks(&table, 1 << 20, None).await.unwrap();
            let first = back.read(&table, &plan.chunks[0]).next().await.unwrap();
            let error = first.expect_err(&what);
            assert_eq!(error.kind(), ErrorKind::Value, "{what}: {error:?}");
            assert_eq!(error.place().column.as_deref(), Some("c"), "{what}");
        }
        drop(sink);
        db.drop().await;
    }

    #[tokio::test]
    async fn a_profile_is_computed_by_the_database() {
        let db = PostgresDatabase::create(
            "CREATE TABLE t (n numeric, i interval, f real, d date, z timestamptz, s text, b bytea, o boolean, j jsonb, t time, u bigint);
             INSERT INTO t VALUES
               (1.50, '-838:59:59.999999', 0.1, '2024-02-29', '2024-02-29 12:00:00.5+03', 'aäé', '\\x0102', true, '1', '24:00', 9223372036854775807),
               (-10.00, '1 day 00:00:01', '-0', '0044-03-15 BC', 'infinity', '😀', '', false, '{}', '00:00:01.5', 9223372036854775807),
               (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)",
        )
        .await;
        let sink = open(&db).await;
        let back = sink.read_back(1).await.unwrap();
        let of = |name: &str, native: &str, kind| ProfileColumn {
            name: name.into(),
            native: NativeType { name: native.into(), ..NativeType::default() },
            kind,
        };
        let columns = [
            of("n", "numeric", ProfileKind::Exact),
            of("i", "interval", ProfileKind::Exact),
            of("f", "real", ProfileKind::Float),
            of("d", "date", ProfileKind::Temporal),
            of("z", "timestamptz", ProfileKind::Temporal),
            of("s", "text", ProfileKind::Text),
            of("b", "bytea", ProfileKind::Bytes),
            of("o", "boolean", ProfileKind::Bool),
            of("j", "jsonb", ProfileKind::Count),
            of("t", "time", ProfileKind::Exact),
            of("u", "bigint", ProfileKind::Exact),
        ];
        let profile = back.profile(&Table::new(ObjectName::new("public", "t")), &columns).await.unwrap();
        assert_eq!(profile.rows, 3);
        let got: Vec<Vec<&str>> = profile
            .columns
            .iter()
            .map(|column| column.iter().map(|value| value.as_deref().unwrap_or("NULL")).collect())
            .collect();
        let wanted: Vec<Vec<&str>> = vec![
            vec!["2", "-10", "1.5", "-8.5"],
            vec!["2", "-3020399999999", "86401000000", "-2933998999999"],
            vec!["2", "0", "0.10000000149011612"],
            vec!["2", "0044-03-15 BC", "2024-02-29 00:00:00.000000"],
            vec!["2", "2024-02-29 09:00:00.500000", "infinity"],
            vec!["2", "4", "9"],
            vec!["2", "2"],
            vec!["2", "1"],
            vec!["2"],
            vec!["2", "1500000", "86400000000", "86401500000"],
            vec!["2", "9223372036854775807", "9223372036854775807", "18446744073709551614"],
        ];
        assert_eq!(got, wanted);
        drop(back);
        drop(sink);
        db.drop().await;
    }

    #[tokio::test]
    async fn wrong_addresses_are_told_apart() {
        let db = PostgresDatabase::create("").await;
        let at = Endpoint::parse(&db.url).unwrap();
        let kind = |at: Endpoint| async move {
            engine(EngineKind::Postgres).open_sink(&at, &options(1)).await.err().map(|error| error.kind())
        };
        assert_eq!(kind(at.clone()).await, None);
        assert_eq!(kind(Endpoint { database: "gone".into(), ..at.clone() }).await, Some(ErrorKind::UnknownDatabase));
        assert_eq!(kind(Endpoint { port: Some(1), ..at.clone() }).await, Some(ErrorKind::Unreachable));
        assert_eq!(kind(Endpoint { user: Some("nobody such".into()), ..at.clone() }).await, Some(ErrorKind::LoginRefused));
        for (name, value) in [("sslmod", "require"), ("sslmode", "maybe"), ("connect_timeout", "0")] {
            let params = [(name.to_string(), value.to_string())].into();
            assert_eq!(kind(Endpoint { params, ..at.clone() }).await, Some(ErrorKind::Config), "{name}={value}");
        }
        let params = [
            ("host".to_string(), "127.0.0.1".to_string()),
            ("application_name".into(), "x".into()),
            ("sslmode".into(), "prefer".into()),
        ];
        assert_eq!(kind(Endpoint { host: "gone.invalid".into(), params: params.into(), ..at.clone() }).await, None);
        db.run("ALTER DATABASE CURRENT_DB SET search_path = 'public'".replace("CURRENT_DB", &db.name).as_str()).await;
        let latin = format!("{}_latin", db.name);
        db.run(&format!("CREATE DATABASE {latin} ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")).await;
        assert_eq!(kind(Endpoint { database: latin.clone(), ..at.clone() }).await, Some(ErrorKind::Unsupported));
        db.run(&format!("DROP DATABASE {latin} WITH (FORCE)")).await;
        db.drop().await;
    }
}

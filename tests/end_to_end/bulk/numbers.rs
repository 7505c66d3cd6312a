//! Whole numbers, decimals, floats by their bits, bit strings.

use proptest::prelude::*;

use super::{Bulk, Told, Value, hex, server_is_maria};

/// Whole numbers between two ends, the ends and their neighbours often.
fn whole(least: i128, most: i128) -> impl Strategy<Value = i128> {
    let powers = (0u32..64, any::<bool>(), -1i128..=1).prop_map(move |(power, minus, beside)| {
        let number = (1i128 << power) + beside;
        if minus { -number } else { number }
    });
    let edges = proptest::sample::select(vec![least, least + 1, -1, 0, 1, most - 1, most]);
    prop_oneof![3 => edges, 3 => powers, 6 => least..=most].prop_map(move |number| number.clamp(least, most))
}

#[tokio::test]
async fn whole_numbers_arrive_over_their_whole_range() {
    let mut bulk = Bulk::new();
    for (native, bits) in [("TINYINT", 8), ("SMALLINT", 16), ("MEDIUMINT", 24), ("INT", 32), ("BIGINT", 64)] {
        let (least, most) = (-(1i128 << (bits - 1)), (1i128 << (bits - 1)) - 1);
        let value = |number: i128| Value::new(number.to_string(), number.to_string());
        bulk.column(native, "c::numeric = v::numeric", whole(least, most).prop_map(value));
        let unsigned = || whole(0, (1i128 << bits) - 1).prop_map(value);
        bulk.column(&format!("{native} UNSIGNED"), "c::numeric = v::numeric", unsigned());
        bulk.column(&format!("{native}(3) ZEROFILL"), "c::numeric = v::numeric", unsigned());
    }
    let value = |number: i128| Value::new(number.to_string(), number.to_string());
    // Seen to hold 0 and 1 alone, it is a boolean.
    bulk.column("TINYINT(1)", "c = (v = '1')", (0i128..=1).prop_map(value));
    bulk.column("TINYINT(1)", "c::numeric = v::numeric", prop_oneof![Just(2i128), -128i128..=127].prop_map(value));
    let years = prop_oneof![1 => Just(0i128), 8 => 1901i128..=2155];
    bulk.column("YEAR", "c::numeric = v::numeric", years.prop_map(value));
    bulk.arrives().await;
}

/// A decimal of that precision and scale: runs of equal digits, so that groups of zeros and of nines occur at each place.
fn decimal(precision: usize, scale: usize, signed: bool) -> impl Strategy<Value = Value> {
    let run = prop_oneof![
        3 => (proptest::sample::select(vec![b'0', b'9', b'1']), 1usize..12),
        2 => (b'0'..=b'9', 1usize..3),
    ];
    (proptest::collection::vec(run, 1..40), 1..=precision, any::<bool>()).prop_map(move |(runs, used, minus)| {
        let digits: Vec<u8> = runs.iter().flat_map(|(digit, times)| std::iter::repeat_n(*digit, *times)).take(used).collect();
        let mut text = format!("{:0>precision$}", String::from_utf8(digits).unwrap());
        let minus = if minus && signed && text.bytes().any(|digit| digit != b'0') { "-" } else { "" };
        text.insert(precision - scale, '.');
        let text = text.trim_start_matches('0').trim_end_matches('.');
        let zero = if text.starts_with('.') || text.is_empty() { "0" } else { "" };
        Value::new(format!("{minus}{zero}{text}"), format!("{minus}{zero}{text}"))
    })
}

#[tokio::test]
async fn decimals_arrive_with_every_digit() {
    let mut bulk = Bulk::new();
    for (precision, scale) in [
        (1, 0),
        (1, 1),
        (4, 4),
        (5, 1),
        (9, 9),
        (10, 2),
        (16, 8),
        (18, 0),
        (19, 5),
        (30, 30),
        (38, 0),
        (38, 7),
        (38, 30),
        (39, 0),
        (39, 9),
        (57, 28),
        (65, 0),
        (65, 1),
        (65, 29),
        (65, 30),
    ] {
        let same = format!("c = v::numeric AND scale(c) = {scale}");
        bulk.column(&format!("DECIMAL({precision},{scale})"), &same, decimal(precision, scale, true));
        bulk.column(&format!("DECIMAL({precision},{scale}) UNSIGNED"), &same, decimal(precision, scale, false));
        let all = (
            "9".repeat(precision - scale),
            format!("{}{}", if scale > 0 { "." } else { "" }, "9".repeat(scale)),
            format!("0.{:0>scale$}", 1),
        );
        let bounds = [format!("{}{}", all.0, all.1), format!("-{}{}", all.0, all.1), if scale > 0 { all.2 } else { "1".into() }];
        let bounds = bounds.iter().map(|text| Some(Value::new(text, text))).collect();
        bulk.given(&format!("DECIMAL({precision},{scale})"), &same, bounds);
    }
    bulk.arrives().await;
}

#[tokio::test]
async fn floats_arrive_bit_by_bit() {
    // MariaDB keeps no -0.
    let zeros = !server_is_maria().await;
    let mut bulk = Bulk::new();
    let double = move |bits: u64| {
        let float = f64::from_bits(bits);
        let kept = if float == 0.0 && !zeros { 0.0 } else { float };
        Value { told: Told::Double(float), wanted: hex(&kept.to_be_bytes()) }
    };
    let edges = [0.0, -0.0, f64::MAX, f64::MIN, f64::MIN_POSITIVE, 5e-324, -5e-324, 2.225_073_858_507_201e-308, 0.1, 1e22, 1e23];
    let edges: Vec<u64> = edges.iter().map(|float| float.to_bits()).collect();
    let denormal = 0u64..1 << 52;
    let finite = |bits: &u64| f64::from_bits(*bits).is_finite();
    let bits = || prop_oneof![2 => proptest::sample::select(edges.clone()), 2 => denormal.clone(), 6 => any::<u64>()];
    bulk.column("DOUBLE", "float8send(c) = decode(v, 'hex')", bits().prop_filter("finite", finite).prop_map(double));
    let absolute = bits().prop_filter("finite", finite).prop_map(|bits| f64::from_bits(bits).abs().to_bits());
    bulk.column("DOUBLE UNSIGNED", "float8send(c) = decode(v, 'hex')", absolute.prop_map(double));

    let float = move |bits: u32| {
        let float = f32::from_bits(bits);
        let kept = if float == 0.0 && !zeros { 0.0 } else { float };
        Value { told: Told::Float(float), wanted: hex(&kept.to_be_bytes()) }
    };
    let edges = [0.0, -0.0, f32::MAX, f32::MIN, f32::MIN_POSITIVE, 1e-45, -1e-45, 1.175_494_2e-38, 0.1, 21_666.66, 16_777_217.0];
    let edges: Vec<u32> = edges.iter().map(|float: &f32| float.to_bits()).collect();
    let bits = prop_oneof![2 => proptest::sample::select(edges), 2 => 0u32..1 << 23, 6 => any::<u32>()];
    let bits = bits.prop_filter("finite", |bits| f32::from_bits(*bits).is_finite());
    bulk.column("FLOAT", "float4send(c) = decode(v, 'hex')", bits.prop_map(float));
    bulk.arrives().await;
}

#[tokio::test]
async fn bit_strings_arrive_with_each_length() {
    let mut bulk = Bulk::new();
    for length in 1..=64u32 {
        let mask = u64::MAX >> (64 - length);
        let bits = prop_oneof![1 => Just(0), 1 => Just(1), 1 => Just(mask), 1 => Just(1 << (length - 1)), 6 => any::<u64>()];
        let value = move |bits: u64| {
            let text = format!("{:0>width$b}", bits & mask, width = length as usize);
            Value::new(format!("b'{text}'"), text)
        };
        bulk.column(&format!("BIT({length})"), &format!("c = v::bit({length})"), bits.prop_map(value));
    }
    bulk.arrives().await;
}

//! Stand-ins keep type, range, length and distinctness, and depend on nothing but value and key.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::*;
use proptest::prelude::*;

use super::fits::{fits, keeps_unique, room};
use super::*;
use crate::model::LogicalType as L;
use crate::model::logical::Zone;

const TEXT: L = L::Text { length: None };

fn key() -> Keyed {
    Keyed::new(b"a key for the tests")
}

fn mask_with(key: &Keyed, kind: MaskKind, from: &L, to: &L, array: ArrayRef) -> ArrayRef {
    let mask = ColumnMask { kind, room: room(from, to), labels: Vec::new(), because: String::new() };
    let masked = Mask::compile(&mask, from, to, Some(key)).unwrap().apply(&array, to).unwrap();
    assert_eq!((masked.data_type(), masked.len()), (&to.arrow(), array.len()));
    masked
}

fn mask(kind: MaskKind, to: &L, array: ArrayRef) -> ArrayRef {
    mask_with(&key(), kind, to, to, array)
}

fn texts(all: &[Option<&str>]) -> ArrayRef {
    Arc::new(StringArray::from(all.to_vec()))
}

fn shown(array: &ArrayRef) -> Vec<Option<String>> {
    array.as_string::<i32>().iter().map(|text| text.map(str::to_string)).collect()
}

#[test]
fn text_becomes_digits_of_its_room_and_null_stays_null() {
    let values = || texts(&[Some("ada"), None, Some(""), Some("ada"), Some("Ada")]);
    let masked = shown(&mask(MaskKind::Hash, &TEXT, values()));
    assert_eq!(masked[0], masked[3]);
    assert!(masked[1].is_none() && masked[0] != masked[4] && masked[2] != masked[0]);
    let digits = masked[0].as_deref().unwrap();
    assert!(digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
    let short = shown(&mask(MaskKind::Hash, &L::Text { length: Some(5) }, values()));
    assert_eq!(short[0].as_deref(), digits.get(..5));
    let other = shown(&mask_with(&Keyed::new(b"another key here"), MaskKind::Hash, &TEXT, &TEXT, values()));
    assert_ne!(other[0], masked[0]);
}

#[test]
fn made_up_addresses_fit_their_column() {
    let all = |length| {
        shown(&mask(
            MaskKind::FakeEmail,
            &L::Text { length },
            texts(&[Some("ada@lovelace.uk"), Some("ada@lovelace.uk"), Some("b")]),
        ))
    };
    let long = all(None);
    let (local, domain) = long[0].as_deref().unwrap().split_once('@').unwrap();
    assert_eq!((local.len(), domain), (24, "example.com"));
    assert!(long[0] == long[1] && long[0] != long[2]);
    assert_eq!(all(Some(20))[0].as_deref().map(str::len), Some(20));
}

#[test]
fn partial_shows_at_most_five_characters_and_keeps_the_length() {
    let masked = mask(
        MaskKind::Partial,
        &TEXT,
        texts(&[
            Some("4111111111111234"),
            Some("Ada"),
            Some("ä"),
            Some(""),
            Some("12345678"),
            Some("123456789"),
            Some("äöüäöüäöü"),
        ]),
    );
    let expected = ["4***********1234", "A**", "*", "", "1*******", "1****6789", "ä****üäöü"];
    assert_eq!(shown(&masked), expected.map(|text| Some(text.to_string())));
}

#[test]
fn redacted_values_are_of_every_type_that_has_one() {
    let enumeration = |labels: &[&str]| L::Enum { labels: labels.iter().map(ToString::to_string).collect() };
    for to in [
        L::Bool,
        L::Int8,
        L::UInt64,
        L::Float32,
        L::Decimal { precision: 10, scale: 2 },
        L::Decimal { precision: 60, scale: 2 },
        L::Numeric,
        L::Date,
        L::Time { fsp: 6 },
        L::Timestamp { fsp: 6, zone: Zone::Utc },
        L::Timestamp { fsp: 0, zone: Zone::None },
        L::Duration { fsp: 0 },
        L::Interval,
        TEXT,
        L::Text { length: Some(3) },
        L::Json,
        enumeration(&["a", "REDACTED"]),
        enumeration(&["", "a"]),
        L::Binary { length: Some(3) },
        L::Bits { length: 9 },
        L::Uuid,
        L::Set { labels: vec!["a".into()] },
        L::Array { item: Box::new(L::Int32) },
    ] {
        let masked = mask(MaskKind::Redact, &to, new_null_array(&to.arrow(), 3));
        assert_eq!(masked.null_count(), 3, "{to}: NULL stays");
        let one = values::fixed(&to, &[], room(&to, &to)).unwrap();
        assert_eq!(mask(MaskKind::Redact, &to, Arc::clone(&one)).null_count(), 0, "{to}");
        assert_eq!(mask(MaskKind::Null, &to, one).null_count(), 1, "{to}");
    }
    assert_eq!(shown(&mask(MaskKind::Redact, &L::Text { length: Some(3) }, texts(&[Some("x")]))), [Some("RED".to_string())]);
}

#[test]
fn dates_move_together_and_infinity_stays() {
    let dates: ArrayRef = Arc::new(Date32Array::from(vec![Some(0), Some(100), None, Some(i32::MIN), Some(i32::MAX)]));
    let moved = mask(MaskKind::ShiftDate, &L::Date, dates);
    let moved: &Date32Array = moved.as_primitive();
    let days = moved.value(0);
    assert!(days != 0 && days.abs() <= 365);
    assert_eq!((moved.value(1), moved.is_null(2), moved.value(3), moved.value(4)), (100 + days, true, i32::MIN, i32::MAX));
    let to = L::Timestamp { fsp: 6, zone: Zone::Utc };
    let instants: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![5, i64::MAX]).with_timezone("UTC"));
    let moved = mask(MaskKind::ShiftDate, &to, instants);
    let moved: &TimestampMicrosecondArray = moved.as_primitive();
    assert_eq!((moved.value(0), moved.value(1)), (5 + i64::from(days) * 86_400_000_000, i64::MAX));
}

#[test]
fn uuids_and_bytes_stay_what_they_are() {
    let mut values = FixedSizeBinaryBuilder::new(16);
    values.append_value([7; 16]).unwrap();
    values.append_null();
    let masked = mask(MaskKind::Hash, &L::Uuid, Arc::new(values.finish()));
    let masked = masked.as_fixed_size_binary();
    let uuid = uuid::Uuid::from_slice(masked.value(0)).unwrap();
    assert_eq!((uuid.get_version_num(), uuid.get_variant(), masked.is_null(1)), (8, uuid::Variant::RFC4122, true));
    let from = L::Binary { length: Some(16) };
    let bytes: ArrayRef = Arc::new(BinaryArray::from(vec![Some(b"x".as_slice()), None]));
    let masked = mask_with(&key(), MaskKind::Hash, &from, &L::Binary { length: None }, bytes);
    assert_eq!((masked.as_binary::<i32>().value(0).len(), masked.is_null(1)), (16, true), "the source's length holds");
}

#[test]
fn what_does_not_fit_is_known_before() {
    let text = |length| L::Text { length: Some(length) };
    let no = |kind, to: &L| fits(kind, to, to, room(to, to), &[]).is_err();
    for (kind, to) in [
        (MaskKind::Hash, L::Float64),
        (MaskKind::Hash, L::Date),
        (MaskKind::Hash, L::Json),
        (MaskKind::Hash, L::Bool),
        (MaskKind::Hash, L::Decimal { precision: 39, scale: 0 }),
        (MaskKind::FakeEmail, text(19)),
        (MaskKind::FakeEmail, L::Int32),
        (MaskKind::Partial, L::Int32),
        (MaskKind::ShiftDate, TEXT),
        (MaskKind::Redact, L::Vector { dimensions: 3 }),
        (MaskKind::Redact, L::Enum { labels: vec!["a".into()] }),
        (MaskKind::Hash, L::Enum { labels: vec!["REDACTED".into()] }),
    ] {
        assert!(no(kind, &to), "{kind:?} {to}");
    }
    assert!(fits(MaskKind::Hash, &TEXT, &TEXT, None, &["a".into()]).is_err(), "a check in the target keeps it to labels");
    let unique = |kind, to: &L| keeps_unique(kind, to, to, room(to, to)).is_ok();
    assert!(unique(MaskKind::Hash, &text(16)) && !unique(MaskKind::Hash, &text(15)));
    assert!(unique(MaskKind::FakeEmail, &text(28)) && !unique(MaskKind::FakeEmail, &text(27)));
    assert!(unique(MaskKind::Hash, &L::Binary { length: Some(8) }) && !unique(MaskKind::Hash, &L::Binary { length: Some(7) }));
    assert!(unique(MaskKind::Hash, &L::Int8) && unique(MaskKind::ShiftDate, &L::Date));
    assert!(!unique(MaskKind::Redact, &L::Int32) && !unique(MaskKind::Partial, &TEXT));
    let keyless = ColumnMask { kind: MaskKind::Hash, room: None, labels: Vec::new(), because: String::new() };
    assert!(Mask::compile(&keyless, &TEXT, &TEXT, None).is_err());
}

proptest! {
    #[test]
    fn integers_keep_range_sign_and_distinctness(numbers in prop::collection::hash_set(any::<i64>(), 1..50), narrow in prop::collection::hash_set(any::<i16>(), 1..50)) {
        let sent: Vec<i64> = numbers.into_iter().collect();
        let masked = mask(MaskKind::Hash, &L::Int64, Arc::new(Int64Array::from(sent.clone())));
        let masked = masked.as_primitive::<arrow::datatypes::Int64Type>().values().to_vec();
        prop_assert_eq!(masked.iter().collect::<HashSet<_>>().len(), sent.len());
        prop_assert!(sent.iter().zip(&masked).all(|(one, two)| (*one < 0) == (*two < 0)));
        // Read from a narrower type, the wide one is not used up; a decimal takes the same numbers.
        let sent: Vec<i64> = narrow.iter().map(|number| i64::from(*number)).collect();
        let masked = mask_with(&key(), MaskKind::Hash, &L::Int16, &L::Int64, Arc::new(Int64Array::from(sent.clone())));
        let masked = masked.as_primitive::<arrow::datatypes::Int64Type>().values().to_vec();
        prop_assert!(masked.iter().all(|number| i16::try_from(*number).is_ok()));
        prop_assert_eq!(masked.iter().collect::<HashSet<_>>().len(), sent.len());
        let to = L::Decimal { precision: 20, scale: 0 };
        let decimals = Decimal128Array::from(sent.iter().map(|number| i128::from(*number)).collect::<Vec<_>>()).with_data_type(to.arrow());
        let decimals = mask_with(&key(), MaskKind::Hash, &L::Int16, &to, Arc::new(decimals));
        let same = decimals.as_primitive::<arrow::datatypes::Decimal128Type>().values().iter().zip(&masked).all(|(one, two)| *one == i128::from(*two));
        prop_assert!(same);
    }

    #[test]
    fn decimals_keep_their_digits(numbers in prop::collection::hash_set(-9_999_999_999i128..=9_999_999_999, 1..50)) {
        let to = L::Decimal { precision: 10, scale: 2 };
        let sent: Vec<i128> = numbers.into_iter().collect();
        let array = Decimal128Array::from(sent.clone()).with_data_type(to.arrow());
        let masked = mask(MaskKind::Hash, &to, Arc::new(array));
        let masked = masked.as_primitive::<arrow::datatypes::Decimal128Type>().values().to_vec();
        prop_assert!(masked.iter().all(|number| number.abs() <= 9_999_999_999));
        prop_assert_eq!(masked.iter().collect::<HashSet<_>>().len(), sent.len());
    }
}

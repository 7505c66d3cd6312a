//! Dates, times and instants over the whole of their ranges, with each number of digits behind the second.

use proptest::prelude::*;

use super::{Bulk, Value, server_is_maria};

/// Days from 0001-01-01 on, of which there are 3652059.
const DAYS: i64 = 3_652_059;

/// The day's date; by counting through the calendar, with no formula shared with the product.
fn date(mut day: i64) -> String {
    let leap = |year: i64| (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    // 400 years have 146097 days.
    let mut year = 1 + day / 146_097 * 400;
    day %= 146_097;
    loop {
        let length = if leap(year) { 366 } else { 365 };
        if day < length {
            break;
        }
        day -= length;
        year += 1;
    }
    let february = if leap(year) { 29 } else { 28 };
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if day < length {
            break;
        }
        day -= length;
        month += 1;
    }
    format!("{year:04}-{month:02}-{:02}", day + 1)
}

/// Days of the calendar; the first, the last, those around the epochs, leap days and the year 1582 often.
fn any_day() -> impl Strategy<Value = i64> {
    let edges = vec![0, 1, 1_154, DAYS - 1, DAYS - 2, 719_161, 719_162, 719_163, 730_178, 577_724, 577_725, 577_736];
    prop_oneof![3 => proptest::sample::select(edges), 7 => 0..DAYS]
}

/// The digits behind the second, with their point.
fn fraction(micros: u32, fsp: usize) -> String {
    if fsp == 0 { String::new() } else { format!(".{}", &format!("{micros:06}")[..fsp]) }
}

fn any_micros() -> impl Strategy<Value = u32> {
    prop_oneof![2 => Just(0u32), 2 => Just(999_999u32), 1 => Just(1u32), 1 => (0u32..10).prop_map(|tenth| tenth * 100_000), 6 => 0u32..1_000_000]
}

fn clock(second: i64) -> String {
    format!("{:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60)
}

#[test]
fn days_are_counted_through_the_calendar() {
    for (day, text) in [(0, "0001-01-01"), (1_154, "0004-02-29"), (719_162, "1970-01-01"), (DAYS - 1, "9999-12-31")] {
        assert_eq!(date(day), text);
    }
}

#[tokio::test]
async fn dates_and_times_arrive_over_their_whole_range() {
    // MySQL ends at 838:59:59.000000, and MariaDB at 838:59:59.999999.
    let whole_last = !server_is_maria().await;
    let mut bulk = Bulk::new();
    let quoted = |text: String| Value::new(format!("'{text}'"), text);
    bulk.column("DATE", "c = v::date", any_day().prop_map(move |day| quoted(date(day))));
    for fsp in 0..=6usize {
        let second = || prop_oneof![1 => Just(0i64), 1 => Just(86_399i64), 6 => 0i64..86_400];
        let moment = (any_day(), second(), any_micros())
            .prop_map(move |(day, second, micros)| quoted(format!("{} {}{}", date(day), clock(second), fraction(micros, fsp))));
        bulk.column(&format!("DATETIME({fsp})"), "c = v::timestamp", moment);

        let edges = vec![1i64, 2, 86_399, 86_400, 2_147_483_646, 2_147_483_647, 1_711_850_400, 951_782_400];
        let instant = prop_oneof![3 => proptest::sample::select(edges), 7 => 1i64..=2_147_483_647];
        let instant = (instant, any_micros()).prop_map(move |(second, micros)| {
            let text = format!("{} {}{}", date(719_162 + second / 86_400), clock(second % 86_400), fraction(micros, fsp));
            Value::new(format!("'{text}'"), format!("{text}+00"))
        });
        bulk.column(&format!("TIMESTAMP({fsp}) NULL"), "c = v::timestamptz", instant);

        let most = 838 * 3600 + 59 * 60 + 59i64;
        let edges = vec![0i64, 1, 59, 86_399, 86_400, 86_401, most - 1, most];
        let length = prop_oneof![3 => proptest::sample::select(edges), 7 => 0..=most];
        let length = (length, any_micros(), any::<bool>()).prop_map(move |(second, micros, minus)| {
            let micros = if second == most && whole_last { 0 } else { micros };
            quoted(format!("{}{}{}", if minus { "-" } else { "" }, clock(second), fraction(micros, fsp)))
        });
        bulk.column(&format!("TIME({fsp})"), "c = v::interval AND extract(day FROM c) = 0", length);

        // Seen to hold times of a day alone, it is one.
        let clock = (second(), any_micros()).prop_map(move |(second, micros)| {
            let text = format!("{}{}", clock(second), fraction(micros, fsp));
            Value::new(format!("'{text}'"), text)
        });
        bulk.column(&format!("TIME({fsp})"), "c = v::time", clock);
    }
    bulk.arrives().await;
}

//! Numbers for people: counts, bytes, durations, rates. Progress and reports say them alike.

use std::time::Duration;

/// A count with a comma between thousands: `1,234,567`.
pub fn count(number: u64) -> String {
    group(&number.to_string())
}

fn group(digits: &str) -> String {
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// Bytes in powers of 1000, as disks and networks are sold: `999 B`, `1.5 kB`, `23.4 MB`.
pub fn bytes(number: u64) -> String {
    if number < 1000 {
        return format!("{number} B");
    }
    let units = ["kB", "MB", "GB", "TB", "PB"];
    let mut divisor: u128 = 1000;
    for (at, unit) in units.iter().enumerate() {
        // Rounded in tenths first: 999,960 bytes are 1.0 MB and not 1000.0 kB.
        let tenths = (u128::from(number) * 10 + divisor / 2) / divisor;
        if tenths < 10_000 || at + 1 == units.len() {
            return format!("{}.{} {unit}", tenths / 10, tenths % 10);
        }
        divisor *= 1000;
    }
    format!("{number} B")
}

/// A duration in the two units that matter: `12 ms`, `3.2 s`, `4 min 05 s`, `2 h 03 min`, `3 d 04 h`.
pub fn duration(time: Duration) -> String {
    let millis = time.as_millis();
    let seconds = time.as_secs();
    if millis < 1000 {
        format!("{millis} ms")
    } else if millis < 59_950 {
        let tenths = (millis + 50) / 100;
        format!("{}.{} s", tenths / 10, tenths % 10)
    } else if seconds < 3600 {
        // What rounds up to a minute is one, although its seconds say 59.
        let seconds = seconds.max(60);
        format!("{} min {:02} s", seconds / 60, seconds % 60)
    } else if seconds < 86_400 {
        format!("{} h {:02} min", seconds / 3600, seconds % 3600 / 60)
    } else {
        format!("{} d {:02} h", seconds / 86_400, seconds % 86_400 / 3600)
    }
}

/// A duration in seconds, as reports hold it; `-` for what is none.
pub fn seconds(seconds: f64) -> String {
    Duration::try_from_secs_f64(seconds).map_or_else(|_| "-".into(), duration)
}

/// A duration in whole seconds, for lines that are drawn again and again: `7 s`, `4 min 05 s`.
pub fn whole_seconds(time: Duration) -> String {
    if time.as_secs() < 60 { format!("{} s", time.as_secs()) } else { duration(time) }
}

/// How many a second: `12,345`; `-` when no time has passed.
pub fn per_second(number: u64, seconds: f64) -> String {
    if seconds.is_finite() && seconds > 0.0 {
        // The sizes of a database lie far below 2^53, where a float begins to skip numbers.
        group(&format!("{:.0}", number as f64 / seconds))
    } else {
        "-".into()
    }
}

/// An instant, given in microseconds since 1970 UTC, to the second: `2026-03-01 12:00:00 UTC`.
pub fn utc(micros: i64) -> String {
    let seconds = micros.div_euclid(1_000_000);
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    format!("{} {:02}:{:02}:{:02} UTC", crate::model::civil::date_text(days), second / 3600, second / 60 % 60, second % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_have_commas_between_thousands() {
        assert_eq!([0, 7, 999, 1000, 1_234_567].map(count), ["0", "7", "999", "1,000", "1,234,567"]);
        assert_eq!(count(u64::MAX), "18,446,744,073,709,551,615");
    }

    #[test]
    fn bytes_never_show_a_thousand_of_a_unit() {
        let all = [0, 999, 1000, 1549, 999_940, 999_960, 23_400_000, 1_000_000_000, u64::MAX].map(bytes);
        assert_eq!(all, ["0 B", "999 B", "1.0 kB", "1.5 kB", "999.9 kB", "1.0 MB", "23.4 MB", "1.0 GB", "18446.7 PB"]);
    }

    #[test]
    fn durations_name_at_most_two_units() {
        let all = [0, 12, 999, 1000, 3249, 59_949, 59_950, 60_000, 245_000, 7_380_000, 273_600_000];
        let texts = all.map(|millis| duration(Duration::from_millis(millis)));
        assert_eq!(
            texts,
            [
                "0 ms",
                "12 ms",
                "999 ms",
                "1.0 s",
                "3.2 s",
                "59.9 s",
                "1 min 00 s",
                "1 min 00 s",
                "4 min 05 s",
                "2 h 03 min",
                "3 d 04 h"
            ]
        );
        assert_eq!([1.25, -1.0, f64::NAN].map(seconds), ["1.3 s", "-", "-"]);
        assert_eq!(whole_seconds(Duration::from_millis(7900)), "7 s");
    }

    #[test]
    fn a_rate_without_time_is_no_number() {
        assert_eq!(per_second(100, 0.0), "-");
        assert_eq!(per_second(1_000_000, 2.0), "500,000");
    }
}

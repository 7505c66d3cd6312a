//! Sizes as people write them, and the range that each setting must keep to.

use std::time::Duration;

use crate::error::{Error, ErrorKind, Result};

/// Fewest and most chunks at the same time. Above the upper bound servers run out of connections long before they get faster.
pub const JOBS_RANGE: std::ops::RangeInclusive<usize> = 1..=256;
/// Least memory, in bytes: below it rows of tens of megabytes, which are usual, could not be promised to pass.
pub const MIN_MEMORY_BYTES: u64 = 64 << 20;
/// Least rate, in bytes per second: below it a single batch takes so long that a run looks like one that hangs.
pub const MIN_RATE_BYTES: u64 = 64 << 10;
/// Smallest chunk, in bytes: below it transactions cost more than the rows they carry.
pub const MIN_CHUNK_BYTES: u64 = 1 << 20;
/// Largest size that is accepted anywhere, in bytes (1 PiB): beyond it a size is a slip of the pen.
pub const MAX_SIZE_BYTES: u64 = 1 << 50;

/// The units of a size, largest first, with the bytes of each.
const UNITS: [(&str, u64); 9] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("KB", 1_000),
    ("B", 1),
];

/// Reads a size with its unit: a whole number and B, KB, MB, GB, TB (powers of 1000) or KiB, MiB, GiB, TiB (powers of 1024),
/// without regard to case. The result is in bytes.
///
/// # Errors
/// `Config`, for anything else: a number without a unit too, since nobody can tell what was meant.
pub fn parse_size(text: &str) -> Result<u64> {
    let trimmed = text.trim();
    let digits = trimmed.find(|character: char| !character.is_ascii_digit()).unwrap_or(trimmed.len());
    let (number, unit) = trimmed.split_at(digits);
    let unit = unit.trim_start();
    let bytes = UNITS
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(unit))
        .and_then(|(_, factor)| number.parse::<u64>().ok()?.checked_mul(*factor));
    bytes.filter(|bytes| *bytes <= MAX_SIZE_BYTES).ok_or_else(|| {
        Error::new(ErrorKind::Config, format!("`{text}` is no size"))
            .hint("Write a whole number and its unit, such as `512MiB`, `2GiB` or `500MB`")
    })
}

/// The units of a duration, with the seconds of each.
const TIMES: [(&str, u64); 6] = [("s", 1), ("sec", 1), ("min", 60), ("m", 60), ("h", 3600), ("d", 86_400)];

/// Longest duration that is accepted anywhere: 30 days.
pub const MAX_DURATION: Duration = Duration::from_secs(30 * 86_400);

/// Reads a duration with its unit: a whole number and `s`, `min`, `h` or `d`; `0` needs none.
///
/// # Errors
/// `Config`, for anything else: a number without a unit too, since nobody can tell what was meant.
pub fn parse_duration(text: &str) -> Result<Duration> {
    let trimmed = text.trim();
    let digits = trimmed.find(|character: char| !character.is_ascii_digit()).unwrap_or(trimmed.len());
    let (number, unit) = trimmed.split_at(digits);
    let unit = unit.trim_start();
    let number = number.parse::<u64>().ok();
    let factor = TIMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit)).map(|(_, factor)| *factor);
    let seconds = match (number, factor) {
        (Some(0), None) if unit.is_empty() => Some(0),
        (Some(number), Some(factor)) => number.checked_mul(factor),
        _ => None,
    };
    seconds.map(Duration::from_secs).filter(|duration| *duration <= MAX_DURATION).ok_or_else(|| {
        Error::new(ErrorKind::Config, format!("`{text}` is no duration"))
            .hint("Write a whole number and its unit, such as `30s`, `10min` or `2h`")
    })
}

/// A size as people write it, in the largest binary unit that divides it: `64MiB`.
pub fn size_text(bytes: u64) -> String {
    let binary = UNITS.iter().filter(|(name, _)| name.len() != 2);
    let unit = binary.into_iter().find(|(_, factor)| bytes >= *factor && bytes.is_multiple_of(*factor));
    unit.map_or_else(|| format!("{bytes}B"), |(name, factor)| format!("{}{name}", bytes / factor))
}

/// Checks a size that `field` was given.
///
/// # Errors
/// `Config`, with the field and the interval.
pub fn check_size(field: &str, bytes: u64, least: u64) -> Result<u64> {
    if bytes < least {
        let what = format!("{field} is {}, but must be at least {}", size_text(bytes), size_text(least));
        return Err(Error::new(ErrorKind::Config, what).hint(format!("Write `{}` or more", size_text(least))));
    }
    Ok(bytes)
}

/// Checks a number of jobs that `field` was given.
///
/// # Errors
/// `Config`, with the field and the interval.
pub fn check_jobs(field: &str, jobs: usize) -> Result<usize> {
    if !JOBS_RANGE.contains(&jobs) {
        let (least, most) = (JOBS_RANGE.start(), JOBS_RANGE.end());
        let what = format!("{field} is {jobs}, but must be from {least} to {most}");
        return Err(Error::new(ErrorKind::Config, what).hint("Leave it out to take the smaller of 8 and the cores"));
    }
    Ok(jobs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_in_binary_and_decimal_units() {
        for (text, bytes) in [
            ("1GiB", 1 << 30),
            ("64mib", 64 << 20),
            ("500 MB", 500_000_000),
            ("7B", 7),
            ("0KiB", 0),
            (" 2TB ", 2_000_000_000_000),
        ] {
            assert_eq!(parse_size(text).unwrap(), bytes, "{text}");
        }
    }

    #[test]
    fn durations_have_a_unit() {
        let seconds = |text: &str| parse_duration(text).map(|duration| duration.as_secs()).ok();
        assert_eq!(seconds("30s"), Some(30));
        assert_eq!(seconds(" 10 min"), Some(600));
        assert_eq!(seconds("2H"), Some(7200));
        assert_eq!(seconds("0"), Some(0));
        for text in ["", "5", "min", "1.5h", "-1s", "31d", "99999999999999999999s", "1w"] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_no_size_is_refused() {
        for text in ["", "1", "GiB", "1.5GiB", "-1GiB", "1Gib/s", "99999999999999999999B", "99999999TiB", "1G", "١GiB"] {
            assert!(parse_size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_size_is_printed_in_the_unit_that_fits() {
        for (bytes, text) in [(64 << 20, "64MiB"), (1 << 30, "1GiB"), (1_000_000, "1000000B"), (1536, "1536B"), (0, "0B")] {
            assert_eq!(size_text(bytes), text);
            assert_eq!(parse_size(text).unwrap(), bytes);
        }
    }
}

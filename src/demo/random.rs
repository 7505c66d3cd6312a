//! A small source of numbers that look random and are the same in each run: SplitMix64.

use std::fmt::Write as _;

/// The numbers.
pub(super) struct Random(u64);

impl Random {
    /// Starts at `seed`.
    pub(super) fn new(seed: u64) -> Self {
        Random(seed)
    }

    /// 64 bits.
    pub(super) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0 to below `end`; 0 when `end` is.
    pub(super) fn below(&mut self, end: u32) -> u32 {
        let scaled = (self.bits() >> 32) * u64::from(end);
        u32::try_from(scaled >> 32).unwrap_or(0)
    }

    /// From `first` to `last`, both included.
    pub(super) fn between(&mut self, first: i32, last: i32) -> i32 {
        let offset = self.below(last.abs_diff(first).saturating_add(1));
        first.saturating_add_unsigned(offset)
    }

    /// True once in `times`.
    pub(super) fn one_in(&mut self, times: u32) -> bool {
        self.below(times) == 0
    }

    /// One of `all`.
    pub(super) fn pick<'a>(&mut self, all: &[&'a str]) -> &'a str {
        let place = self.below(u32::try_from(all.len()).unwrap_or(u32::MAX));
        usize::try_from(place).ok().and_then(|place| all.get(place)).copied().unwrap_or_default()
    }

    /// The id of one of `count` rows, which count from 1.
    pub(super) fn id(&mut self, count: u32) -> u32 {
        self.below(count) + 1
    }

    /// A UUID of version 4.
    pub(super) fn uuid(&mut self) -> uuid::Uuid {
        let high = u128::from(self.bits()) << 64;
        uuid::Builder::from_random_bytes((high | u128::from(self.bits())).to_be_bytes()).into_uuid()
    }

    /// `length` bytes.
    pub(super) fn bytes(&mut self, length: u32) -> Vec<u8> {
        let mut bytes = Vec::new();
        for _ in 0..length.div_ceil(8) {
            bytes.extend(self.bits().to_le_bytes());
        }
        bytes.truncate(usize::try_from(length).unwrap_or(usize::MAX));
        bytes
    }

    /// A sentence of `count` of `all`.
    pub(super) fn sentence(&mut self, all: &[&str], count: u32) -> String {
        let mut text = String::new();
        for place in 0..count {
            if place > 0 {
                text.push(' ');
            }
            text.push_str(self.pick(all));
        }
        text
    }
}

/// Days since 1970 as `YYYY-MM-DD`.
pub(super) fn date_text(days: i32) -> String {
    // Years that begin in March, in eras of 400 years, so that no leap day needs a branch.
    let days = i64::from(days) + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

/// Seconds of a day as `HH:MM:SS`.
pub(super) fn time_text(seconds: u32) -> String {
    format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// A date and a time of that day, with six digits of fraction when there is one.
pub(super) fn timestamp_text(days: i32, seconds: u32, micros: u32) -> String {
    let mut text = date_text(days);
    text.push(' ');
    text.push_str(&time_text(seconds));
    if micros > 0 {
        // Writing to a String cannot fail.
        let _ = write!(text, ".{micros:06}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_of_splitmix64() {
        let mut random = Random::new(1_234_567);
        assert_eq!([random.bits(), random.bits()], [6_457_827_717_110_365_317, 3_203_168_211_198_807_973]);
        for _ in 0..1000 {
            assert!((-3..=3).contains(&random.between(-3, 3)));
        }
        assert_eq!(random.below(0), 0);
    }

    #[test]
    fn days_are_dates() {
        assert_eq!(date_text(0), "1970-01-01");
        assert_eq!(date_text(11_016), "2000-02-29");
        assert_eq!(date_text(-719_162), "0001-01-01");
        assert_eq!(timestamp_text(2_932_896, 86_399, 1), "9999-12-31 23:59:59.000001");
    }
}

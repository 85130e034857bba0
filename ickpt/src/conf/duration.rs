//! Durations as Go writes them: `10m`, `1.5s`, `1h30m`, `250ms`.

use std::time::Duration;

/// Units and their nanoseconds; those that begin with another come first.
const UNITS: [(&str, u128); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("μs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// Digits behind the point that count; Go has no more either.
const MAX_FRACTION_DIGITS: usize = 18;

/// The duration that Go's `time.ParseDuration` reads, as long as it is not negative. A number without a unit is an error, but for `0`.
///
/// # Errors
/// What is wrong with `text`, for people.
pub fn go_duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("'{text}' is not a duration; write a number and a unit, such as 10m, 1.5s or 250ms");
    let unsigned = text.strip_prefix('+').unwrap_or(text);
    if unsigned == "0" {
        return Ok(Duration::ZERO);
    }
    if unsigned.starts_with('-') {
        return Err(format!("'{text}' is a negative duration"));
    }
    let mut rest = unsigned;
    let mut nanoseconds: u128 = 0;
    while !rest.is_empty() {
        let (whole, after) = digits(rest);
        let (fraction, after) = match after.strip_prefix('.') {
            Some(behind) => digits(behind),
            None => ("", after),
        };
        if whole.is_empty() && fraction.is_empty() {
            return Err(wrong());
        }
        let length = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, after) = after.split_at(length);
        let Some((_, scale)) = UNITS.iter().find(|(name, _)| *name == unit) else { return Err(wrong()) };
        let too_long = || format!("'{text}' is longer than 292 years");
        let number =
            |digits: &str| if digits.is_empty() { Ok(0) } else { digits.parse::<u64>().map_err(|_| too_long()) };
        let fraction = fraction.get(..MAX_FRACTION_DIGITS.min(fraction.len())).unwrap_or(fraction);
        // 18 digits times 3.6e12 stay below 2^128, and so does the sum: each term is refused above 2^63.
        let parts = u128::from(number(fraction)?) * scale / 10_u128.pow(fraction.len() as u32);
        nanoseconds = nanoseconds.saturating_add(u128::from(number(whole)?) * scale).saturating_add(parts);
        if nanoseconds > i64::MAX as u128 {
            return Err(too_long());
        }
        rest = after;
    }
    match u64::try_from(nanoseconds) {
        Ok(nanoseconds) if !unsigned.is_empty() => Ok(Duration::from_nanos(nanoseconds)),
        _ => Err(wrong()),
    }
}

fn digits(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()))
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn what_go_reads_is_read() {
        for (text, nanoseconds) in [
            ("0", 0),
            ("+0", 0),
            ("10m", 600_000_000_000),
            ("1.5s", 1_500_000_000),
            (".5s", 500_000_000),
            ("5.s", 5_000_000_000),
            ("1h2m3.5s", 3_723_500_000_000),
            ("250ms", 250_000_000),
            ("2us", 2_000),
            ("2µs", 2_000),
            ("2μs", 2_000),
            ("7ns", 7),
            ("+1s", 1_000_000_000),
            ("2562047h47m16.854775807s", i64::MAX as u64),
            ("0.9223372036854775807h", 3_320_413_933_267),
        ] {
            assert_eq!(go_duration(text), Ok(Duration::from_nanos(nanoseconds)), "{text}");
        }
    }

    #[test]
    fn what_go_refuses_is_refused() {
        for text in [
            "",
            "+",
            "10",
            "1.5",
            ".",
            ".s",
            "s",
            "1x",
            "1 s",
            "1s ",
            "-1s",
            "1.2.3s",
            "--1s",
            "1e3s",
            "2562048h",
            "99999999999999999999s",
        ] {
            assert!(go_duration(text).is_err(), "{text}");
        }
    }
}

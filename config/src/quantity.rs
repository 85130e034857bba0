//! Numbers, sizes and durations as people write them.
//!
//! Numbers follow WiredTiger: decimal, with an optional suffix `K`, `M`, `G`, `T` or `P` for powers of 1024 in either case, and
//! an optional `B` behind it. `KiB` and its like are taken too, since they mean the same. Durations are Plastron's own.

use std::time::Duration;

/// What is wrong with the text, put so that it can follow "…, not 'x'".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It is no such thing at all.
    Malformed,
    /// It has a fraction.
    Fraction,
    /// The suffix is not known.
    Suffix,
    /// `m`: minutes or milliseconds?
    AmbiguousMinutes,
    /// A minus where none can be.
    Negative,
    /// It is too large to be held.
    TooLarge,
}

impl Fault {
    /// A hint to append to the message, or nothing.
    pub(crate) fn hint(self) -> &'static str {
        match self {
            Self::Malformed => "",
            Self::Fraction => " (fractions are not taken: use a smaller unit)",
            Self::Suffix => " (unknown suffix)",
            Self::AmbiguousMinutes => " (write min for minutes, ms for milliseconds)",
            Self::Negative => " (it can't be negative)",
            Self::TooLarge => " (too large)",
        }
    }
}

/// A whole number, with an optional size suffix; negative ones have none, as in WiredTiger.
pub(crate) fn number(text: &str) -> Result<i64, Fault> {
    match text.strip_prefix('-') {
        None => i64::try_from(size(text)?).map_err(|_| Fault::TooLarge),
        Some(positive) => {
            let (digits, suffix) =
                split(positive).map_err(|fault| if fault == Fault::Negative { Fault::Malformed } else { fault })?;
            match suffix {
                "" => format!("-{digits}").parse().map_err(|_| Fault::TooLarge),
                _ => Err(Fault::Suffix),
            }
        }
    }
}

/// A number of bytes.
pub(crate) fn size(text: &str) -> Result<u64, Fault> {
    let (digits, suffix) = split(text)?;
    let number: u64 = digits.parse().map_err(|_| Fault::TooLarge)?;
    let shift = match suffix.to_ascii_uppercase().as_str() {
        "" | "B" => 0,
        "K" | "KB" | "KIB" => 10,
        "M" | "MB" | "MIB" => 20,
        "G" | "GB" | "GIB" => 30,
        "T" | "TB" | "TIB" => 40,
        "P" | "PB" | "PIB" => 50,
        _ => return Err(Fault::Suffix),
    };
    number.checked_mul(1 << shift).ok_or(Fault::TooLarge)
}

/// A length of time: `500ms`, `30s`, `2min`, `1h`; a bare number is seconds.
pub(crate) fn duration(text: &str) -> Result<Duration, Fault> {
    let (digits, suffix) = split(text)?;
    let number: u64 = digits.parse().map_err(|_| Fault::TooLarge)?;
    let seconds = |factor: u64| number.checked_mul(factor).map(Duration::from_secs).ok_or(Fault::TooLarge);
    match suffix.to_ascii_lowercase().as_str() {
        "us" => Ok(Duration::from_micros(number)),
        "ms" => Ok(Duration::from_millis(number)),
        "" | "s" => seconds(1),
        "min" => seconds(60),
        "h" => seconds(3_600),
        "d" => seconds(86_400),
        "m" => Err(Fault::AmbiguousMinutes),
        _ => Err(Fault::Suffix),
    }
}

/// The leading digits and what follows them.
fn split(text: &str) -> Result<(&str, &str), Fault> {
    let end = text.bytes().position(|b| !b.is_ascii_digit()).unwrap_or(text.len());
    let (digits, suffix) = (text.get(..end).unwrap_or_default(), text.get(end..).unwrap_or_default());
    match suffix.bytes().next() {
        Some(b'-') if digits.is_empty() && second_is_digit(suffix) => Err(Fault::Negative),
        _ if digits.is_empty() => Err(Fault::Malformed),
        Some(b'.') if second_is_digit(suffix) => Err(Fault::Fraction),
        Some(b) if !b.is_ascii_alphabetic() => Err(Fault::Malformed),
        _ => Ok((digits, suffix)),
    }
}

fn second_is_digit(text: &str) -> bool {
    text.as_bytes().get(1).is_some_and(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (text, bytes) in [
            ("0", 0),
            ("7", 7),
            ("7b", 7),
            ("1K", 1 << 10),
            ("1kb", 1 << 10),
            ("1KiB", 1 << 10),
            ("512MB", 512 << 20),
            ("10G", 10 << 30),
            ("10GB", 10 << 30),
            ("2T", 2 << 40),
            ("3PiB", 3 << 50),
            ("18446744073709551615", u64::MAX),
        ] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for (text, fault) in [
            ("", Fault::Malformed),
            ("x", Fault::Malformed),
            ("B", Fault::Malformed),
            ("-", Fault::Malformed),
            ("-1", Fault::Negative),
            ("1.5GB", Fault::Fraction),
            ("10.0.0.1", Fault::Fraction),
            ("1X", Fault::Suffix),
            ("1BB", Fault::Suffix),
            ("1KM", Fault::Suffix),
            ("1 K", Fault::Malformed),
            ("18446744073709551616", Fault::TooLarge),
            ("16384P", Fault::TooLarge),
        ] {
            assert_eq!(size(text), Err(fault), "{text}");
        }
        assert_eq!(size("16383P"), Ok(16_383 << 50));
    }

    #[test]
    fn numbers() {
        for (text, value) in [
            ("0", 0),
            ("-0", 0),
            ("-12", -12),
            ("4K", 4_096),
            ("9223372036854775807", i64::MAX),
            ("-9223372036854775808", i64::MIN),
        ] {
            assert_eq!(number(text), Ok(value), "{text}");
        }
        for (text, fault) in [
            ("-1K", Fault::Suffix),
            ("--1", Fault::Malformed),
            ("9223372036854775808", Fault::TooLarge),
            ("-9223372036854775809", Fault::TooLarge),
            ("8192P", Fault::TooLarge),
            ("+1", Fault::Malformed),
            ("é", Fault::Malformed),
        ] {
            assert_eq!(number(text), Err(fault), "{text}");
        }
    }

    #[test]
    fn durations() {
        for (text, value) in [
            ("30", Duration::from_secs(30)),
            ("30s", Duration::from_secs(30)),
            ("500ms", Duration::from_millis(500)),
            ("20us", Duration::from_micros(20)),
            ("2min", Duration::from_secs(120)),
            ("1h", Duration::from_secs(3_600)),
            ("7D", Duration::from_secs(604_800)),
        ] {
            assert_eq!(duration(text), Ok(value), "{text}");
        }
        for (text, fault) in [
            ("5m", Fault::AmbiguousMinutes),
            ("0.5s", Fault::Fraction),
            ("-1s", Fault::Negative),
            ("1week", Fault::Suffix),
            ("s", Fault::Malformed),
            ("18446744073709551615h", Fault::TooLarge),
        ] {
            assert_eq!(duration(text), Err(fault), "{text}");
        }
    }
}

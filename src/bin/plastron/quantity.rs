//! Numbers as people read them: byte sizes in powers of 1024, rates, times of the calendar.

use std::time::{Duration, SystemTime};

const UNITS: [&str; 6] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

/// `bytes` with a unit: `0 B`, `1023 B`, `1.0 KiB`, `200.0 MiB`.
pub(crate) fn bytes(bytes: u64) -> String {
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64;
    let mut unit = 0;
    // 1023.95 would print as "1024.0": go to the next unit before that.
    while value >= 1023.95 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS.get(unit).copied().unwrap_or("B"))
}

/// Bytes a second in MiB/s; 0 when no time passed.
pub(crate) fn mib_per_second(bytes: u64, elapsed: Duration) -> f64 {
    let seconds = elapsed.as_secs_f64();
    if seconds > 0.0 { bytes as f64 / f64::from(1 << 20) / seconds } else { 0.0 }
}

/// RFC 3339 in UTC, to the second, or to the nanosecond where the store says it so exactly.
pub(crate) fn timestamp(time: SystemTime) -> String {
    // humantime refuses times before 1970 and after 9999 by panicking in Display: neither is a time an object was made at.
    let after_epoch = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    const YEAR_9999: Duration = Duration::from_secs(253_402_300_799);
    humantime::format_rfc3339(SystemTime::UNIX_EPOCH + after_epoch.min(YEAR_9999)).to_string()
}

/// `name` with control characters escaped, so that a listing can't drive the terminal it is printed on.
pub(crate) fn printable(name: &str) -> std::borrow::Cow<'_, str> {
    if name.chars().any(char::is_control) {
        name.chars()
            .fold(String::with_capacity(name.len() + 8), |mut text, c| {
                if c.is_control() {
                    text.extend(c.escape_default());
                } else {
                    text.push(c);
                }
                text
            })
            .into()
    } else {
        name.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_well_at_every_border() {
        for (size, text) in [
            (0, "0 B"),
            (1, "1 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1536, "1.5 KiB"),
            ((1 << 20) - 1, "1.0 MiB"),
            (1 << 20, "1.0 MiB"),
            (200 << 20, "200.0 MiB"),
            (u64::MAX, "16384.0 PiB"),
        ] {
            assert_eq!(bytes(size), text, "{size}");
        }
    }

    #[test]
    fn rates_survive_no_time_at_all() {
        assert_eq!(mib_per_second(5, Duration::ZERO), 0.0);
        assert_eq!(mib_per_second(3 << 20, Duration::from_millis(1500)), 2.0);
    }

    #[test]
    fn timestamps_are_rfc_3339_and_never_panic() {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        assert_eq!(timestamp(at(1_700_000_000)), "2023-11-14T22:13:20Z");
        assert_eq!(timestamp(at(0)), "1970-01-01T00:00:00Z");
        assert_eq!(timestamp(SystemTime::UNIX_EPOCH - Duration::from_secs(1)), "1970-01-01T00:00:00Z");
        assert_eq!(timestamp(at(999_999_999_999)), "9999-12-31T23:59:59Z");
    }

    #[test]
    fn control_characters_are_shown_not_sent() {
        assert_eq!(printable("plain né 名"), "plain né 名");
        assert_eq!(printable("a\u{1b}[2Jb\n"), "a\\u{1b}[2Jb\\n");
    }
}

//! Configuration strings: nothing panics, strict and lenient reading agree, what is printed reads back, merging keeps that.

#![no_main]

use libfuzzer_sys::fuzz_target;
use plastron_config::Config;

fuzz_target!(|data: &[u8]| {
    let (lenient, mistakes) = Config::parse_lenient_bytes(data);
    let printed = lenient.to_string();
    assert_eq!(Config::parse(&printed).unwrap(), lenient);
    assert!(format!("{lenient:?} {}", lenient.redacted()).len() >= 3);

    let Ok(text) = std::str::from_utf8(data) else { return };
    match Config::parse(text) {
        Ok(strict) => {
            assert!(mistakes.is_empty());
            assert_eq!(strict, lenient);
            let mut merged = strict.clone();
            merged.merge(strict);
            assert_eq!(Config::parse(&merged.to_string()).unwrap(), merged);
        }
        Err(error) => {
            assert_eq!(mistakes.first().map(ToString::to_string), Some(error.to_string()));
            assert!(!format!("{error:#}").is_empty());
        }
    }
});

#![no_main]
//! Any bytes: turtle pages and checkpoint strings are read or refused, and what is printed reads back.

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    assert_ne!(plastron_registry::fuzzing::turtle_text(bytes), Some(false));
});

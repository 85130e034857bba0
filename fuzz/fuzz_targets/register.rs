#![no_main]
//! Any bytes: the decoder of a register's value does not panic, and what it accepts has one form only.

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    assert_ne!(plastron_registry::fuzzing::envelope(bytes), Some(false));
});

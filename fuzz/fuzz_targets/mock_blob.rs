#![no_main]
//! Any bytes: the decoder does not panic, and what it accepts has one form only.

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    assert_ne!(plastron_keys::fuzzing::mock_blob(bytes), Some(false));
});

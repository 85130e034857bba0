#![no_main]
//! Any bytes: the decoders of turtle objects and of what is in them do not panic, and what they accept has one form only.

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    assert_ne!(plastron_registry::fuzzing::turtle(bytes), Some(false));
});

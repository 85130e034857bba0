#![no_main]
//! Any bytes: the decoders of the keyserver's messages do not panic, and what they accept has one form only.

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    assert_ne!(plastron_keyserver::fuzzing::message(bytes), Some(false));
});

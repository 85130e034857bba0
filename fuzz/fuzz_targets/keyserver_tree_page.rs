#![no_main]
//! Any bytes: the decoder of the keyserver's tree pages does not panic, and what it accepts has one form only.

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    assert_ne!(plastron_keyserver::fuzzing::tree_page(bytes), Some(false));
});

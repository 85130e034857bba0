#![no_main]
//! Any bytes: storage URLs and the texts of headers have one form only.

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    assert!(plastron_ickpt::fuzzing::texts(bytes));
});

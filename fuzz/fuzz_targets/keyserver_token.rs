#![no_main]
//! Any bytes: checking an identity token, and reading a list of keys, does not panic, and no token that nobody has signed is believed.

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    assert!(plastron_keyserver::fuzzing::token(bytes));
});

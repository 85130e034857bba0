#![no_main]
//! Any bytes as the answer of a store or an instance: read or refused, however they are cut.

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    assert!(plastron_ickpt::fuzzing::answer(bytes));
});

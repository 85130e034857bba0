#![no_main]
//! Any bytes: the decoder of the checkpoint service's journal does not panic, finds no gaps, and what it accepts has one form only.

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    assert!(plastron_ickpt::fuzzing::journal(bytes));
});

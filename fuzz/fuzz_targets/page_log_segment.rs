#![no_main]
//! Any bytes: the decoders do not panic, and what they accept has one form only.

use plastron::page_log::fuzzing;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    assert_ne!(fuzzing::segment(bytes), Some(false));
    assert_ne!(fuzzing::segment_header(bytes), Some(false));
});

#![no_main]
//! Any text: a configuration of the checkpoint service is read or refused, and nothing panics.

libfuzzer_sys::fuzz_target!(|text: &str| {
    plastron_ickpt::fuzzing::conf(text);
});

#![no_main]
//! Any bytes as the answer to a lookup: checking it does not panic, and nothing but the right answer is accepted.

const REALM: &[u8] = include_bytes!("../../keyserver/tests/fixtures/lookup-realm.bin");
const RIGHT: &[u8] = include_bytes!("../../keyserver/tests/fixtures/lookup-right.bin");

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    assert!(matches!(plastron_keyserver::fuzzing::lookup(REALM, RIGHT, bytes), Ok(true)));
});

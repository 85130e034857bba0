#![no_main]
//! Any bytes as a key blob of the module `keyserver`: examining it does not panic, and nothing but the right one is found without a fault.

const REALM: &[u8] = include_bytes!("../../keyserver/tests/fixtures/kek-blob-realm.bin");
const RIGHT: &[u8] = include_bytes!("../../keyserver/tests/fixtures/kek-blob-1.bin");

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    assert!(matches!(plastron_keyserver::fuzzing::kek_blob(REALM, RIGHT, bytes), Ok(true)));
});

#![no_main]
//! Any bytes as a registration by a client certificate, as a certificate, as an authority and as a signature: checking it does not panic, and nothing but the right
//! one is accepted.

const REALM: &[u8] = include_bytes!("../../keyserver/tests/fixtures/certificate-realm.bin");
const AUTHORITIES: &[u8] = include_bytes!("../../keyserver/tests/fixtures/certificate-authorities.bin");
const RIGHT: &[u8] = include_bytes!("../../keyserver/tests/fixtures/certificate-right.bin");

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    assert!(matches!(plastron_keyserver::fuzzing::certificate(REALM, AUTHORITIES, RIGHT, bytes), Ok(true)));
});

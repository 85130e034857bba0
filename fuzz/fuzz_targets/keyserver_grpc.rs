#![no_main]
//! Any bytes as the messages of gRPC: reading them does not panic, and what is accepted is accepted in its framed form, too.

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    assert_ne!(plastron_keyserver::fuzzing::grpc(bytes), Some(false));
});

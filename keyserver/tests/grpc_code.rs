//! The code of the gRPC interface is checked in, so that whoever builds the crate needs no compiler of `.proto` files. It is what they generate.
#![cfg(feature = "grpc")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a test")]

use std::path::Path;

/// Says that the code is to be written anew.
const WRITE: &str = "PLASTRON_WRITE_GRPC_CODE";

#[test]
fn the_code_is_what_the_proto_file_generates() {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let place = tempfile::tempdir().unwrap();
    let parsed = protox::compile(["keyserver.proto"], [package.join("proto")]).unwrap();
    tonic_prost_build::configure()
        .bytes(".")
        // It has a token in it.
        .skip_debug(["plastron.keyserver.v1.RegisterRequest"])
        .out_dir(place.path())
        .compile_fds(parsed)
        .unwrap();
    let generated = std::fs::read_to_string(place.path().join("plastron.keyserver.v1.rs")).unwrap();
    let path = package.join("src/grpc/generated.rs");
    if std::env::var_os(WRITE).is_some() {
        std::fs::write(&path, &generated).unwrap();
    }
    let checked_in = std::fs::read_to_string(&path).unwrap();
    assert!(checked_in == generated, "src/grpc/generated.rs is stale: run this test once with {WRITE}=1");
}

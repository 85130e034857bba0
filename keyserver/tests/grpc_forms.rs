//! The forms of gRPC: golden files of what is sent for the golden files of the framed forms, and what damaged ones come to. With `PLASTRON_WRITE_FIXTURES` set, files that are
//! missing are written, those of the fuzz corpus too.
#![cfg(feature = "grpc")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a test")]

use std::path::Path;

use plastron_keyserver::Error;
use plastron_keyserver::fuzzing;
use plastron_keyserver::grpc as wire;
use plastron_keyserver::proto::*;

fn fixture(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// The golden file of that framed form is sent as the golden file of gRPC, which is read back as it; damaged, it is read as nothing that would not be accepted in its framed form.
fn check<M, S>(name: &str, send: impl Fn(&M) -> S)
where
    M: Message + PartialEq + std::fmt::Debug + TryFrom<S, Error = Error>,
    S: prost::Message + Default + PartialEq,
{
    let message = M::from_bytes(&std::fs::read(fixture(&format!("{name}.bin"))).unwrap()).unwrap();
    let bytes = send(&message).encode_to_vec();
    let path = fixture(&format!("grpc-{name}.bin"));
    if std::env::var_os("PLASTRON_WRITE_FIXTURES").is_some() && !path.exists() {
        std::fs::write(&path, &bytes).unwrap();
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/keyserver_grpc");
        std::fs::create_dir_all(&corpus).unwrap();
        std::fs::write(corpus.join(name), &bytes).unwrap();
    }
    assert_eq!(std::fs::read(&path).unwrap(), bytes, "{name}");
    assert_eq!(M::try_from(S::decode(&*bytes).unwrap()).unwrap(), message, "{name}");
    assert_eq!(fuzzing::grpc(&bytes), Some(true), "{name}");
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert_ne!(fuzzing::grpc(&flipped), Some(false), "{name}: bit {bit}");
        // Nothing that is signed or hashed is the same by another encoding.
        let other = S::decode(&*flipped).ok().and_then(|sent| M::try_from(sent).ok());
        assert!(other.is_none_or(|other| other != message), "{name}: bit {bit}");
    }
    for length in 0..bytes.len() {
        assert_ne!(fuzzing::grpc(&bytes[..length]), Some(false), "{name}: {length} bytes");
    }
}

#[test]
fn what_is_sent_stays_the_same() {
    check("lookup-request-1", |request: &LookupRequest| wire::LookupRequest::from(request));
    check("lookup-answer-1", |answer: &LookupAnswer| wire::LookupResponse::from(answer));
    check("lookup-answer-absent-1", |answer: &LookupAnswer| wire::LookupResponse::from(answer));
    check("update-1", |update: &Update| wire::UpdateRequest::from(update));
    check("registration-1", |one: &Registration| wire::RegisterRequest::try_from(one).unwrap());
    check("certified-registration-1", |one: &CertifiedRegistration| wire::RegisterCertifiedRequest::from(one));
    check("log-entry-signature-1", |entry: &LogEntry| wire::PushRatificationRequest::try_from(entry).unwrap());
    check("policy-change-1", |change: &PolicyChange| wire::ChangePolicyRequest::from(change));
    check("issuers-change-1", |change: &IssuersChange| wire::ChangeIssuersRequest::from(change));
    check("authorities-change-1", |change: &AuthoritiesChange| wire::ChangeAuthoritiesRequest::from(change));
    check("history-page-1", |page: &HistoryPage| wire::HistoryResponse::from(page));
    check("stream-page-1", |page: &StreamPage| wire::VerifierStreamResponse::from(page));
}

#[test]
fn tokens_are_not_shown() {
    let request = wire::RegisterRequest { update: None, token: "e30.e30.AAAA".to_owned() };
    assert!(format!("{request:?}").contains("[secret]") && !format!("{request:?}").contains("e30"));
}

//! `plastron keys audit`, on KEK pages made of the golden blob.

use plastron_keys::KekPage;
use serde_json::{Value, json};

use crate::run::{Done, Place};

const BLOB: &[u8] = include_bytes!("../../keyserver/tests/fixtures/kek-blob-1.bin");
const REALM: &[u8] = include_bytes!("../../keyserver/tests/fixtures/kek-blob-realm.bin");

fn page(place: &Place, lsn: u64, blob: &[u8]) -> String {
    let page = KekPage { timestamp: 0, blob: blob.to_vec().into() }.encode().unwrap();
    let name = format!("_plastron/kek/{lsn:020}.kek");
    place.write(&format!("bucket/{name}"), page);
    name
}

fn audit(place: &Place) -> (Done, Value) {
    let done = place.run(&["--json", "keys", "audit", "--realm", "realm"]);
    let record = done.records().into_iter().next().unwrap_or_default();
    (done, record)
}

#[test]
fn every_wrap_is_checked_offline_and_faults_are_explained() {
    let place = Place::new();
    place.write("realm", REALM);
    let (done, record) = audit(&place);
    assert_eq!((done.code, &record["pages"], &record["faults"]), (0, &json!([]), &json!(0)), "{done:?}");
    let name = page(&place, 7, BLOB);
    let (done, record) = audit(&place);
    assert_eq!((done.code, &record["faults"]), (0, &json!(0)), "{done:?}");
    assert_eq!(record["readers"], json!([{ "id": "a", "generations": [1, 2] }, { "id": "b", "generations": [1, 2] }]));
    let first = &record["pages"][0];
    assert_eq!((&first["object"], &first["lsn"], &first["generation"]), (&json!(name), &json!(7), &json!(2)));
    assert_eq!((&first["leader"], &first["cluster"], &first["epoch"]), (&json!("a"), &json!("db"), &json!(1)));
    assert_eq!((&first["readers"][1]["id"], &first["readers"][1]["kem"]), (&json!("b"), &json!("x25519")));
    let text = place.ok(&["keys", "audit", "--realm", "realm", "--quorum", "replicas"]);
    for words in ["generation 2 of cluster db", "by node a at epoch 1 to a, b", "node b could read generations 1, 2"] {
        assert!(text.text().contains(words), "{words}: {text:?}");
    }

    // One that somebody changed and mended the checksums of, one that is no blob, one that is damaged.
    let mut forged = BLOB.to_vec();
    let at = forged.len() - 70;
    forged[at] ^= 1;
    let end = forged.len() - 4;
    let sum = crc32c::crc32c(&forged[..end]).to_be_bytes();
    forged[end..].copy_from_slice(&sum);
    page(&place, 8, &forged);
    page(&place, 9, b"a keyring of another module");
    let name = page(&place, 10, BLOB);
    let path = place.path(&format!("bucket/{name}"));
    let mut damaged = std::fs::read(&path).unwrap();
    damaged[200] ^= 1;
    std::fs::write(&path, damaged).unwrap();
    let (done, record) = audit(&place);
    assert_eq!((done.code, &record["faults"]), (7, &json!(3)), "{done:?}");
    let fault = |at: usize| record["pages"][at]["faults"][0].as_str().unwrap_or("none");
    assert_eq!(fault(0), "none");
    assert!(fault(1).contains("the blob is not signed by the key that node a has"), "{record}");
    assert!(fault(2).contains("it does not begin with PLKS"), "{record}");
    assert!(fault(3).contains("CRC"), "{record}");
    // Another realm's file, and none at all.
    let mut other = REALM.to_vec();
    other.truncate(40);
    place.write("other", other);
    assert_eq!(place.run(&["keys", "audit", "--realm", "other"]).code, 7);
    let none = place.run(&["keys", "audit"]);
    assert!(none.code == 2 && none.stderr.contains("give --realm FILE"), "{none:?}");
    assert_eq!(place.run(&["keys", "audit", "--realm", "missing"]).code, 3);
}

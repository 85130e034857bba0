//! What the tests share.
#![allow(dead_code, reason = "each test uses its share of it")]

use plastron_config::Config;
use plastron_keys::{Binding, KeyBlob, KeyManagement, PendingBlob, WrappedKey};

pub(crate) const TEXT: &[u8] = b"one page of a turtle's diary";
const HEADER: &[u8] = b"header";

pub(crate) async fn open(section: &str) -> KeyManagement {
    KeyManagement::open(&Config::parse(section).unwrap()).await.unwrap()
}

pub(crate) async fn changed(keys: &KeyManagement) -> PendingBlob {
    match keys.get_key_blob().await.unwrap() {
        KeyBlob::Changed(pending) => pending,
        KeyBlob::Unchanged => panic!("the blob is unchanged"),
    }
}

pub(crate) async fn unchanged(keys: &KeyManagement) {
    assert!(matches!(keys.get_key_blob().await.unwrap(), KeyBlob::Unchanged));
}

/// A record sealed for `binding`, and the wrapped key of its object.
pub(crate) async fn opened(keys: &KeyManagement, binding: Binding) -> (Vec<u8>, WrappedKey) {
    let mut cipher = keys.new_cipher(binding).await.unwrap().unwrap();
    let mut record = TEXT.to_vec();
    let sealed = cipher.sealer.seal(HEADER, &mut record).unwrap();
    record.extend(sealed.tag);
    (record, cipher.wrapped)
}

/// Asserts that `keys` open what [`opened`] gave.
pub(crate) async fn opens(keys: &KeyManagement, binding: Binding, wrapped: &WrappedKey, record: &[u8]) {
    let opener = keys.opener(binding, wrapped.clone()).await.unwrap();
    assert_eq!(opener.open(0, HEADER, &mut record.to_vec()).unwrap(), TEXT);
}

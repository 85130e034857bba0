//! Bytes that are written before their object is created.

use bytes::Bytes;
use object_store::{ObjectStore, PutMode, PutOptions, PutResult, Result};

use super::ahead::AheadFile;
use super::store::DirStore;
use super::testing::{STAGINGS, eventually, files_in, path, put, store_in};
use crate::fault_of::fault_of;
use crate::{Bucket, BucketOptions, ErrorKind, Fault};

fn noise(length: usize) -> Bytes {
    (0..length as u32).map(|index| (index.wrapping_mul(2_654_435_761) >> 24) as u8).collect::<Vec<u8>>().into()
}

/// A file for `name` in which the first `length` bytes of `bytes` are.
fn begun(store: &DirStore, name: &str, bytes: &Bytes, length: usize) -> AheadFile {
    let ahead = store.ahead().begin(&path(name)).unwrap();
    bytes.slice(..length).chunks(7_000).for_each(|chunk| ahead.write(&[Bytes::copy_from_slice(chunk)]).unwrap());
    ahead
}

async fn create(store: &DirStore, name: &str, bytes: &Bytes, ahead: &AheadFile) -> Result<PutResult> {
    let mut options = PutOptions::from(PutMode::Create);
    options.extensions.insert(ahead.clone());
    // In pieces that do not end where those of the beginning do.
    let pieces = bytes.chunks(3_001).map(Bytes::copy_from_slice);
    store.put_opts(&path(name), pieces.collect(), options).await
}

#[tokio::test]
async fn an_object_is_the_same_however_much_of_it_was_there_before() {
    for staging in STAGINGS {
        let directory = tempfile::tempdir().unwrap();
        let store = store_in(directory.path(), staging);
        let bytes = noise(50_000);
        for length in [0, 1, 3_001, 7_000, 33_333, 49_999, 50_000] {
            let name = format!("a/{length}");
            let ahead = begun(&store, &name, &bytes, length);
            assert!(!directory.path().join(&name).exists());
            create(&store, &name, &bytes, &ahead).await.unwrap();
            drop(ahead);
            assert!(std::fs::read(directory.path().join(&name)).unwrap() == bytes, "{name}");
        }
        // What is of another name, or of another bucket, is not taken.
        let others = store_in(directory.path(), staging);
        let zeros = Bytes::from(vec![0; 50_000]);
        for (at, ahead) in [begun(&store, "b/other", &zeros, 10), begun(&others, "b/1", &zeros, 10)].iter().enumerate()
        {
            create(&store, &format!("b/{at}"), &bytes, ahead).await.unwrap();
            assert!(std::fs::read(directory.path().join(format!("b/{at}"))).unwrap() == bytes);
        }
    }
}

#[tokio::test]
async fn a_beginning_takes_no_name_and_leaves_nothing() {
    for staging in STAGINGS {
        let directory = tempfile::tempdir().unwrap();
        let store = store_in(directory.path(), staging);
        let bytes = noise(20_000);
        let ahead = begun(&store, "a", &bytes, 10_000);
        put(&*store, "a", "theirs").await.unwrap();
        let refused = create(&store, "a", &bytes, &ahead).await.unwrap_err();
        assert!(matches!(fault_of(&refused), Fault::ObjectExists), "{refused}");
        drop((ahead, begun(&store, "b", &bytes, 10_000)));
        assert_eq!(std::fs::read(directory.path().join("a")).unwrap(), b"theirs");
        eventually(|| files_in(directory.path()) == ["a"]).await;
    }
}

#[tokio::test]
async fn a_bucket_writes_ahead_in_a_directory_and_keeps_the_bytes_elsewhere() {
    let directory = tempfile::tempdir().unwrap();
    let on_disk = format!("source=dir_store,bucket=\"{}\"", directory.path().display());
    for (string, writes) in [(on_disk.as_str(), true), ("source=memory_store,bucket=m", false)] {
        let bucket = Bucket::open(BucketOptions::parse(string).unwrap()).await.unwrap();
        assert_eq!(bucket.writes_ahead(), writes);
        let bytes = noise(9_000_000);
        // The last one is more than goes in one request: it goes in parts.
        for (name, most) in [("one", 32 << 20), ("parts", 0)] {
            let mut writer = bucket.put_ahead(name, most).await.unwrap();
            for chunk in bytes.slice(..8_000_000).chunks(777_777) {
                writer.write(Bytes::copy_from_slice(chunk)).await;
            }
            assert_eq!(bucket.open_object(name).await.unwrap_err().kind(), ErrorKind::NotFound);
            let info = writer.finish(bytes.slice(8_000_000..)).await.unwrap();
            assert_eq!(info.size, 9_000_000);
            let object = bucket.open_object(name).await.unwrap();
            assert!(object.read_all().await.unwrap() == bytes, "{name}");
        }
        // A write whose future is dropped loses nothing but what it would have saved.
        let mut writer = bucket.put_ahead("dropped", 32 << 20).await.unwrap();
        writer.write(bytes.slice(..1_000_000)).await;
        let _ = futures::poll!(Box::pin(writer.write(bytes.slice(1_000_000..2_000_000))));
        writer.finish(bytes.slice(2_000_000..)).await.unwrap();
        assert!(bucket.open_object("dropped").await.unwrap().read_all().await.unwrap() == bytes);
        let writer = bucket.put_ahead("one", 32 << 20).await.unwrap();
        assert_eq!(writer.finish("other").await.unwrap_err().kind(), ErrorKind::AlreadyExists);
    }
}

//! A bucket in memory does what the documentation says.

use futures::TryStreamExt;
use plastron_sources::{Bucket, BucketOptions, ErrorKind, ListOptions, Provider};

async fn bucket() -> Bucket {
    let mut options = BucketOptions::new(Provider::Memory, "test");
    options.part_size = 512 << 10;
    Bucket::open(options).await.unwrap()
}

fn data(length: usize) -> Vec<u8> {
    (0..length as u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

#[tokio::test]
async fn what_is_put_is_read() {
    let bucket = bucket().await;
    for size in [0, 1, 1000, (512 << 10) - 1, 512 << 10, (512 << 10) + 1, 5 << 20] {
        let name = format!("object {size}");
        let data = data(size);
        let info = bucket.put(&name, data.clone()).await.unwrap();
        assert_eq!(info.size, size as u64);
        let object = bucket.open_object(&name).await.unwrap();
        assert_eq!(object.etag(), info.etag);
        assert_eq!(object.read_all().await.unwrap(), data);
        let streamed: Vec<_> = object.stream(0..object.size()).try_collect().await.unwrap();
        assert_eq!(streamed.concat(), data);
        let again = bucket.put(&name, "x").await.unwrap_err();
        assert_eq!(again.kind(), ErrorKind::AlreadyExists);
    }
    let names: Vec<_> = bucket.list("obj", ListOptions::default()).try_collect().await.unwrap();
    assert_eq!(names.len(), 7);
    let all: Vec<_> = bucket.system().list("", ListOptions::default()).try_collect().await.unwrap();
    assert_eq!(all.len(), 7, "{all:?}");
    bucket.delete("object 1").await.unwrap();
    assert_eq!(bucket.delete("object 1").await.unwrap_err().kind(), ErrorKind::NotFound);
    let report = bucket.probe().await;
    assert!(report.holds(), "{report}");
    println!("{report}");
}

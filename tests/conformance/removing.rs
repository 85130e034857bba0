//! Removing.

use plastron_sources::ErrorKind;

use crate::backend::{Place, names, read_whole};

pub(crate) async fn removed_is_gone(place: Place) {
    let bucket = place.open().await;
    bucket.put("one", "1").await.unwrap();
    bucket.put("two", "2").await.unwrap();
    bucket.delete("one").await.unwrap();
    assert!(!bucket.exists("one").await.unwrap());
    assert_eq!(names(&bucket, "").await, ["two"]);
    assert_eq!(bucket.delete("one").await.unwrap_err().kind(), ErrorKind::NotFound);
    // The name is free again.
    bucket.put("one", "another").await.unwrap();
    assert_eq!(read_whole(&bucket, "one").await, b"another");
}

pub(crate) async fn what_is_not_there_is_not_found(place: Place) {
    let bucket = place.open().await;
    for name in ["missing", "dir/missing", "mis sing%"] {
        assert!(!bucket.exists(name).await.unwrap());
        for error in [
            bucket.head(name).await.unwrap_err(),
            bucket.open_object(name).await.err().unwrap(),
            bucket.delete(name).await.unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
            assert!(error.to_string().contains(name), "{error}");
        }
    }
    assert_eq!(names(&bucket, "missing").await, Vec::<String>::new());
}

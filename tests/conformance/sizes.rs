//! Sizes: nothing, one byte, around a part and around a checksum block, and 200 MiB.

use crate::backend::{Place, body, read_whole};

const PART: usize = 5 << 20;
const BLOCK: usize = 256 << 10;

pub(crate) async fn objects_of_every_size_around_the_edges(place: Place) {
    let bucket = place.open().await;
    for size in [
        0,
        1,
        2,
        BLOCK - 1,
        BLOCK,
        BLOCK + 1,
        PART - 1,
        PART,
        PART + 1,
        2 * PART - 1,
        2 * PART,
        2 * PART + 1,
        3 * PART + 77,
    ] {
        let name = format!("size-{size}");
        let info = bucket.put(&name, body(size, size as u64)).await.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(info.size, size as u64);
        assert_eq!(bucket.head(&name).await.unwrap().size, size as u64);
        assert!(read_whole(&bucket, &name).await == body(size, size as u64), "{name} differs");
    }
}

pub(crate) async fn a_writer_takes_pieces_of_any_size(place: Place) {
    let bucket = place.open().await;
    let data = body(2 * PART + 4321, 6);
    for (number, piece) in [1_000_003, PART, BLOCK + 1, 3 * PART].into_iter().enumerate() {
        let name = format!("writer-{number}");
        let mut writer = bucket.writer(&name).await.unwrap();
        for part in data.chunks(piece) {
            writer.write(part.to_vec()).await.unwrap();
        }
        let info = writer.finish().await.unwrap();
        assert_eq!(info.size, data.len() as u64);
        assert!(read_whole(&bucket, &name).await == data, "{name} differs");
    }
    let empty = bucket.writer("writer-empty").await.unwrap().finish().await.unwrap();
    assert_eq!(empty.size, 0);
    assert_eq!(read_whole(&bucket, "writer-empty").await, b"");
}

pub(crate) async fn two_hundred_mebibytes(place: Place) {
    let bucket = place.open_with("part_size=16MB,part_concurrency=4,timeout=(request=120)").await;
    let size = 200 << 20;
    // 200 MiB of distinct bytes, in pieces, so that no more than a few parts are in memory here.
    let piece = |index: usize| body(4 << 20, index as u64);
    let mut writer = bucket.writer("large").await.unwrap();
    for index in 0..size / (4 << 20) {
        writer.write(piece(index)).await.unwrap();
    }
    assert_eq!(writer.finish().await.unwrap().size, size as u64);
    let object = bucket.open_object("large").await.unwrap();
    assert_eq!(object.size(), size as u64);
    for index in 0..size / (4 << 20) {
        let start = (index * (4 << 20)) as u64;
        assert!(object.read(start..start + (4 << 20)).await.unwrap()[..] == piece(index)[..], "piece {index} differs");
    }
    bucket.delete("large").await.unwrap();
    assert!(!bucket.exists("large").await.unwrap());
}

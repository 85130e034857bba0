//! Files appear whole or not at all, once, and never change.

use plastron::ErrorKind;

use crate::setting::{bytes, settings};

#[tokio::test]
async fn a_file_is_visible_when_it_is_closed_and_not_before() {
    for setting in settings("").await {
        let files = &setting.files;
        let mut writer = files.create("a/b").await.unwrap();
        assert_eq!((writer.name(), writer.written()), ("a/b", 0));
        // More than one part.
        let content = bytes(9 << 20);
        for piece in content.chunks(1_000_003) {
            writer.write(piece.to_vec()).await.unwrap();
            assert!(!files.exists("a/b").await.unwrap(), "{}", setting.name);
        }
        assert_eq!(writer.written(), content.len() as u64);
        let info = writer.close().await.unwrap();
        assert_eq!((info.name.as_str(), info.size), ("a/b", content.len() as u64));
        assert!(files.exists("a/b").await.unwrap());
        assert_eq!(files.size("a/b").await.unwrap(), info.size);
        let file = files.open_file("a/b").await.unwrap();
        assert_eq!((file.size(), file.etag()), (info.size, info.etag.as_str()), "{}", setting.name);
        assert!(file.read(0..info.size).await.unwrap() == content, "{}", setting.name);
    }
}

#[tokio::test]
async fn a_writer_that_is_dropped_or_aborted_leaves_nothing() {
    for setting in settings("").await {
        for length in [0, 10, 9 << 20] {
            let mut writer = setting.files.create("a").await.unwrap();
            writer.write(bytes(length)).await.unwrap();
            if length % 4 == 0 {
                drop(writer);
            } else {
                writer.abort().await;
            }
        }
        setting.files.close().await;
        assert!(setting.names().await.is_empty(), "{}", setting.name);
        setting.files.put("a", "now").await.unwrap();
    }
}

#[tokio::test]
async fn the_first_to_close_wins_and_the_other_changes_nothing() {
    for setting in settings("").await {
        let files = &setting.files;
        let (mut one, mut two) = (files.create("a").await.unwrap(), files.create("a").await.unwrap());
        one.write("one").await.unwrap();
        two.write("two").await.unwrap();
        two.close().await.unwrap();
        assert_eq!(one.close().await.unwrap_err().kind(), ErrorKind::AlreadyExists, "{}", setting.name);
        let error = files.put("a", "three").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
        assert!(error.to_string().contains("put a:"), "{error}");
        let path = setting.directory.path().join("local");
        std::fs::write(&path, "four").unwrap();
        assert_eq!(files.put_file("a", &path).await.unwrap_err().kind(), ErrorKind::AlreadyExists);
        // Also what the cache says: what was refused must not have entered it.
        assert_eq!(&files.open_file("a").await.unwrap().read(0..3).await.unwrap()[..], b"two", "{}", setting.name);
    }
}

#[tokio::test]
async fn of_many_creators_one_wins() {
    for setting in settings("").await {
        let creators = (0..24_u8).map(|creator| {
            let files = setting.files.clone();
            tokio::spawn(async move { files.put("contended", vec![creator; 1000]).await.map(|_| creator) })
        });
        let mut winners = Vec::new();
        for creator in creators.collect::<Vec<_>>() {
            match creator.await.unwrap() {
                Ok(winner) => winners.push(winner),
                Err(error) => assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error}"),
            }
        }
        assert_eq!(winners.len(), 1, "{}", setting.name);
        let read = setting.files.open_file("contended").await.unwrap().read(0..1000).await.unwrap();
        assert_eq!(read, vec![winners[0]; 1000]);
    }
}

#[tokio::test]
async fn nothing_changes_a_file() {
    for setting in settings("").await {
        let files = &setting.files;
        files.put("a", "content").await.unwrap();
        let file = files.open_file("a").await.unwrap();
        let writer = files.create("b").await.unwrap();
        for (error, word) in [
            (file.write_at(0, b"x").unwrap_err(), "write"),
            (file.truncate(0).unwrap_err(), "truncate"),
            (file.extend(100).unwrap_err(), "extend"),
            (files.rename("a", "b").unwrap_err(), "rename"),
            (writer.truncate(0).unwrap_err(), "truncate"),
        ] {
            assert_eq!(error.kind(), ErrorKind::Unsupported);
            assert!(!error.is_retryable());
            assert!(error.to_string().contains(&format!("{word} of file not supported")), "{error}");
        }
        assert_eq!(&file.read(0..7).await.unwrap()[..], b"content");
    }
}

#[tokio::test]
async fn what_is_removed_is_gone_and_its_name_free_again() {
    for setting in settings("").await {
        let files = &setting.files;
        for round in 0..3_u8 {
            files.put("a", vec![round; 50_000]).await.unwrap();
            let file = files.open_file("a").await.unwrap();
            assert_eq!(file.read(0..50_000).await.unwrap(), vec![round; 50_000], "{}", setting.name);
            files.remove("a").await.unwrap();
            assert!(!files.exists("a").await.unwrap());
            assert_eq!(files.open_file("a").await.unwrap_err().kind(), ErrorKind::NotFound);
            assert_eq!(files.remove("a").await.unwrap_err().kind(), ErrorKind::NotFound);
        }
    }
}

#[tokio::test]
async fn names_that_cannot_be_are_refused_without_a_request() {
    for setting in settings("").await {
        let files = &setting.files;
        let before = files.stats().bucket.requests_total();
        let long = "n".repeat(1025);
        for name in ["", "/a", "a/", "a//b", ".", "..", "a/../b", "./a", "a\nb", "a\0b", "_plastron/x", long.as_str()] {
            let errors = [
                files.put(name, "x").await.unwrap_err(),
                files.put_file(name, "/etc/hostname").await.unwrap_err(),
                files.create(name).await.err().unwrap(),
                files.open_file(name).await.unwrap_err(),
                files.stat(name).await.unwrap_err(),
                files.exists(name).await.unwrap_err(),
                files.remove(name).await.unwrap_err(),
            ];
            for error in errors {
                assert_eq!(error.kind(), ErrorKind::Invalid, "{name:?}: {error}");
            }
        }
        assert_eq!(files.stats().bucket.requests_total(), before, "{}", setting.name);
    }
}

#[tokio::test]
async fn a_local_file_goes_in_by_its_path() {
    for setting in settings("").await {
        let path = setting.directory.path().join("local");
        for length in [0, 1, 262_144, 262_145, (8 << 20) + 1] {
            let content = bytes(length);
            std::fs::write(&path, &content).unwrap();
            let name = format!("file-{length}");
            let info = setting.files.put_file(&name, &path).await.unwrap();
            assert_eq!(info.size, length as u64);
            // Neither bucket nor cache may care what becomes of the local file now.
            std::fs::write(&path, "overwritten").unwrap();
            let file = setting.files.open_file(&name).await.unwrap();
            assert!(file.read(0..info.size).await.unwrap() == content, "{} {length}", setting.name);
        }
        let missing = setting.files.put_file("x", setting.directory.path().join("missing")).await.unwrap_err();
        assert_eq!(missing.kind(), ErrorKind::NotFound, "{missing}");
    }
}

//! The file system for synchronous engines.

use std::thread;

use plastron::ErrorKind;
use plastron::blocking::FileSystem;

use crate::setting::bytes;

fn stores() -> (tempfile::TempDir, Vec<String>) {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("bucket")).unwrap();
    let stores = vec![
        "source=memory_store,bucket=b".to_owned(),
        "source=memory_store,bucket=b,cache=(enabled=false)".to_owned(),
        format!("source=dir_store,bucket=\"{}\"", directory.path().join("bucket").display()),
    ];
    (directory, stores)
}

#[test]
fn a_file_lives_its_life() {
    let (directory, stores) = stores();
    for store in stores {
        let files = FileSystem::open(&store).unwrap();
        let content = bytes(9 << 20);
        let mut writer = files.create("a").unwrap();
        for piece in content.chunks(1 << 20) {
            writer.write(piece.to_vec()).unwrap();
        }
        assert!(!files.exists("a").unwrap());
        assert_eq!(writer.close().unwrap().size, content.len() as u64);
        assert_eq!(files.size("a").unwrap(), content.len() as u64);
        assert_eq!(files.stat("a").unwrap().name, "a");
        let local = directory.path().join("local");
        std::fs::write(&local, "local").unwrap();
        files.put_file("b", &local).unwrap();
        files.put("c", "c").unwrap();

        let file = files.open_file("a").unwrap();
        assert!(file.read(0..file.size()).unwrap() == content);
        let parts = file.read_ranges(&[5..10, 0..5]).unwrap();
        assert_eq!((&parts[0][..], &parts[1][..]), (&content[5..10], &content[..5]));
        let mut page = [0; 4096];
        file.read_at(1_000_000, &mut page).unwrap();
        assert_eq!(page[..], content[1_000_000..1_004_096]);

        let names: Vec<String> = files.list("").map(|entry| entry.unwrap().name).collect();
        assert_eq!(names, ["a", "b", "c"]);
        assert_eq!(files.rename("a", "b").unwrap_err().kind(), ErrorKind::Unsupported);
        for name in names {
            files.remove(&name).unwrap();
        }
        assert_eq!(files.list("").count(), 0);
        assert_eq!(files.open_file("a").unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(files.create("..").unwrap_err().kind(), ErrorKind::Invalid);
        assert!(files.list("\n").next().unwrap().is_err() || files.list("\n").next().is_none());
    }
}

#[test]
fn writers_that_are_dropped_or_aborted_leave_nothing() {
    let files = FileSystem::open("source=memory_store,bucket=b").unwrap();
    let mut dropped = files.create("a").unwrap();
    dropped.write(bytes(9 << 20)).unwrap();
    drop(dropped);
    let mut aborted = files.create("a").unwrap();
    aborted.write("x").unwrap();
    aborted.abort().unwrap();
    files.close().unwrap();
    assert_eq!(files.list("").count(), 0);
}

#[test]
fn handles_outlive_the_file_system_and_are_shared_by_threads() {
    let file = {
        let files = FileSystem::open("source=memory_store,bucket=b,cache=(write_through=false)").unwrap();
        files.put("a", bytes(1_000_000)).unwrap();
        files.open_file("a").unwrap()
    };
    thread::scope(|scope| {
        for reader in 0..8_u64 {
            let file = &file;
            scope.spawn(move || {
                let mut page = [0; 1000];
                file.read_at(reader * 100_000, &mut page).unwrap();
                assert_eq!(page[..], bytes(1_000_000)[reader as usize * 100_000..][..1000]);
            });
        }
    });
}

#[tokio::test]
async fn it_may_be_dropped_and_refuses_to_wait_on_a_single_threaded_runtime() {
    let files = thread::spawn(|| FileSystem::open("source=memory_store,bucket=b").unwrap()).join().unwrap();
    let error = files.exists("a").unwrap_err();
    assert!(error.kind() == ErrorKind::Unsupported && error.to_string().contains("head a"), "{error}");
    let error = FileSystem::open("source=memory_store,bucket=b").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    drop(files);
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_multi_threaded_one_it_works() {
    let files = FileSystem::open("source=memory_store,bucket=b").unwrap();
    files.put("a", "a").unwrap();
    assert!(files.exists("a").unwrap());
}

//! Every exit code, by something that causes it.

use std::fs;
use std::os::unix::fs::FileExt;

use crate::run::{Place, bytes, tree};
use crate::server::{Answer, Server, s3_error};

#[test]
fn wrong_usage_is_2() {
    let place = Place::new();
    for arguments in [
        &[][..],
        &["ls", "a", "b"][..],
        &["put"][..],
        &["get", "a"][..],
        &["get", "--prefix", "p", "a", "b"][..],
        &["put", "a", "b", "--as", "c"][..],
        &["put", "bucket", "--as", "c"][..],
        &["put", "/dev/null"][..],
        &["put", "x", "--jobs", "0"][..],
        &["bench"][..],
    ] {
        let done = place.run(arguments);
        assert_eq!(done.code, 2, "{arguments:?}: {done:?}");
        assert!(!done.stderr.is_empty() || !done.stdout.is_empty(), "{arguments:?}");
    }
    let nowhere = Place::with_store(None);
    let done = nowhere.run(&["ls"]);
    assert!(done.code == 2 && done.stderr.contains("PLASTRON_STORE"), "{done:?}");
}

#[test]
fn a_wrong_store_is_2_and_says_where() {
    for (store, word) in [
        ("source=dir_store,bucket=/tmp,chache=(size=1GB)", "cache"),
        ("source=dir_store,bucket=/tmp,part_size=lots", "part_size"),
        ("source=dir_store,bucket=\"/tmp", ""),
        ("source=ftp_store,bucket=/tmp", "dir_store"),
        ("source=dir_store", "bucket"),
        ("ftp://host/dir", "ftp"),
        ("file:///no/such/directory/at/all", "no such bucket"),
        ("/tmp", "file://"),
        ("", ""),
    ] {
        let done = Place::with_store(Some(store)).run(&["ls"]);
        assert_eq!(done.code, 2, "{store}: {done:?}");
        assert!(done.stderr.starts_with("plastron: ") && done.stderr.lines().count() == 1, "{store}: {done:?}");
        assert!(done.stderr.contains(word), "{store}: {done:?}");
    }
}

#[test]
fn wrong_names_are_2() {
    let place = Place::new();
    place.write("a", "a");
    for name in ["/a", "a//b", "a/../b", "..", "a/", "_plastron/x", &"x".repeat(1025)] {
        for arguments in [&["stat", name][..], &["cat", name][..], &["rm", name][..], &["put", "a", "--as", name][..]] {
            let done = place.run(arguments);
            assert_eq!(done.code, 2, "{arguments:?}: {done:?}");
        }
    }
    assert!(place.names().is_empty());
}

#[test]
fn what_is_missing_is_3() {
    let place = Place::new();
    for arguments in [
        &["stat", "missing"][..],
        &["cat", "missing"][..],
        &["rm", "missing"][..],
        &["get", "missing", "x"][..],
        &["get", "--prefix", "missing", "x"][..],
        &["put", "no-such-file"][..],
        &["demo", "--input", "no-such-directory"][..],
    ] {
        let done = place.run(arguments);
        assert_eq!(done.code, 3, "{arguments:?}: {done:?}");
    }
    assert!(!place.path("x").exists());
}

#[test]
fn what_exists_is_4() {
    let place = Place::new();
    place.write("a", "a");
    place.ok(&["put", "a"]);
    assert_eq!(place.run(&["put", "a"]).code, 4);
    assert_eq!(place.feed(&["put", "-", "--as", "a"], b"other").code, 4);
    assert_eq!(place.run(&["get", "a", "a"]).code, 4);
    assert_eq!(place.ok(&["cat", "a"]).stdout, b"a");
}

#[test]
fn wrong_credentials_are_5() {
    for code in ["InvalidAccessKeyId", "SignatureDoesNotMatch", "AccessDenied"] {
        let server = Server::start(move |_, _| s3_error("403 Forbidden", code));
        let done = Place::with_store(Some(&server.store())).run(&["ls", "--json"]);
        assert_eq!(done.code, 5, "{code}: {done:?}");
        assert_eq!(done.complaints().pop().unwrap()["error"]["kind"], "unauthorized", "{done:?}");
        let probe = Place::with_store(Some(&server.store())).run(&["probe"]);
        assert_eq!(probe.code, 5, "{code}: {probe:?}");
        assert!(probe.text().contains("failed"), "{probe:?}");
    }
}

#[test]
fn a_bucket_that_does_not_exist_is_2_not_3() {
    let server = Server::start(|_, _| s3_error("404 Not Found", "NoSuchBucket"));
    let done = Place::with_store(Some(&server.store())).run(&["stat", "a"]);
    assert!(done.code == 2 && done.stderr.contains("no such bucket"), "{done:?}");
}

#[test]
fn what_cannot_be_reached_is_6() {
    let server = Server::start(|_, _| s3_error("503 Slow Down", "SlowDown"));
    assert_eq!(Place::with_store(Some(&server.store())).run(&["ls"]).code, 6);
    // Taken, so that nobody else gets it, and not listened on.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let closed = socket.local_addr().unwrap();
    let nobody = Server { address: format!("http://{closed}") };
    let done = Place::with_store(Some(&nobody.store())).run(&["ls", "--json"]);
    assert_eq!(done.code, 6, "{done:?}");
    assert_eq!(done.complaints().pop().unwrap()["error"]["kind"], "unavailable");
}

#[test]
fn a_flipped_bit_is_7() {
    let place = Place::new();
    place.write("data/good", bytes(400_000));
    place.write("data/bad", bytes(400_000));
    place.ok(&["put", "data"]);
    let object = place.path("bucket/bad");
    let file = fs::OpenOptions::new().write(true).open(&object).unwrap();
    file.write_all_at(&[bytes(400_000)[300_000] ^ 1], 300_000).unwrap();
    let done = place.run(&["cat", "bad"]);
    assert!(done.code == 7 && done.stderr.contains("bad"), "{done:?}");
    assert_eq!(place.run(&["get", "bad", "x"]).code, 7);
    assert!(!place.path("x").exists(), "no part of it under its name");
    assert_eq!(place.run(&["get", "--prefix", "", "out"]).code, 7);
    assert_eq!(tree(&place.path("out")), [("good".to_owned(), bytes(400_000))], "the others are fetched");
}

#[test]
fn what_changed_meanwhile_is_8() {
    let server = Server::start(|method, path| match method {
        "GET" if path.contains("list-type") => crate::server::s3_list(&[]),
        "HEAD" => Answer {
            status: "200 OK",
            headers: "ETag: \"e1\"\r\nContent-Length: 4\r\nLast-Modified: Wed, 01 Jan 2025 00:00:00 GMT\r\n".to_owned(),
            body: String::new(),
        },
        _ => s3_error("412 Precondition Failed", "PreconditionFailed"),
    });
    let done = Place::with_store(Some(&server.store())).run(&["cat", "a", "--json"]);
    assert_eq!(done.code, 8, "{done:?}");
    assert_eq!(done.complaints().pop().unwrap()["error"]["kind"], "conflict");
}

#[test]
fn what_is_not_offered_is_9() {
    let place = Place::new();
    place.write("a", "a");
    place.ok(&["put", "a"]);
    let store = format!("{}?readonly=true", place.store());
    for arguments in [&["put", "a", "--as", "b"][..], &["rm", "a"][..]] {
        let done = place.run(&[&["--store", store.as_str()], arguments].concat());
        assert_eq!(done.code, 9, "{arguments:?}: {done:?}");
    }
    assert_eq!(place.names(), ["a"]);
    // A store without the promises Plastron stands on: it takes a create of what exists.
    let server = Server::start(|method, path| match method {
        "GET" if path.contains("list-type") => crate::server::s3_list(&[]),
        "DELETE" => Answer { status: "204 No Content", headers: String::new(), body: String::new() },
        _ => Answer { status: "200 OK", headers: "ETag: \"e1\"\r\n".to_owned(), body: String::new() },
    });
    let done = Place::with_store(Some(&server.store())).run(&["put", "/etc/hostname"]);
    assert!(done.code == 9 && done.stderr.contains("can't be used safely"), "{done:?}");
}

#[test]
fn anything_else_is_1() {
    let place = Place::new();
    place.write("a", "a");
    place.ok(&["put", "a"]);
    place.write("file", "no directory");
    let done = place.run(&["get", "a", "file/x", "--json"]);
    assert_eq!(done.code, 1, "{done:?}");
    assert_eq!(done.complaints()[0]["error"]["kind"], "other");
}

#[test]
fn reading_writes_nothing_at_all() {
    let place = Place::new();
    place.write("a", "a");
    place.ok(&["put", "a"]);
    let before = tree(&place.path("bucket"));
    for arguments in [&["ls"][..], &["stat", "a"][..], &["cat", "a"][..], &["get", "a", "b"][..]] {
        place.ok(arguments);
    }
    assert_eq!(tree(&place.path("bucket")), before);
}

//! Names from a bucket are not to be trusted.

use std::fs;

use crate::run::{Place, tree};
use crate::server::{Answer, Server, s3_list};

/// A bucket in which somebody gave objects names that lead elsewhere; each holds `evil`.
fn hostile(keys: &'static [&'static str]) -> Server {
    Server::start(move |method, path| {
        let headers = "ETag: \"e1\"\r\nLast-Modified: Wed, 01 Jan 2025 00:00:00 GMT\r\n".to_owned();
        match method {
            "GET" if path.contains("list-type") => s3_list(keys),
            "GET" => {
                let headers = headers + "Content-Range: bytes 0-3/4\r\n";
                Answer { status: "206 Partial Content", headers, body: "evil".to_owned() }
            }
            _ => Answer { status: "200 OK", headers: headers + "Content-Length: 4\r\n", body: String::new() },
        }
    })
}

#[test]
fn no_name_leads_outside() {
    for keys in [
        &["../escaped"][..],
        &["a/../../escaped"][..],
        &["/escaped"][..],
        &["//escaped"][..],
        &["a/./../../escaped"][..],
        &["..\\escaped"][..],
        &[".."][..],
    ] {
        let server = hostile(keys);
        let place = Place::with_store(Some(&server.store()));
        fs::create_dir(place.path("in")).unwrap();
        // A slash in front may be dropped on the way, which leaves a harmless name; everything else is refused.
        let done = place.run(&["get", "--prefix", "", "in/side"]);
        assert!(done.code != 0 || keys == ["/escaped"], "{keys:?}: {done:?}");
        let found = tree(&place.path("."));
        assert!(found.iter().all(|(name, _)| name == "in/side/escaped"), "{keys:?}: {found:?}");
        assert!(done.code == 0 || found.is_empty(), "{keys:?}: {found:?}");
        assert!(!fs::exists("/escaped").unwrap());
    }
}

#[test]
fn a_name_that_is_no_path_is_refused_and_the_rest_fetched() {
    let server = hostile(&["a\\..\\b", "good/x", "good/y"]);
    let place = Place::with_store(Some(&server.store()));
    let done = place.run(&["get", "--prefix", "", "out"]);
    assert_eq!(done.code, 2, "{done:?}");
    assert!(done.stderr.contains("1 of 3 files were not fetched"), "{done:?}");
    let evil = || b"evil".to_vec();
    assert_eq!(tree(&place.path("out")), [("good/x".to_owned(), evil()), ("good/y".to_owned(), evil())]);
}

#[test]
fn links_in_the_destination_are_not_followed() {
    let place = Place::new();
    place.write("a", "a");
    place.ok(&["put", "a", "--as", "way/out"]);
    place.ok(&["put", "a", "--as", "file"]);
    fs::create_dir(place.path("outside")).unwrap();
    fs::create_dir(place.path("inside")).unwrap();
    std::os::unix::fs::symlink(place.path("outside"), place.path("inside/way")).unwrap();
    let victim = place.write("victim", "precious");
    std::os::unix::fs::symlink(&victim, place.path("inside/file")).unwrap();
    let done = place.run(&["get", "--prefix", "", "inside", "--force"]);
    assert!(done.code == 2 && done.stderr.contains("symbolic link"), "{done:?}");
    assert!(tree(&place.path("outside")).is_empty());
    assert_eq!(place.read("victim"), b"precious", "a link is replaced, not written through");
    assert_eq!(place.read("inside/file"), b"a");
}

#[test]
fn a_file_where_a_directory_is_needed_is_an_error_of_that_file_alone() {
    let place = Place::new();
    place.write("a", "a");
    place.ok(&["put", "a", "--as", "x/y"]);
    place.ok(&["put", "a", "--as", "z"]);
    place.write("out/x", "a file");
    let done = place.run(&["get", "--prefix", "", "out"]);
    assert_eq!(done.code, 2, "{done:?}");
    assert_eq!(place.read("out/x"), b"a file");
    assert_eq!(place.read("out/z"), b"a");
}

#[test]
fn a_name_cannot_drive_the_terminal() {
    let server = hostile(&["a\u{9b}31mred"]);
    let place = Place::with_store(Some(&server.store()));
    let listed = place.run(&["ls"]);
    assert!(!listed.text().contains('\u{9b}') && !listed.stderr.contains('\u{9b}'), "{listed:?}");
}

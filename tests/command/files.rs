//! Files in and out.

use std::fs;

use crate::run::{Place, bytes, tree};

#[test]
fn one_file_goes_in_and_comes_out() {
    let place = Place::new();
    let content = bytes(100_000);
    place.write("a.bin", &content);
    assert!(place.ok(&["put", "a.bin", "--as", "db/table 1.wt"]).text().contains("stored db/table 1.wt (97.7 KiB)"));
    place.ok(&["get", "db/table 1.wt", "b.bin"]);
    assert_eq!(place.read("b.bin"), content);
    assert_eq!(place.ok(&["cat", "db/table 1.wt"]).stdout, content);
    let listed = place.ok(&["ls", "db/"]);
    assert!(listed.text().contains("Z ") && listed.text().ends_with("100000 db/table 1.wt\n"), "{listed:?}");
    let known = place.ok(&["stat", "db/table 1.wt"]);
    assert!(known.text().contains(&format!("whole {:08x}", crc32c::crc32c(&content))), "{known:?}");
    place.ok(&["rm", "db/table 1.wt"]);
    assert!(place.ok(&["ls"]).stdout.is_empty());
}

#[test]
fn a_file_keeps_its_own_name_unless_told() {
    let place = Place::new();
    place.write("deep/down/a.bin", "a");
    place.write("b.bin", "b");
    place.ok(&["put", "deep/down/a.bin", "b.bin"]);
    place.ok(&["put", "deep/down/a.bin", "--prefix", "p-"]);
    place.ok(&["put", "deep/down/a.bin", "--as", "x/y", "--prefix", "p/"]);
    assert_eq!(place.names(), ["a.bin", "b.bin", "p-a.bin", "p/x/y"]);
}

#[test]
fn a_directory_comes_back_as_it_was() {
    let place = Place::new();
    for (name, content) in [
        ("data/empty", bytes(0)),
        ("data/one", bytes(1)),
        ("data/sub/é 名 %+#", bytes(300_000)),
        ("data/sub/deeper/x", bytes(5)),
        // Larger than one part, so that it goes up and comes down in several.
        ("data/large", bytes(20 << 20)),
    ] {
        place.write(name, content);
    }
    let stored = place.ok(&["put", "data", "--prefix", "backup/1/"]);
    assert!(stored.text().contains("5 stored, 20.3 MiB"), "{stored:?}");
    assert_eq!(
        place.names(),
        ["backup/1/empty", "backup/1/large", "backup/1/one", "backup/1/sub/deeper/x", "backup/1/sub/é 名 %+#"]
    );
    place.ok(&["get", "--prefix", "backup/1/", "restored"]);
    assert!(tree(&place.path("restored")) == tree(&place.path("data")), "the same files with the same bytes");
    // A prefix that ends within a name cuts whole directories only.
    place.ok(&["get", "--prefix", "backup/1/sub/d", "part"]);
    assert_eq!(tree(&place.path("part")), [("deeper/x".to_owned(), bytes(5))]);
}

#[test]
fn nothing_is_skipped_silently() {
    let place = Place::new();
    place.write("data/file", "f");
    fs::create_dir(place.path("data/hollow")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", place.path("data/link")).unwrap();
    std::os::unix::fs::symlink("file", place.path("named")).unwrap();
    let done = place.ok(&["put", "data"]);
    assert!(done.stderr.contains("left out: data/hollow (empty directory)"), "{done:?}");
    assert!(done.stderr.contains("left out: data/link (symbolic link)"), "{done:?}");
    assert!(done.text().contains("1 stored") && done.text().contains("2 left out"), "{done:?}");
    // A link that is named on the command line means what it points to.
    std::os::unix::fs::symlink("data/file", place.path("alias")).unwrap();
    place.ok(&["put", "alias"]);
    assert_eq!(place.names(), ["alias", "file"]);
}

#[test]
fn a_name_that_is_no_text_is_an_error_and_the_rest_is_stored() {
    use std::os::unix::ffi::OsStrExt;
    let place = Place::new();
    place.write("data/good", "g");
    fs::write(place.path("data").join(std::ffi::OsStr::from_bytes(b"bad\xff")), "b").unwrap();
    let done = place.run(&["put", "data"]);
    assert_eq!(done.code, 2, "{done:?}");
    assert!(done.stderr.contains("not UTF-8") && done.stderr.contains("1 of 2 files were not stored"), "{done:?}");
    assert_eq!(place.names(), ["good"]);
}

#[test]
fn an_interrupted_put_goes_on() {
    let place = Place::new();
    place.write("data/a", "aaa");
    place.write("data/b", "bbb");
    place.ok(&["put", "data/a"]);
    let refused = place.run(&["put", "data"]);
    assert_eq!(refused.code, 4, "{refused:?}");
    assert_eq!(place.names(), ["a", "b"], "the other one is stored all the same");
    place.write("data/c", "ccc");
    let resumed = place.ok(&["put", "data", "--skip-existing"]);
    assert!(resumed.text().contains("already there a (3 B)"), "{resumed:?}");
    assert!(resumed.text().contains("1 stored, 3 B") && resumed.text().contains("2 already there"), "{resumed:?}");
    // Other content of the same size is no resumption.
    place.write("data/a", "AAA");
    let differs = place.run(&["put", "data", "--skip-existing"]);
    assert_eq!(differs.code, 4, "{differs:?}");
    assert!(differs.stderr.contains("other content"), "{differs:?}");
    assert_eq!(place.ok(&["cat", "a"]).stdout, b"aaa");
}

#[test]
fn a_streamed_object_is_recognised_too() {
    let place = Place::new();
    // Larger than one part: its checksum is not known when its upload begins.
    let content = bytes(9 << 20);
    place.write("big", &content);
    let done = place.feed(&["put", "-", "--as", "big"], &content);
    assert_eq!(done.code, 0, "{done:?}");
    assert!(place.ok(&["put", "big", "--skip-existing"]).text().contains("already there"));
    assert_eq!(place.ok(&["cat", "big"]).stdout, content);
    place.write("big", &content[1..]);
    assert_eq!(place.run(&["put", "big", "--skip-existing"]).code, 4);
}

#[test]
fn standard_input_needs_a_name_of_its_own() {
    let place = Place::new();
    assert_eq!(place.feed(&["put", "-"], b"x").code, 2);
    assert_eq!(place.feed(&["put", "-", "-", "--as", "n"], b"x").code, 2);
    assert_eq!(place.feed(&["put", "-", "--as", "empty"], b"").code, 0);
    assert_eq!(place.ok(&["cat", "empty"]).stdout, b"");
}

#[test]
fn two_files_of_one_name_are_refused_before_anything_is_stored() {
    let place = Place::new();
    place.write("one/a", "1");
    place.write("two/a", "2");
    let done = place.run(&["put", "one", "two"]);
    assert_eq!(done.code, 2, "{done:?}");
    assert!(done.stderr.contains("two/a"), "{done:?}");
    assert!(place.names().is_empty());
}

#[test]
fn local_files_are_overwritten_only_when_told() {
    let place = Place::new();
    place.write("a", "new");
    place.ok(&["put", "a"]);
    place.write("there", "old");
    assert_eq!(place.run(&["get", "a", "there"]).code, 4);
    assert_eq!(place.read("there"), b"old");
    place.ok(&["get", "a", "there", "--force"]);
    assert_eq!(place.read("there"), b"new");
    assert_eq!(place.run(&["get", "--prefix", "", "."]).code, 4, "the file itself is there");
    place.ok(&["get", "--prefix", "", ".", "--skip-existing"]);
    place.write("a", "own");
    assert_eq!(place.run(&["get", "--prefix", "", ".", "--skip-existing"]).code, 4, "but not with other content");
    assert_eq!(place.read("a"), b"own");
    let leftovers: Vec<_> = tree(&place.path(".")).into_iter().filter(|(name, _)| name.ends_with(".part")).collect();
    assert!(leftovers.is_empty(), "{leftovers:?}");
}

#[test]
fn a_directory_as_destination_takes_the_last_part_of_the_name() {
    let place = Place::new();
    place.write("a", "a");
    place.ok(&["put", "a", "--as", "x/y/z"]);
    fs::create_dir(place.path("into")).unwrap();
    place.ok(&["get", "x/y/z", "into"]);
    assert_eq!(place.read("into/z"), b"a");
    assert_eq!(place.run(&["get", "x/y/z", "nowhere/"]).code, 3, "it must exist");
}

#[test]
fn a_cache_in_the_store_string_serves_the_second_read() {
    let place = Place::new();
    let content = bytes(600_000);
    place.write("a", &content);
    place.ok(&["put", "a"]);
    let store = format!("{}?cache.directory={}", place.store(), place.path("cache").display());
    assert_eq!(place.ok(&["--store", &store, "cat", "a"]).stdout, content);
    let again = place.ok(&["--store", &store, "--stats", "--json", "cat", "a"]);
    assert_eq!(again.stdout, content);
    let stats = again.complaints().pop().unwrap();
    assert!(stats["stats"]["hit_ratio"].as_f64().unwrap() > 0.99, "{stats}");
    assert_eq!(stats["stats"]["bytes_down"], 0, "{stats}");
}

#[test]
fn many_names_are_listed_in_the_order_of_their_bytes() {
    let place = Place::new();
    let mut names: Vec<String> = (0..300).map(|i| format!("f{}", i * 7 % 300)).collect();
    for name in &names {
        place.write(&format!("data/{name}"), name);
    }
    place.ok(&["put", "data"]);
    names.sort();
    assert_eq!(place.names(), names);
    let some = place.ok(&["ls", "f1"]);
    assert_eq!(some.text().lines().count(), names.iter().filter(|name| name.starts_with("f1")).count());
}

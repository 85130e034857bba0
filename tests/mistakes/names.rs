//! Names and prefixes that cannot be, and names that are taken or missing.

use futures::TryStreamExt as _;
use plastron::ErrorKind::{AlreadyExists, Invalid, NotFound, Unsupported};
use plastron::{Error, FileSystem};

use crate::{Row, Table};

/// What each operation says about a name that cannot be; the first words are the operation's.
const NAMES: &[Row<'_>] = &[
    ("", Invalid, "put memory://: invalid object name: it is empty"),
    (".", Invalid, "put .: invalid object name: it has the segment .; names are not paths and are not resolved"),
    ("..", Invalid, "put ..: invalid object name: it has the segment ..; names are not paths and are not resolved"),
    (
        "a/../b",
        Invalid,
        "put a/../b: invalid object name: it has the segment ..; names are not paths and are not resolved",
    ),
    (
        "a/./b",
        Invalid,
        "put a/./b: invalid object name: it has the segment .; names are not paths and are not resolved",
    ),
    (
        "/etc/passwd",
        Invalid,
        "put /etc/passwd: invalid object name: it starts with /; names are relative to the bucket",
    ),
    ("a/", Invalid, "put a/: invalid object name: it ends with /; only listing prefixes do"),
    ("a//b", Invalid, "put a//b: invalid object name: it has an empty segment (a leading / or //)"),
    ("a\\b", Invalid, "put a\\b: invalid object name: it has a backslash, which some stores take for a slash"),
    ("a\nb", Invalid, "put a\\nb: invalid object name: it has the control character U+000A at byte 1"),
    ("a\0b", Invalid, "put a\\u{0}b: invalid object name: it has the control character U+0000 at byte 1"),
    ("a\u{85}b", Invalid, "put a\\u{85}b: invalid object name: it has the control character U+0085 at byte 1"),
    (
        "a\u{ffff}b",
        Invalid,
        "put a\u{ffff}b: invalid object name: it has the character U+FFFF at byte 1, which XML cannot carry",
    ),
    (
        "_plastron",
        Invalid,
        "put _plastron: invalid object name: names under _plastron/ are Plastron's own; choose another",
    ),
    (
        "_plastron/sums/1",
        Invalid,
        "put _plastron/sums/1: invalid object name: names under _plastron/ are Plastron's own; choose another",
    ),
];

#[tokio::test]
async fn names_that_cannot_be() {
    let files = FileSystem::open("source=memory_store").await.unwrap();
    let mut table = Table::default();
    for row in NAMES {
        let name = row.0;
        table.row(*row, files.put(name, "x").await, "");
        // Every other operation says the same of its own.
        let same = |operation: &str| row.2.replacen("put", operation, 1);
        table.row((name, row.1, &same("put")), files.create(name).await, "");
        table.row((name, row.1, &same("put")), files.put_file(name, "/etc/hostname").await, "");
        table.row((name, row.1, &same("head")), files.open_file(name).await, "");
        table.row((name, row.1, &same("head")), files.exists(name).await, "");
        table.row((name, row.1, &same("head")), files.size(name).await, "");
        table.row((name, row.1, &same("get")), files.get(name).await, "");
        table.row((name, row.1, &same("delete")), files.remove(name).await, "");
    }
    table.finish(8 * NAMES.len());
}

#[tokio::test]
async fn names_that_are_too_long() {
    let files = FileSystem::open("source=memory_store,bucket_prefix=db1/").await.unwrap();
    let mut table = Table::default();
    table.row(
        ("long", Invalid, "put {}: invalid object name: it has 1025 bytes, and a name has 1024 at the most"),
        files.put(&"x".repeat(1025), "x").await,
        &"x".repeat(1025),
    );
    table.row(
        (
            "long with prefix",
            Invalid,
            "put {}: invalid object name: with the bucket's prefix it has 1025 bytes, and a key has 1024 at the most",
        ),
        files.put(&"x".repeat(1021), "x").await,
        &"x".repeat(1021),
    );
    table.finish(2);
}

/// What a listing says about a prefix that no name can begin with.
const PREFIXES: &[Row<'_>] = &[
    (
        "/",
        Invalid,
        "list /: invalid object name: no name begins like this: it has an empty segment (a leading / or //)",
    ),
    (
        "a//",
        Invalid,
        "list a//: invalid object name: no name begins like this: it has an empty segment (a leading / or //)",
    ),
    (
        "../",
        Invalid,
        "list ../: invalid object name: no name begins like this: it has the segment ..; names are not paths and are not resolved",
    ),
    (
        "a\nb",
        Invalid,
        "list a\\nb: invalid object name: no name begins like this: it has the control character U+000A at byte 1",
    ),
    (
        "a\\",
        Invalid,
        "list a\\: invalid object name: no name begins like this: it has a backslash, which some stores take for a slash",
    ),
];

#[tokio::test]
async fn prefixes_that_no_name_begins_with() {
    let files = FileSystem::open("source=memory_store").await.unwrap();
    let mut table = Table::default();
    for row in PREFIXES {
        table.row(*row, files.list(row.0).try_collect::<Vec<_>>().await, "");
    }
    table.finish(PREFIXES.len());
}

#[tokio::test]
async fn names_that_are_taken_missing_or_not_to_be_changed() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().display().to_string();
    let files = FileSystem::open(&format!("file://{place}/bucket")).await.unwrap();
    files.put("taken", "first").await.unwrap();
    files.put("way/to", "first").await.unwrap();
    let file = files.open_file("taken").await.unwrap();
    let mut writer = files.create("taken").await.unwrap();
    writer.write("second").await.unwrap();

    let mut table = Table::default();
    let mut row = |what, kind, message, result: Result<(), Error>| table.row((what, kind, message), result, &place);
    row(
        "put",
        AlreadyExists,
        "put taken: an object of that name exists already, and objects are never overwritten",
        files.put("taken", "second").await.map(drop),
    );
    row(
        "put_file",
        AlreadyExists,
        "put taken: an object of that name exists already, and objects are never overwritten",
        files.put_file("taken", "/etc/hostname").await.map(drop),
    );
    row(
        "close",
        AlreadyExists,
        "put taken: an object of that name exists already, and objects are never overwritten",
        writer.close().await.map(drop),
    );
    row(
        "below an object",
        Invalid,
        "put taken/below: invalid object name: a directory bucket cannot hold an object beside others whose names go on after it with a slash (`a` beside `a/b`), and `taken/below` would make such a pair; rename one of the two",
        files.put("taken/below", "x").await.map(drop),
    );
    row(
        "above an object",
        Invalid,
        "put way: invalid object name: a directory bucket cannot hold an object beside others whose names go on after it with a slash (`a` beside `a/b`), and `way` would make such a pair; rename one of the two",
        files.put("way", "x").await.map(drop),
    );
    row("open_file", NotFound, "head missing: no such object", files.open_file("missing").await.map(drop));
    row("get", NotFound, "get missing: no such object", files.get("missing").await.map(drop));
    row("size", NotFound, "head missing: no such object", files.size("missing").await.map(drop));
    row("remove", NotFound, "delete missing: no such object", files.remove("missing").await.map(drop));
    row(
        "no such file",
        NotFound,
        "put new: reading {}/missing: No such file or directory (os error 2)",
        files.put_file("new", directory.path().join("missing")).await.map(drop),
    );
    row(
        "a directory",
        Invalid,
        "put new: {} is not a regular file",
        files.put_file("new", directory.path()).await.map(drop),
    );
    row(
        "rename",
        Unsupported,
        "taken: rename of file not supported: objects are written once and never changed; create another name instead",
        files.rename("taken", "new"),
    );
    row(
        "write_at",
        Unsupported,
        "taken: write of file not supported: objects are written once and never changed; create another name instead",
        file.write_at(0, b"x"),
    );
    row(
        "truncate",
        Unsupported,
        "taken: truncate of file not supported: objects are written once and never changed; create another name instead",
        file.truncate(0),
    );
    row(
        "extend",
        Unsupported,
        "taken: extend of file not supported: objects are written once and never changed; create another name instead",
        file.extend(10),
    );

    let readonly = FileSystem::open(&format!("file://{place}/bucket?readonly=true")).await.unwrap();
    row(
        "readonly put",
        Unsupported,
        "put new: the bucket is opened with readonly=true; open it without to write",
        readonly.put("new", "x").await.map(drop),
    );
    row(
        "readonly create",
        Unsupported,
        "put new: the bucket is opened with readonly=true; open it without to write",
        readonly.create("new").await.map(drop),
    );
    row(
        "readonly remove",
        Unsupported,
        "delete taken: the bucket is opened with readonly=true; open it without to write",
        readonly.remove("taken").await.map(drop),
    );

    let strict = FileSystem::open(&format!("file://{place}/bucket?checksums=required")).await.unwrap();
    std::fs::write(directory.path().join("bucket/foreign"), "x").unwrap();
    row(
        "no checksums",
        Unsupported,
        "head foreign: the object carries no checksums, so something other than Plastron wrote it, and the bucket is opened with checksums=required; checksums=available reads it unverified",
        strict.open_file("foreign").await.map(drop),
    );
    std::fs::remove_dir_all(directory.path().join("bucket")).unwrap();
    row(
        "put into what is gone",
        Invalid,
        "put new in file://{}/bucket: no such bucket; check its name, region and endpoint, or create it first (Plastron creates none, but a directory in one that exists)",
        files.put("new", "x").await.map(drop),
    );
    row(
        "open in what is gone",
        Invalid,
        "head taken in file://{}/bucket: no such bucket; check its name, region and endpoint, or create it first (Plastron creates none, but a directory in one that exists)",
        files.open_file("taken").await.map(drop),
    );
    row(
        "list what is gone",
        Invalid,
        "list file://{}/bucket: no such bucket; check its name, region and endpoint, or create it first (Plastron creates none, but a directory in one that exists)",
        files.list("").try_collect::<Vec<_>>().await.map(drop),
    );
    table.finish(22);
}

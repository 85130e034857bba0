//! The shapes that scripts rely on.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::run::Place;

fn keys(value: &Value) -> BTreeSet<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

fn is_rfc_3339(value: &Value) -> bool {
    let text = value.as_str().unwrap();
    text.len() >= 20 && text.ends_with('Z') && text.as_bytes()[10] == b'T' && text[..4].parse::<u32>().is_ok()
}

#[test]
fn listings_have_one_object_a_line() {
    let place = Place::new();
    place.write("data/a", "aa");
    place.write("data/new\nline", "b");
    place.ok(&["put", "data/a", "--as", "x \"quoted\" é"]);
    place.ok(&["put", "data/a"]);
    let records = place.ok(&["ls", "--json"]).records();
    assert_eq!(records.len(), 2);
    for record in &records {
        assert_eq!(keys(record), BTreeSet::from(["name", "size", "etag", "created"]));
        assert_eq!(record["size"], 2);
        assert!(record["etag"].is_string() && is_rfc_3339(&record["created"]), "{record}");
    }
    assert_eq!(records[1]["name"], "x \"quoted\" é");
    assert!(place.ok(&["--json", "ls", "nothing"]).stdout.is_empty());
}

#[test]
fn puts_and_gets_report_each_file_and_a_summary() {
    let place = Place::new();
    place.write("data/a", "aa");
    place.write("data/b", "bbb");
    std::os::unix::fs::symlink("a", place.path("data/link")).unwrap();
    let done = place.ok(&["--json", "put", "data", "--prefix", "p/"]);
    let mut records = done.records();
    let summary = records.pop().unwrap();
    assert_eq!(keys(&summary), BTreeSet::from(["summary"]));
    let summary = &summary["summary"];
    assert_eq!(keys(summary), BTreeSet::from(["stored", "bytes", "already_there", "left_out", "failed", "seconds"]));
    assert_eq!((&summary["stored"], &summary["bytes"], &summary["left_out"]), (&2.into(), &5.into(), &1.into()));
    for record in &records {
        assert_eq!(keys(record), BTreeSet::from(["name", "size", "etag", "created", "status", "path"]));
        assert_eq!(record["status"], "stored");
    }
    assert_eq!(done.complaints().len(), 1);
    assert!(done.complaints()[0]["note"].as_str().unwrap().contains("symbolic link"));

    let mut again = place.ok(&["--json", "put", "data", "--prefix", "p/", "--skip-existing"]).records();
    assert_eq!(again.pop().unwrap()["summary"]["already_there"], 2);
    assert!(again.iter().all(|record| record["status"] == "already_there"));

    let mut fetched = place.ok(&["--json", "get", "--prefix", "p/", "out"]).records();
    let summary = fetched.pop().unwrap();
    assert_eq!(keys(&summary["summary"]), BTreeSet::from(["fetched", "bytes", "already_there", "failed", "seconds"]));
    let mut paths: Vec<_> = fetched.iter().map(|record| record["path"].as_str().unwrap().to_owned()).collect();
    paths.sort();
    assert_eq!(paths, ["out/a", "out/b"]);
    let one = place.ok(&["--json", "get", "p/a", "one"]).records();
    assert_eq!((one.len(), &one[0]["status"]), (1, &"fetched".into()));
}

#[test]
fn single_objects_are_one_line() {
    let place = Place::new();
    place.write("a", "hello");
    place.ok(&["put", "a"]);
    let stat = place.ok(&["stat", "a", "--json"]).records();
    assert_eq!(stat.len(), 1);
    assert_eq!(keys(&stat[0]), BTreeSet::from(["name", "size", "etag", "created", "checksums"]));
    assert_eq!(stat[0]["checksums"]["crc32c"], format!("{:08x}", crc32c::crc32c(b"hello")));
    assert_eq!(stat[0]["checksums"]["block_size"], 262_144);
    let listed = place.ok(&["ls", "--json"]).records();
    assert_eq!((&stat[0]["etag"], &stat[0]["created"]), (&listed[0]["etag"], &listed[0]["created"]));
    let removed = place.ok(&["rm", "a", "--json"]).records();
    assert_eq!(removed[0], serde_json::json!({ "name": "a", "status": "removed" }));
}

#[test]
fn errors_are_one_line_of_json() {
    let place = Place::new();
    for (arguments, kind, code) in [
        (&["--json", "stat", "missing"][..], "not_found", 3),
        (&["--json", "stat", "../x"][..], "invalid", 2),
        (&["--json", "no-such-command"][..], "invalid", 2),
        (&["ls", "--json", "--no-such-option"][..], "invalid", 2),
        (&["get", "--json"][..], "invalid", 2),
    ] {
        let done = place.run(arguments);
        assert_eq!(done.code, code, "{arguments:?}: {done:?}");
        assert!(done.stdout.is_empty(), "{done:?}");
        let complaints = done.complaints();
        assert_eq!(complaints.len(), 1, "{done:?}");
        let error = &complaints[0]["error"];
        assert_eq!(keys(error), BTreeSet::from(["kind", "exit_code", "message"]));
        assert_eq!((&error["kind"], &error["exit_code"]), (&kind.into(), &code.into()), "{done:?}");
    }
}

#[test]
fn statistics_come_last_on_standard_error() {
    let place = Place::new();
    place.write("a", "hello");
    let done = place.ok(&["put", "a", "--stats", "--json"]);
    assert_eq!(done.records()[0]["status"], "stored");
    let stats = &done.complaints()[0]["stats"];
    for key in [
        "provider",
        "requests",
        "requests_total",
        "bytes_up",
        "bytes_down",
        "retries",
        "throttles",
        "hedges",
        "events",
        "cost_usd",
        "egress_usd",
        "prices",
        "hit_ratio",
    ] {
        assert!(stats.get(key).is_some(), "{key} in {stats}");
    }
    assert_eq!(stats["provider"], "dir_store");
    assert!(stats["bytes_up"].as_u64().unwrap() >= 5 && stats["cost_usd"] == 0.0, "{stats}");
    let kinds: Vec<_> = stats["requests"].as_array().unwrap().iter().map(|request| &request["kind"]).collect();
    assert!(kinds.contains(&&"put".into()), "{stats}");
    let text = place.ok(&["cat", "a", "--stats"]);
    assert_eq!(text.stdout, b"hello", "standard output has the bytes and nothing else");
    assert!(text.stderr.contains(" requests, ") && text.stderr.contains("cost: "), "{text:?}");
    // Also when the command fails.
    let failed = place.run(&["cat", "missing", "--stats"]);
    assert!(failed.code == 3 && failed.stderr.contains("cost: "), "{failed:?}");
}

#[test]
fn probes_say_what_holds() {
    let place = Place::new();
    let text = place.ok(&["probe"]);
    assert!(text.text().contains("conditional create") && text.text().contains("ok"), "{text:?}");
    let record = &place.ok(&["probe", "--json"]).records()[0];
    assert_eq!(keys(record), BTreeSet::from(["store", "provider", "holds", "checks"]));
    assert_eq!(record["holds"], true);
    for check in record["checks"].as_array().unwrap() {
        assert_eq!(keys(check), BTreeSet::from(["check", "outcome", "why"]));
        assert_eq!(check["outcome"], "ok", "{check}");
    }
    assert!(place.names().is_empty(), "nothing is left behind");
    // In memory, too.
    let memory = Place::with_store(Some("source=memory_store,bucket=b"));
    assert_eq!(memory.ok(&["probe", "--json"]).records()[0]["holds"], true);
}

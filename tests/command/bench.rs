//! `bench fs --quick`: that every comparison runs and reports what it should. What it measures is nobody's business here.

use serde_json::Value;

use crate::run::{Done, Place};

/// The single object on standard output, with its rows looked at one by one.
fn checked(done: &Done) -> Value {
    let [record] = <[Value; 1]>::try_from(done.records()).expect("one object");
    assert_eq!(record["quick"], true);
    assert!(record["sizes"]["large_bytes"].is_u64(), "{record}");
    let rows = record["rows"].as_array().unwrap();
    for row in rows {
        assert!(row["what"].is_string() && row["on"].is_string() && row["unit"].is_string(), "{row}");
        assert!(row["measured"].as_f64().unwrap() > 0.0, "{row}");
        assert_eq!(row["goal"].is_null(), row["met"].is_null(), "{row}");
        assert!(row["met"].is_null() || row["met"].is_boolean(), "{row}");
        let Some(peer) = row["peer"].as_object() else {
            assert!(row["ratio"].is_null() && row["goal"]["ratio_at_least"].is_null(), "{row}");
            continue;
        };
        assert!(peer["name"].is_string() && peer["measured"].as_f64().unwrap() > 0.0, "{row}");
        let ratios: Vec<f64> = peer["ratios"].as_array().unwrap().iter().map(|ratio| ratio.as_f64().unwrap()).collect();
        assert!(ratios.len() >= 3 && ratios.iter().all(|ratio| *ratio > 0.0), "{row}");
        let mut sorted = ratios.clone();
        sorted.sort_by(f64::total_cmp);
        assert_eq!(row["ratio"].as_f64().unwrap(), sorted[sorted.len() / 2], "{row}");
    }
    record.clone()
}

/// What the rows on `place` compare, in order.
fn rows_on<'a>(record: &'a Value, place: &str) -> Vec<&'a Value> {
    record["rows"].as_array().unwrap().iter().filter(|row| row["on"] == place).collect()
}

#[test]
fn all_rows_are_there_and_nothing_is_left() {
    let place = Place::new();
    let scratch = place.path("scratch");
    std::fs::create_dir(&scratch).unwrap();
    let done = place.ok(&["bench", "fs", "--quick", "--json", "--scratch", scratch.to_str().unwrap()]);
    let record = checked(&done);
    assert_eq!(rows_on(&record, "dir").len(), 5, "{record}");
    assert_eq!(rows_on(&record, "cache").len(), 5, "{record}");
    let in_memory = rows_on(&record, "memory");
    assert_eq!(in_memory.len(), 7, "{record}");
    let crowd = in_memory.iter().find(|row| row["unit"] == "requests").unwrap();
    assert_eq!((crowd["measured"].as_f64(), &crowd["met"]), (Some(1.0), &Value::Bool(true)), "{crowd}");
    if cfg!(target_os = "linux") {
        for resident in ["memory only", "with disk"] {
            assert_eq!(rows_on(&record, resident)[0]["goal"]["below"], 200.0);
        }
    }
    assert_eq!(place.names(), Vec::<String>::new());
    assert_eq!(std::fs::read_dir(&scratch).unwrap().count(), 0);
}

#[test]
fn parts_can_be_chosen_and_people_get_a_table() {
    let place = Place::with_store(None);
    let done = place.ok(&["bench", "fs", "--quick", "--only", "memory,latency"]);
    let lines: Vec<&str> = done.text().lines().collect();
    assert!(lines[0].starts_with("what ") && lines[0].contains("ratio"), "{lines:?}");
    assert_eq!(lines.len(), 1 + 4 + 2, "{lines:?}");
    assert!(lines.last().unwrap().ends_with("= 1           met"), "{lines:?}");
}

#[test]
fn a_missed_goal_is_an_exit_code_only_if_asked_for() {
    let place = Place::with_store(None);
    let all = ["bench", "fs", "--quick", "--json", "--check", "--only", "latency"];
    let done = place.run(&all);
    let rows = done.records()[0]["rows"].as_array().unwrap().clone();
    let missed = rows.iter().filter(|row| row["met"] == false).count();
    // Behind a single millisecond read-ahead may be ten times as fast, or not.
    assert_eq!(done.code, if missed > 0 { 1 } else { 0 }, "{done:?}");
    assert_eq!(place.run(&all[..4]).code, 0);
}

/// The extension and the Python that has WiredTiger, if they are there: the tests of all crates together build and install them.
#[allow(clippy::print_stdout, reason = "what is not run is named")]
fn wiredtiger() -> Option<[String; 2]> {
    let library = std::env::current_exe().unwrap().parent().unwrap().join("libplastron_wiredtiger.so");
    if !library.exists() {
        println!("NOT RUN: the extension is not built; it is with --workspace");
        return None;
    }
    let setup = concat!(env!("CARGO_MANIFEST_DIR"), "/wiredtiger/tests/setup");
    let done = std::process::Command::new(setup).stderr(std::process::Stdio::inherit()).output().unwrap();
    assert!(done.status.success(), "WiredTiger could not be built, see above");
    Some([library.display().to_string(), String::from_utf8(done.stdout).unwrap().trim().to_owned()])
}

#[test]
fn wiredtiger_is_measured_and_nothing_is_left() {
    let Some([extension, python]) = wiredtiger() else { return };
    let place = Place::new();
    let scratch = place.path("scratch");
    std::fs::create_dir(&scratch).unwrap();
    let scratch_option = scratch.to_str().unwrap();
    let done = place.ok(&[
        "bench",
        "wiredtiger",
        "--quick",
        "--json",
        "--scratch",
        scratch_option,
        "--extension",
        &extension,
        "--python",
        &python,
    ]);
    let record = &done.records()[0];
    let rows = record["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 3, "{record}");
    for row in rows {
        assert!(row["measured"].as_f64().unwrap() > 0.0 && row["peer"]["measured"].as_f64().unwrap() > 0.0, "{row}");
        assert_eq!(row["met"].is_boolean(), row["goal"].is_object(), "{row}");
    }
    assert_eq!(place.names(), Vec::<String>::new());
    assert_eq!(std::fs::read_dir(&scratch).unwrap().count(), 0);
}

#[test]
fn without_wiredtiger_it_says_what_is_missing() {
    let done = Place::new().run(&["bench", "wiredtiger", "--python", "/no/such/python"]);
    assert_ne!(done.code, 0);
    assert!(done.stderr.contains("/no/such/python") && done.stderr.contains("--python"), "{done:?}");
}

#[test]
fn the_page_log_is_measured_and_nothing_is_left() {
    let place = Place::new();
    let scratch = place.path("scratch");
    std::fs::create_dir(&scratch).unwrap();
    let done = place.ok(&["bench", "page-log", "--quick", "--json", "--scratch", scratch.to_str().unwrap()]);
    let record = &done.records()[0];
    let rows = record["rows"].as_array().unwrap();
    // Five of the store, which is a directory, and six of the large log.
    assert_eq!((rows.len(), rows_on(record, "store").len(), rows_on(record, "dir").len()), (11, 5, 6), "{record}");
    let of = |unit: &str| rows.iter().filter(|row| row["unit"] == unit).cloned().collect::<Vec<_>>();
    // What is counted and not timed must hold on any machine.
    for row in of("requests/get").iter().chain(&of("requests")) {
        assert!(row["met"] != Value::Bool(false), "{row}");
    }
    let bill = &record["bills"][0];
    for what in ["per_gb_written", "per_million_cold_reads"] {
        assert!(bill[what]["requests"].as_f64().unwrap() > 0.0 && bill[what]["usd"].as_f64().unwrap() > 0.0, "{bill}");
    }
    assert!(bill["source"].as_str().unwrap().starts_with("https://"), "{bill}");
    assert_eq!(place.names(), Vec::<String>::new());
    assert_eq!(std::fs::read_dir(&scratch).unwrap().count(), 0);
}

//! The demo.

use std::collections::BTreeSet;

use crate::run::{Place, bytes, tree};

fn input(place: &Place) {
    place.write("data/empty", "");
    place.write("data/a", bytes(300_000));
    place.write("data/sub/b", bytes(9 << 20));
    place.write("data/target/kept", "only a checkout's is left out");
    std::os::unix::fs::symlink("a", place.path("data/link")).unwrap();
}

#[test]
fn the_main_job_is_done_by_leaders_and_a_follower() {
    let place = Place::with_store(None);
    input(&place);
    let done = place.ok(&["--json", "demo", "--input", "data"]);
    let record = &done.records()[0];
    assert_eq!((&record["identical"], &record["wrong"]), (&true.into(), &serde_json::json!([])));
    assert_eq!((&record["files"], &record["bytes"]), (&4.into(), &((9 << 20) + 300_029).into()));
    let leaders: Vec<_> =
        record["checkpoints"].as_array().unwrap().iter().map(|one| one["leader"].as_str().unwrap()).collect();
    assert_eq!(leaders, ["first", "first", "second", "third", "third"]);
    assert_eq!(record["compared"].as_array().unwrap().len(), 5, "{record}");
    assert_eq!(record["first_leader"]["kind"], "fenced");
    assert!(record["collected"]["objects"].as_u64().unwrap() > 0, "{record}");
    assert_eq!(record["inspected"]["faults"], serde_json::json!([]));
    assert!(record["requests"].as_u64().unwrap() > 0 && record["s3_usd"].as_f64().unwrap() > 0.0, "{record}");
    let text = place.ok(&["demo", "--input", "data"]);
    for words in ["fenced", "all the same", "Garbage", "Inspected", "Every byte was the same in every checkpoint"] {
        assert!(text.text().contains(words), "{words}: {text:?}");
    }
}

#[cfg(feature = "keyserver")]
#[test]
fn the_main_job_with_a_keyserver_revokes_a_guest() {
    let place = Place::with_store(None);
    input(&place);
    let done = place.ok(&["--json", "demo", "--keys", "keyserver", "--input", "data"]);
    let record = &done.records()[0];
    assert_eq!((&record["identical"], &record["wrong"]), (&true.into(), &serde_json::json!([])), "{record}");
    let revocation = &record["revocation"];
    for told in ["refused", "refused_anew"] {
        let told = &revocation[told];
        assert_eq!(told["kind"], "unauthorized", "{revocation}");
        assert!(told["message"].as_str().unwrap().contains("is not wrapped to node guest"), "{revocation}");
    }
    assert!(revocation["read_before"]["pages"].as_u64().unwrap() > 0, "{revocation}");
    assert_eq!(revocation["read_before"], revocation["read_after"]);
    let audit = &revocation["audit"];
    assert_eq!((&audit["faults"], &audit["guest"]), (&0.into(), &serde_json::json!([1])), "{revocation}");
    assert!(audit["generations"].as_array().unwrap().len() >= 2, "{revocation}");
    assert_eq!(record["first_leader"]["kind"], "fenced");
    let text = place.ok(&["demo", "--keys", "keyserver", "--input", "data"]);
    for words in ["The guest read", "It still reads", "Audited offline", "Every byte was the same in every checkpoint"]
    {
        assert!(text.text().contains(words), "{words}: {text:?}");
    }
    let mine = Place::new();
    input(&mine);
    let mut command = mine.command(&["demo", "--keys", "keyserver", "--input", "data"]);
    command.env("PLASTRON_STORE", format!("file://{}?key_management.name=mock", mine.path("bucket").display()));
    let refused: crate::run::Done = command.output().unwrap().into();
    assert!(refused.code == 2 && refused.stderr.contains("leave it out"), "{refused:?}");
}

#[test]
fn the_main_job_leaves_a_store_as_it_was_and_needs_one_that_processes_share() {
    let place = Place::new();
    input(&place);
    place.write("mine", "mine");
    place.ok(&["put", "mine"]);
    let before = tree(&place.path("bucket"));
    place.ok(&["demo", "--input", "data"]);
    assert_eq!(tree(&place.path("bucket")), before);
    let memory = Place::with_store(Some("source=memory_store,bucket=b"));
    input(&memory);
    let refused = memory.run(&["demo", "--input", "data"]);
    assert!(refused.code == 2 && refused.stderr.contains("--files"), "{refused:?}");
}

#[test]
fn it_needs_no_store() {
    let place = Place::with_store(None);
    input(&place);
    let done = place.ok(&["demo", "--files", "--input", "data"]);
    for words in
        ["4 files, 9.3 MiB", "read cold", "read warm", "hit ratio", "symbolic link", "Every byte came back the same"]
    {
        assert!(done.text().contains(words), "{words}: {done:?}");
    }
    let done = place.ok(&["--json", "demo", "--files", "--input", "data"]);
    let record = &done.records()[0];
    assert_eq!(record["identical"], true);
    assert_eq!((&record["files"], &record["bytes"]), (&4.into(), &((9 << 20) + 300_029).into()));
    let phases = record["phases"].as_array().unwrap();
    let names: Vec<_> = phases.iter().map(|phase| phase["phase"].as_str().unwrap()).collect();
    assert_eq!(names, ["store", "read cold", "read warm"]);
    for phase in phases {
        let keys: BTreeSet<_> = phase.as_object().unwrap().keys().map(String::as_str).collect();
        let expected = ["phase", "files", "bytes", "seconds", "mib_per_second", "requests", "hit_ratio", "s3_usd"];
        assert_eq!(keys, BTreeSet::from(expected));
        assert!(phase["requests"].as_u64().unwrap() > 0);
    }
    assert!(phases[0]["s3_usd"].as_f64().unwrap() > 0.0);
    assert!(phases[2]["hit_ratio"].as_f64().unwrap() > 0.99, "{record}");
    assert!(phases[2]["requests"].as_u64() < phases[1]["requests"].as_u64(), "{record}");
}

#[test]
fn a_checkout_is_stored_without_history_and_build_products() {
    let place = Place::with_store(None);
    place.write("project/Cargo.toml", "[package]");
    place.write("project/src/lib.rs", "//! x");
    place.write("project/target/debug/big", bytes(1000));
    place.write("project/.git/HEAD", "ref");
    let mut command = place.command(&["--json", "demo", "--files"]);
    let done: crate::run::Done = command.current_dir(place.path("project/src")).output().unwrap().into();
    assert_eq!(done.code, 0, "{done:?}");
    let record = &done.records()[0];
    assert_eq!(record["files"], 2, "{record}");
    let left_out: Vec<_> =
        record["left_out"].as_array().unwrap().iter().map(|out| out["path"].as_str().unwrap()).collect();
    assert!(
        left_out.iter().any(|path| path.ends_with("/target")) && left_out.iter().any(|path| path.ends_with("/.git"))
    );
}

#[test]
fn the_processes_of_the_main_job_leave_out_what_the_first_one_leaves_out() {
    let place = Place::with_store(None);
    place.write("project/Cargo.toml", "[package]");
    place.write("project/src/lib.rs", "//! x");
    place.write("project/target/debug/big", bytes(100_000));
    place.write("project/.git/HEAD", "ref");
    let mut command = place.command(&["--json", "demo"]);
    let done: crate::run::Done = command.current_dir(place.path("project")).output().unwrap().into();
    assert_eq!(done.code, 0, "{done:?}");
    let record = &done.records()[0];
    assert_eq!((&record["files"], &record["bytes"], &record["pages"]), (&2.into(), &14.into(), &2.into()), "{record}");
}

#[test]
fn a_store_that_is_given_is_left_as_it_was() {
    let place = Place::new();
    input(&place);
    place.write("mine", "mine");
    place.ok(&["put", "mine"]);
    let before = tree(&place.path("bucket"));
    place.ok(&["demo", "--files", "--input", "data"]);
    assert_eq!(place.names(), ["mine"]);
    assert_eq!(tree(&place.path("bucket")), before);
    place.ok(&["demo", "--files", "--input", "data", "--keep"]);
    let kept = place.names();
    assert_eq!(kept.len(), 5, "{kept:?}");
    assert!(kept.iter().filter(|name| name.starts_with("plastron-demo-")).count() == 4, "{kept:?}");
}

#[test]
fn it_runs_in_memory_too() {
    let place = Place::with_store(Some("source=memory_store,bucket=b"));
    input(&place);
    assert_eq!(place.ok(&["--json", "demo", "--files", "--input", "data"]).records()[0]["identical"], true);
}

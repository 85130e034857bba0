//! The commands that look after a database, on one that the demo has left.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use serde_json::Value;

use crate::run::{Done, Place, bytes};

/// A database with keys, and the store string that opens it.
struct Database {
    place: Place,
    store: String,
}

impl Database {
    fn new() -> Self {
        let place = Place::new();
        place.write("data/a", bytes(200_000));
        place.write("data/b", "b");
        place.write("data/c", bytes(70_000));
        let key = place.write("master-key", bytes(32));
        std::fs::set_permissions(key, std::fs::Permissions::from_mode(0o600)).unwrap();
        let store = format!(
            "source=dir_store,bucket=\"{}\",key_management=(name=file,config=(path=\"{}\",key_file=\"{}\")),retention=(window=0s,time=0s,checkpoints=2)",
            place.path("bucket").display(),
            place.path("keyring").display(),
            place.path("master-key").display(),
        );
        place.ok(&["--store", &store, "demo", "--input", "data", "--keep"]);
        let prefix = std::fs::read_dir(place.path("bucket")).unwrap().find_map(|entry| {
            let name = entry.unwrap().file_name().into_string().unwrap();
            name.starts_with("plastron-demo-").then_some(name)
        });
        let store = format!("{store},bucket_prefix={}/", prefix.unwrap());
        Self { place, store }
    }

    fn run(&self, arguments: &[&str]) -> Done {
        self.place.run(&[&["--json", "--store", &self.store], arguments].concat())
    }

    fn ok(&self, arguments: &[&str]) -> Vec<Value> {
        let done = self.run(arguments);
        assert_eq!(done.code, 0, "{arguments:?}: {done:?}");
        done.records()
    }

    /// The files under the database's prefix whose names end with `suffix`.
    fn objects(&self, suffix: &str) -> Vec<std::path::PathBuf> {
        let mut found = Vec::new();
        let mut pending = vec![self.place.path("bucket")];
        while let Some(directory) = pending.pop() {
            for entry in std::fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                match path.is_dir() {
                    true => pending.push(path),
                    false if path.to_str().unwrap().ends_with(suffix) => found.push(path),
                    false => {}
                }
            }
        }
        found.sort();
        found
    }
}

#[test]
fn checkpoints_are_listed_shown_checked_restored_and_cloned() {
    let database = Database::new();
    let list = database.ok(&["checkpoint", "list"]);
    assert_eq!(list.len(), 2, "{list:?}");
    let (older, newest) = (&list[0], &list[1]);
    let shown = &database.ok(&["checkpoint", "show"])[0];
    assert_eq!((&shown["sequence"], &shown["lsn"]), (&newest["sequence"], &newest["lsn"]));
    assert!(shown["turtle_page"].as_str().unwrap().starts_with("version=1,compatible_version=1,"), "{shown}");
    assert!(shown["checkpoint_string"].as_str().unwrap().starts_with("metadata_lsn="), "{shown}");
    for arguments in [&["checkpoint", "verify"][..], &["log", "verify"], &["fsck", "--all"]] {
        let found = &database.ok(arguments)[0];
        assert!(found["records"].as_u64().unwrap() > 20 && found["faults"] == serde_json::json!([]), "{found}");
    }
    let stat = &database.ok(&["log", "stat"])[0];
    assert_eq!(stat["versions"], shown["versions"]);
    let chain = database.ok(&["log", "dump", "1", "0"]);
    assert_eq!((chain.len(), &chain[0]["kind"], &chain[1]["kind"]), (2, &"delta".into(), &"full".into()), "{chain:?}");
    let followed = database.ok(&["follow", "--count", "1"]);
    assert_eq!(followed[0], *newest);
    // A clone is a database of its own.
    let newest_sequence = newest["sequence"].to_string();
    let cloned = &database.ok(&["checkpoint", "clone", &newest_sequence, "branch/"])[0];
    assert_eq!(cloned["lsn"], newest["lsn"]);
    let (before, _) = database.store.rsplit_once("bucket_prefix=").unwrap();
    let branch = Database { place: Place::new(), store: format!("{before}bucket_prefix=branch/") };
    assert_eq!(branch.ok(&["fsck"])[0]["faults"], serde_json::json!([]));
    assert_eq!(database.ok(&["checkpoint", "release", "branch/"])[0]["released"], 1);
    assert_eq!(database.run(&["checkpoint", "release", "branch/"]).code, 3);
    // Back to the older one, which is the latest then.
    let restored = &database.ok(&["checkpoint", "restore", &older["sequence"].to_string()])[0];
    assert_eq!(restored["lsn"], older["lsn"]);
    assert_eq!(database.ok(&["checkpoint", "show"])[0]["lsn"], older["lsn"]);
    assert_eq!(database.run(&["checkpoint", "show", "4711"]).code, 3);
}

#[test]
fn keys_are_shown_and_rotated_and_wrong_ones_are_told() {
    let database = Database::new();
    let in_force = |keys: &[Value]| keys.iter().map(|key| key["in_force"].as_bool().unwrap()).collect::<Vec<_>>();
    assert_eq!(in_force(&database.ok(&["keys", "show"])), [false, true], "the demo has rotated once");
    database.ok(&["keys", "rotate"]);
    let keys = database.ok(&["keys", "show"]);
    assert_eq!((keys.len(), &keys[2]["generation"]), (3, &3.into()), "{keys:?}");
    assert_eq!(in_force(&keys), [false, true, false], "no checkpoint has the new one yet");
    let other = database.place.write("other-key", &bytes(33)[1..]);
    std::fs::set_permissions(&other, std::fs::Permissions::from_mode(0o600)).unwrap();
    database.ok(&["keys", "rewrap", &format!("key_file=\"{}\"", other.display())]);
    let wrong = database.run(&["checkpoint", "list"]);
    assert_eq!(wrong.code, 5, "the store string names the old master key: {wrong:?}");
    let renamed = Database { place: Place::new(), store: database.store.replace("/master-key", "/other-key") };
    assert_eq!(renamed.ok(&["fsck"])[0]["faults"], serde_json::json!([]));
    let without = database.store.replace("name=file", "name=none,config=()").replacen(",config=(path", ",x=(path", 1);
    assert_ne!(database.place.run(&["--store", &without, "fsck"]).code, 0);
}

#[test]
fn a_follower_that_is_interrupted_gives_up_its_pin() {
    let database = Database::new();
    let before = database.objects(".pin");
    for signal in ["-INT", "-TERM"] {
        let arguments = ["--json", "--store", &database.store, "follow"];
        let mut child = database.place.command(&arguments).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(line.contains("\"sequence\""), "{line}");
        assert_eq!(database.objects(".pin").len(), before.len() + 1, "it is pinned");
        let sent = Command::new("sh").args(["-c", &format!("kill {signal} {}", child.id())]).status().unwrap();
        assert!(sent.success());
        let done = Done::from(child.wait_with_output().unwrap());
        assert_eq!(done.code, 130, "{done:?}");
        assert_eq!(database.objects(".pin"), before);
    }
}

#[test]
fn garbage_is_shown_and_collected() {
    let database = Database::new();
    // One checkpoint is not retained any more when another has been published.
    let list = database.ok(&["checkpoint", "list"]);
    database.ok(&["checkpoint", "restore", &list[0]["sequence"].to_string()]);
    database.ok(&["checkpoint", "restore", &list[1]["sequence"].to_string()]);
    let planned = &database.ok(&["gc", "--dry-run"])[0];
    let done = &database.ok(&["gc"])[0];
    assert_eq!((&done["names"], &done["removed_bytes"]), (&planned["names"], &planned["removed_bytes"]));
    assert!(done["removed_turtles"].as_u64().unwrap() > 0, "{done}");
    assert_eq!(database.ok(&["gc"])[0]["removed_objects"], 0);
    assert_eq!(database.ok(&["fsck", "--all"])[0]["faults"], serde_json::json!([]));
}

#[test]
fn damage_is_found_and_explained() {
    for (suffix, at) in [(".seg", 100), (".idx", 60), (".kek", 30), (".turtle", 90)] {
        let database = Database::new();
        let path = database.objects(suffix).pop().unwrap();
        let mut content = std::fs::read(&path).unwrap();
        content[at] ^= 1;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        std::fs::write(&path, content).unwrap();
        let done = database.run(&["fsck", "--all"]);
        let name = path.file_name().unwrap().to_str().unwrap();
        let said = format!("{}{}", done.text(), done.stderr);
        assert!(done.code == 7 && said.contains(name), "{suffix}: {done:?}");
    }
    let database = Database::new();
    std::fs::remove_file(database.objects(".seg").pop().unwrap()).unwrap();
    let done = database.run(&["fsck"]);
    assert!(done.code == 7 && done.text().contains("it is not there"), "{done:?}");
}

//! The main job over each registry: `plastron demo --registry …`. The groups of `ickpt` are processes, started as its page says
//! (`docs/src/operations/ickpt.md`); one of them loses its disk while the demo runs and is reseeded, and then another is lost for good.
//!
//! The demo waits for Enter before each act, so that what happens to the instances happens in the middle of it, however fast the machine is.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test says what it expects by failing"
)]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

use plastron::Store;
use plastron_ickpt::stand_in::{StandIn, WRITER};
use plastron_localstack::{Server, endpoint};
use serde_json::{Value, json};
use tempfile::TempDir;

const FILES: [(&str, usize); 6] = [("a", 300_000), ("b", 0), ("c", 70_000), ("d/e", 16_384), ("d/f", 1), ("g", 5_000)];
const ACTS: usize = 7;

/// Files to be stored.
fn files() -> TempDir {
    let files = tempfile::tempdir().unwrap();
    for (name, length) in FILES {
        let path = files.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, vec![7; length]).unwrap();
    }
    files
}

/// A demo that runs.
struct Demo {
    child: Child,
    input: ChildStdin,
    notes: BufReader<std::process::ChildStderr>,
    said: String,
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Demo {
    fn start(store: &str, registry: &str, more: &[&str], files: &Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_plastron"));
        command.args(["--json", "demo", "--step", "--registry", registry, "--input"]).arg(files).args(more);
        command.env("PLASTRON_STORE", store).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (input, notes) = (child.stdin.take().unwrap(), BufReader::new(child.stderr.take().unwrap()));
        Self { child, input, notes, said: String::new() }
    }

    /// Waits until it announces an act: that before it is over, and this one has not begun.
    fn announces(&mut self) -> String {
        loop {
            let mut line = String::new();
            assert!(self.notes.read_line(&mut line).unwrap() > 0, "the demo ended: {}", self.said);
            let note: Value = serde_json::from_str(&line).unwrap_or_default();
            if let Some(act) = note["note"].as_str() {
                return act.to_owned();
            }
            self.said += &line;
        }
    }

    /// Lets it play the act that it announced.
    fn enter(&mut self) {
        self.input.write_all(b"\n").unwrap();
        self.input.flush().unwrap();
    }

    fn acts(&mut self, count: usize) {
        for _ in 0..count {
            self.announces();
            self.enter();
        }
    }

    /// What it says in the end.
    fn ends(mut self) -> Value {
        let (mut out, mut said) = (String::new(), String::new());
        self.child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
        self.notes.read_to_string(&mut said).unwrap();
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{status}: {}{said}", self.said);
        serde_json::from_str(&out).unwrap()
    }
}

/// That all of it happened, in one history.
fn is_right(record: &Value) {
    assert_eq!(record["wrong"], json!([]), "{record}");
    let bytes: usize = FILES.iter().map(|(_, length)| length).sum();
    assert_eq!((&record["files"], &record["bytes"]), (&json!(FILES.len()), &json!(bytes)), "{record}");
    let column =
        |name: &str| record["checkpoints"].as_array().unwrap().iter().map(|one| one[name].clone()).collect::<Vec<_>>();
    assert!(column("sequence").is_sorted_by_key(|number| number.as_u64()), "{record}");
    assert_eq!(column("epoch"), [1, 1, 2, 3, 3].map(|number| json!(number)), "{record}");
    assert_eq!(record["compared"].as_array().unwrap().len(), 5, "{record}");
    assert_eq!(record["first_leader"]["kind"], json!("fenced"), "{record}");
}

/// The store string of a directory.
fn directory_store(place: &TempDir) -> String {
    format!("source=dir_store,bucket=\"{}\"", place.path().display())
}

#[test]
fn bucket() {
    let (files, place) = (files(), tempfile::tempdir().unwrap());
    let mut demo = Demo::start(&directory_store(&place), "bucket", &[], files.path());
    demo.acts(ACTS);
    is_right(&demo.ends());
}

#[tokio::test]
async fn etcd() {
    let urls: Vec<String> =
        endpoint(Server::Etcd).await.unwrap().other_urls.iter().map(|url| format!("\"{url}\"")).collect();
    let settings = format!("name=etcd,endpoints=[{}],timeout=2min", urls.join(","));
    let (files, place) = (files(), tempfile::tempdir().unwrap());
    let store = directory_store(&place);
    let mut demo = Demo::start(&store, &settings, &[], files.path());
    demo.acts(ACTS);
    is_right(&demo.ends());
    // The same, from the settings of the store string by their name.
    let mut demo = Demo::start(&format!("{store},registry=({settings})"), "etcd", &[], files.path());
    demo.acts(ACTS);
    is_right(&demo.ends());
}

/// The command of `ickpt`, which is built with the workspace.
fn ickpt() -> PathBuf {
    let program = Path::new(env!("CARGO_BIN_EXE_plastron")).with_file_name("plastron-ickpt");
    assert!(
        program.exists(),
        "{} is missing; build it: cargo build --workspace --all-features --bins",
        program.display()
    );
    program
}

/// An instance, as its page says. It is killed when it is dropped.
struct Instance {
    child: Child,
    address: String,
}

impl Drop for Instance {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Instance {
    fn start(folder: &Path, address: &str, store: &str) -> Self {
        let conf = folder.with_extension("conf");
        let (host, port) = address.rsplit_once(':').unwrap();
        let text = format!(
            "[ICKPT]\nIPAddr:                {host}\nPort:                  {port}\nDataBasePath:          {}\nTransactionTimeout: 10m\nAllowedStorageOrigins: {store}\n",
            folder.display()
        );
        std::fs::write(&conf, text).unwrap();
        let mut command = Command::new(ickpt());
        command.args(["serve", "--conf"]).arg(&conf).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let address = line.split(' ').nth(1).unwrap_or_else(|| panic!("it did not start: {line:?}")).to_owned();
        Self { child, address }
    }
}

/// Three instances, the store that they ask, and the object that stands for the database.
struct Group {
    folder: TempDir,
    store: StandIn,
    storage_url: String,
    instances: Vec<Instance>,
}

impl Group {
    async fn start() -> Self {
        let store = StandIn::start().await.unwrap();
        let storage_url = store.object("/v1/AUTH_db/volume/checkpoint", b"");
        let folder = tempfile::tempdir().unwrap();
        let start = |name: &str| Instance::start(&folder.path().join(name), "127.0.0.1:0", &store.origin());
        let instances = ["a", "b", "c"].map(start).into();
        Self { folder, store, storage_url, instances }
    }

    fn urls(&self) -> Vec<String> {
        self.instances.iter().map(|instance| format!("http://{}", instance.address)).collect()
    }

    fn settings(&self) -> String {
        let urls: Vec<String> = self.urls().iter().map(|url| format!("\"{url}\"")).collect();
        // Deadlines of a machine on which everything takes its time.
        format!(
            "name=ickpt,urls=[{}],storage_url=\"{}\",auth_token=\"{WRITER}\",timeout=2min",
            urls.join(","),
            self.storage_url
        )
    }

    /// Ends an instance as a power cut does, and takes its disk; a new one answers in its place.
    fn lose_disk(&mut self, number: usize, name: &str) {
        let address = self.instances[number].address.clone();
        drop(self.instances.remove(number));
        let folder = self.folder.path().join(name);
        std::fs::remove_dir_all(&folder).unwrap();
        self.instances.insert(number, Instance::start(&folder, &address, &self.store.origin()));
    }

    fn reseed(&self) {
        let mut command = Command::new(ickpt());
        command.arg("reseed").env("ICKPT_URLS", self.urls().join(",")).env("ICKPT_STORAGE_URL", &self.storage_url);
        let output = command.env("ICKPT_TOKEN", WRITER).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ickpt_loses_a_disk_and_then_an_instance() {
    let mut group = Group::start().await;
    let (files, place) = (files(), tempfile::tempdir().unwrap());
    let (store, settings) = (directory_store(&place), group.settings());
    let mut demo = Demo::start(&store, &settings, &["--keep"], files.path());
    // The first leader loads, and completes a checkpoint.
    demo.acts(1);
    // While the second act is played, an instance loses all that it has; the other two are a majority.
    let act = demo.announces();
    demo.enter();
    group.lose_disk(1, "b");
    let next = demo.announces();
    assert_ne!(act, next);
    // It becomes a member again, while a follower follows.
    group.reseed();
    demo.enter();
    demo.announces();
    // While the fourth is played, another is lost for good: from here on the reseeded one is needed for every majority.
    demo.enter();
    drop(group.instances.remove(0));
    demo.acts(3);
    let record = demo.ends();
    is_right(&record);
    // What is left is one history, which the two who are left know of. (The settings name all three.)
    let kept = std::fs::read_dir(place.path()).unwrap();
    let kept: Vec<String> = kept.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    let prefix = kept.iter().find(|name| name.starts_with("plastron-demo-")).unwrap_or_else(|| panic!("{kept:?}"));
    let text = format!("{store},bucket_prefix=\"{prefix}/\",registry=({settings})");
    let volume = Store::open(&text).await.unwrap().volume().await.unwrap();
    let newest = volume.registry.read().await.unwrap().unwrap().version;
    assert_eq!(
        (Some(&json!(newest.sequence)), newest.epoch),
        (record["checkpoints"].as_array().unwrap().last().map(|last| &last["sequence"]), 3)
    );
    assert_eq!(volume.turtles.turtle(newest.sequence).await.unwrap().unwrap().version, newest);
}

#[tokio::test(flavor = "multi_thread")]
async fn ickpt_forgets_a_demo_so_that_another_may_follow() {
    let group = Group::start().await;
    let (files, place) = (files(), tempfile::tempdir().unwrap());
    for _ in 0..2 {
        let mut demo = Demo::start(&directory_store(&place), &group.settings(), &[], files.path());
        demo.acts(ACTS);
        is_right(&demo.ends());
    }
}

//! The command, as people run it: three instances by their documented lines, the loss of one, and of its disk.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests say what they expect by failing"
)]

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use plastron_ickpt::stand_in::{StandIn, WRITER};

const COMMAND: &str = env!("CARGO_BIN_EXE_plastron-ickpt");

struct Instance {
    child: Child,
    url: String,
    port: String,
}

impl Drop for Instance {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn serve(folder: &Path, name: &str, store: &str, port: &str) -> Instance {
    let conf = folder.join(format!("{name}.conf"));
    std::fs::write(&conf, include_str!("fixtures/ickpt.conf")).unwrap();
    let mut command = Command::new(COMMAND);
    command.args(["serve", "--conf"]).arg(&conf).args(["ICKPT.IPAddr=127.0.0.1", &format!("ICKPT.Port={port}")]);
    command
        .arg(format!("ICKPT.DataBasePath={}", folder.join(name).display()))
        .arg(format!("ICKPT.AllowedStorageOrigins={store}"));
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    let address = line.split(' ').nth(1).unwrap_or_else(|| panic!("it did not start: {line:?}")).to_owned();
    Instance { child, url: format!("http://{address}"), port: address.rsplit(':').next().unwrap().to_owned() }
}

struct Group {
    urls: String,
    storage_url: String,
}

impl Group {
    fn run(&self, arguments: &[&str], input: &[u8]) -> Output {
        let mut command = Command::new(COMMAND);
        // The deadline of a machine on which everything takes its time.
        command
            .args(arguments)
            .args(["--timeout", "2m"])
            .env("ICKPT_URLS", &self.urls)
            .env("ICKPT_STORAGE_URL", &self.storage_url)
            .env("ICKPT_TOKEN", WRITER);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        let output = child.wait_with_output().unwrap();
        let all = [output.stdout.as_slice(), &output.stderr].concat();
        assert!(!String::from_utf8_lossy(&all).contains(WRITER), "the token is never shown");
        output
    }

    fn ok(&self, arguments: &[&str], input: &[u8]) -> String {
        let output = self.run(arguments, input);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Whether all have the same. A put waits for the last of three for a bounded time, so a machine that is busy with others gets some tries.
    fn is_whole(&self) -> bool {
        let whole = || self.ok(&["status"], b"").ends_with("all instances are members and have the same\n");
        let again = || {
            self.ok(&["put", "-"], b"one");
            whole()
        };
        whole() || (0..10).any(|_| again())
    }

    fn code(&self, arguments: &[&str]) -> i32 {
        self.run(arguments, b"x").status.code().unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn three_instances_survive_the_loss_of_one_and_of_its_disk() {
    let folder = tempfile::tempdir().unwrap();
    let store = StandIn::start().await.unwrap();
    let storage_url = store.object("/v1/AUTH_a/volume/checkpoint", b"of the store");
    let mut all: Vec<_> = ["a", "b", "c"].iter().map(|name| serve(folder.path(), name, &store.origin(), "0")).collect();
    let urls = all.iter().map(|instance| instance.url.clone()).collect::<Vec<_>>().join(",");
    let group = Group { urls, storage_url };
    assert_eq!(group.code(&["get"]), 3, "nothing was put, and the store's bytes do not count");
    group.ok(&["put", "-"], b"one");
    assert_eq!(group.ok(&["get"], b""), "one");
    assert!(group.is_whole(), "a put ends when those have it that were not needed");
    // One is lost: the others go on.
    let lost = all.remove(1);
    let port = lost.port.clone();
    drop(lost);
    group.ok(&["put", "-"], b"two");
    assert_eq!(group.ok(&["get"], b""), "two");
    assert!(group.ok(&["status"], b"").contains("unavailable"));
    // Its disk too: it comes back as another, and has no vote.
    std::fs::remove_dir_all(folder.path().join("b")).unwrap();
    all.push(serve(folder.path(), "b", &store.origin(), &port));
    let gone = all.remove(0);
    let gone_port = gone.port.clone();
    drop(gone);
    assert_eq!(group.code(&["get"]), 5, "one member and one that is none are no majority");
    all.push(serve(folder.path(), "a", &store.origin(), &gone_port));
    assert!(group.ok(&["reseed"], b"").ends_with("is a member now\n"));
    assert_eq!(group.ok(&["reseed"], b""), "all instances were members already\n");
    let third = all.remove(0);
    drop(third);
    assert_eq!(group.ok(&["get"], b""), "two", "the one that was reseeded votes");
    group.ok(&["put", "-"], b"three");
    group.ok(&["delete"], b"");
    assert_eq!(group.code(&["get"]), 3);
    let _ = all.pop();
    assert_eq!((group.code(&["get"]), group.code(&["put", "-"])), (5, 5), "one of three is no majority");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_said_by_code() {
    let folder = tempfile::tempdir().unwrap();
    let store = StandIn::start().await.unwrap();
    let storage_url = store.object("/v1/a", b"1");
    let one = serve(folder.path(), "a", &store.origin(), "0");
    let group = Group { urls: one.url.clone(), storage_url: storage_url.clone() };
    assert_eq!(group.code(&["get", "--url", "http://127.0.0.1:1,http://127.0.0.1:2"]), 2, "two are no group");
    assert_eq!(group.code(&["get", "--url", "x"]), 2);
    assert_eq!(group.code(&["get", "--token-file", "/none"]), 3);
    assert_eq!(
        Group { urls: one.url.clone(), storage_url: "http://127.0.0.1:9/v1/a".into() }.code(&["get"]),
        4,
        "not on the list"
    );
    assert_eq!(
        Group { urls: one.url.clone(), storage_url: format!("{}/v1/none", store.origin()) }.code(&["put", "-"]),
        3,
        "no such object"
    );
    let large = folder.path().join("large");
    std::fs::write(&large, vec![0; 65_537]).unwrap();
    assert_eq!(group.code(&["put", large.to_str().unwrap()]), 2);
    let second = Command::new(COMMAND)
        .args(["serve", "--conf"])
        .arg(folder.path().join("a.conf"))
        .args(["ICKPT.IPAddr=127.0.0.1", "ICKPT.Port=0"])
        .arg(format!("ICKPT.DataBasePath={}", folder.path().join("a").display()))
        .output()
        .unwrap();
    assert_eq!(second.status.code(), Some(5), "{}", String::from_utf8_lossy(&second.stderr));
}

#[test]
fn help_has_examples() {
    for command in [
        &["--help"][..],
        &["serve", "--help"],
        &["get", "--help"],
        &["put", "--help"],
        &["delete", "--help"],
        &["status", "--help"],
        &["reseed", "--help"],
    ] {
        let output = Command::new(COMMAND).args(command).output().unwrap();
        assert!(output.status.success() && String::from_utf8_lossy(&output.stdout).contains("Example"), "{command:?}");
    }
}

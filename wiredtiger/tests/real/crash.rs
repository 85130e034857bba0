//! kill -9 at random moments of flush cycles: every committed and flushed row is there after reopen, and no half object is visible.

use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use plastron_localstack::Server;

use crate::backend::{Backend, Place};
use crate::python::{scenario, text};

/// How long one start may need until it flushes.
const PATIENCE: Duration = Duration::from_secs(300);

struct Killed {
    place: Place,
    prefix: String,
    home: tempfile::TempDir,
    kills: u64,
}

impl Killed {
    fn database(&self) -> std::path::PathBuf {
        self.home.path().join("home")
    }

    /// Cycles that ended: their rows must be there for ever.
    fn cycles(&self) -> usize {
        std::fs::read_to_string(self.database().join("noted")).map_or(0, |text| text.lines().count())
    }

    /// Starts the scenario, which first drops the local copies of what the bucket has and checks every row that was noted.
    fn start(&self) -> Child {
        scenario("flush_cycles", &self.database(), &self.place.settings)
            .env("PREFIX", &self.prefix)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    /// Waits until `more` cycles are over.
    fn wait(&self, child: &mut Child, more: usize) {
        let (before, started) = (self.cycles(), Instant::now());
        while self.cycles() < before + more {
            std::thread::sleep(Duration::from_millis(2));
            if child.try_wait().unwrap().is_some() {
                let mut said = String::new();
                std::io::Read::read_to_string(child.stderr.as_mut().unwrap(), &mut said).unwrap();
                panic!("it ended by itself after {} kills: {said}", self.kills);
            }
            assert!(started.elapsed() < PATIENCE, "nothing is flushed after {} kills", self.kills);
        }
    }

    /// Kills it some time into the cycle that follows 1 to 4 whole ones.
    fn round(&mut self) {
        let mut child = self.start();
        let drawn = self.kills.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        self.wait(&mut child, 1 + (drawn % 4) as usize);
        std::thread::sleep(Duration::from_micros(drawn * 7 % 120_000));
        child.kill().unwrap();
        child.wait().unwrap();
        self.kills += 1;
    }
}

/// `cycles` cycles on `backend`, and at the end everything once more, with nothing but the bucket.
fn killed(backend: Backend, cycles: usize) {
    let home = tempfile::tempdir().unwrap();
    let Some(place) = backend.place(home.path()) else { return };
    let prefix = format!("crash-{}-{backend:?}", std::process::id()).replace(['(', ')'], "");
    let mut killed = Killed { place, prefix, home, kills: 0 };
    // On a quick machine many cycles are over before this sees one: as many kills as cycles ask for come first.
    while killed.cycles() < cycles || (killed.kills as usize) * 5 < cycles {
        killed.round();
        if killed.kills.is_multiple_of(16) {
            killed.place.verified_names(&killed.prefix);
        }
    }
    // The end of its input ends it in peace.
    let mut child = killed.start();
    killed.wait(&mut child, 1);
    drop(child.stdin.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    let names = killed.place.verified_names(&killed.prefix);
    assert!(names.len() >= cycles, "{cycles} flushes left {} objects", names.len());
    assert!(no_remains(killed.home.path()), "something half is left in the bucket's directory");
}

/// A directory bucket keeps what is not finished in one place, and clears it when it is opened.
fn no_remains(home: &Path) -> bool {
    let staging = home.join("bucket-one/_plastron/tmp");
    std::fs::read_dir(staging).map_or(true, |entries| entries.count() == 0)
}

#[test]
fn on_a_directory() {
    killed(Backend::Dir, 200);
}

#[test]
fn on_s3() {
    killed(Backend::On(Server::SeaweedFs), 40);
}

#[test]
fn on_azure() {
    killed(Backend::On(Server::Azurite), 40);
}

#[test]
fn on_gcs() {
    killed(Backend::On(Server::Gcs), 40);
}

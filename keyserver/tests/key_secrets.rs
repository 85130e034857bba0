//! No key leaves in the clear: not in a blob, a file, a log line, an error or a `Debug` print. A binary of its own, since it listens to all that is logged.
#![cfg(feature = "key-module")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a test")]

mod support;

use std::io::Write;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use plastron_keys::{Fault, KeyModule, KeyRandom};
use support::site::*;

/// Every byte it gives is the same, so that 32 of them stand out wherever they are; ids and nonces are shorter.
#[derive(Debug)]
struct Plain;

impl KeyRandom for Plain {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), Fault> {
        bytes.fill(0xA5);
        Ok(())
    }
}

fn holds(bytes: &[u8], key: [u8; 32]) -> bool {
    bytes.windows(32).any(|window| window == key)
}

/// Collects everything that is logged, from all threads.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn files(folder: &Path, found: &mut Vec<(std::path::PathBuf, Vec<u8>)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push((path.clone(), std::fs::read(&path).unwrap()));
        }
    }
}

#[test]
fn scenario_27_no_key_leaves_in_the_clear() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber =
        tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(move || writer.clone()).finish();
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let mut site = Site::with(&["a", "b"]);
    site.environment.random = Arc::new(Plain);
    let leader = site.open("a");
    let first = wrapped(&leader, 0xA5);
    let blob = checkpoint(&leader);
    let reader = site.reader("b");
    reader.load_key_blob(&blob).unwrap();
    assert!(opens(&reader, &first, 0xA5));
    let mut said = format!("{leader:?} {reader:?} {:?}", leader.keyring().unwrap().show().unwrap());
    // What goes wrong says nothing either.
    site.replica.down.store(true, Ordering::SeqCst);
    leader.keyring().unwrap().rotate().unwrap();
    said += &format!("{:?}", leader.get_key_blob().unwrap_err());
    let mut damaged = decoded(&blob);
    damaged.wraps[1].ciphertext[0] ^= 1;
    damaged.sign(&site.realm().id(), &Site::key("a"));
    let damaged = plastron_keyserver::proto::Message::to_bytes(&damaged);
    said += &format!("{:?}", reader.load_key_blob(&damaged).unwrap_err());
    said += &format!("{:?}", site.reader("c").load_key_blob(&blob).unwrap_err());
    said += &format!("{:?} {:?}", Site::key("a"), decoded(&blob));
    said += &String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(said.contains("a KEK was wrapped to the readers") && said.contains("the KEK is in force"), "{said}");

    // The KEK, as random bytes gave it; the private keys of both nodes, which are their bytes repeated.
    let line = std::fs::read_to_string(site.folder.path().join("a.key")).unwrap();
    let words: Vec<&str> = line.split(' ').collect();
    let secret = |hex: &str| [u8::from_str_radix(&hex[..2], 16).unwrap(); 32];
    let secrets = [[0xA5; 32], secret(words[4]), secret(words[5])];
    assert!(secrets[1..].iter().all(|secret| line.contains(&format!("{:02x}", secret[0]).repeat(32))));
    let mut found = vec![("blob".into(), blob), ("wrapped".into(), first.as_bytes().to_vec())];
    files(site.folder.path(), &mut found);
    assert!(found.iter().any(|(path, _)| path.ends_with("memory-a/wraps")), "the node's memory is there");
    for key in secrets {
        let (hex, decimal) = (format!("{:02x}", key[0]).repeat(24), format!("{}, ", key[0]).repeat(24));
        assert!(!said.contains(&hex) && !said.contains(&decimal) && !holds(said.as_bytes(), key));
        for (path, bytes) in &found {
            assert!(!holds(bytes, key), "{path:?}");
            let own = path.extension().is_some_and(|extension| extension == "key");
            assert!(own || !String::from_utf8_lossy(bytes).contains(&hex), "{path:?}");
        }
    }
    use std::os::unix::fs::PermissionsExt as _;
    let mode = std::fs::metadata(site.folder.path().join("a.key")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

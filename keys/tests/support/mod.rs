//! What the tests share.
#![allow(dead_code, reason = "each test uses its share of it")]

mod machine;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

#[allow(unused_imports, reason = "each test uses its share of it")]
pub(crate) use machine::{KEY, Machine, checkpoint};
use plastron_config::Config;
use plastron_keys::{
    Binding, Fault, KeyBlob, KeyClock, KeyEnvironment, KeyManagement, KeyModules, KeyRandom, PendingBlob, WrappedKey,
};

pub(crate) const TEXT: &[u8] = b"one page of a turtle's diary";
const HEADER: &[u8] = b"header";

pub(crate) async fn open(section: &str) -> KeyManagement {
    KeyManagement::open(&Config::parse(section).unwrap()).await.unwrap()
}

pub(crate) async fn changed(keys: &KeyManagement) -> PendingBlob {
    match keys.get_key_blob().await.unwrap() {
        KeyBlob::Changed(pending) => pending,
        KeyBlob::Unchanged => panic!("the blob is unchanged"),
    }
}

pub(crate) async fn unchanged(keys: &KeyManagement) {
    assert!(matches!(keys.get_key_blob().await.unwrap(), KeyBlob::Unchanged));
}

/// A record sealed for `binding`, and the wrapped key of its object.
pub(crate) async fn opened(keys: &KeyManagement, binding: Binding) -> (Vec<u8>, WrappedKey) {
    let mut cipher = keys.new_cipher(binding).await.unwrap().unwrap();
    let mut record = TEXT.to_vec();
    let sealed = cipher.sealer.seal(HEADER, &mut record).unwrap();
    record.extend(sealed.tag);
    (record, cipher.wrapped)
}

/// Asserts that `keys` open what [`opened`] gave.
pub(crate) async fn opens(keys: &KeyManagement, binding: Binding, wrapped: &WrappedKey, record: &[u8]) {
    let opener = keys.opener(binding, wrapped.clone()).await.unwrap();
    assert_eq!(opener.open(0, HEADER, &mut record.to_vec()).unwrap(), TEXT);
}

/// A clock that stands still until it is set, and does not wait.
#[derive(Debug, Default)]
pub(crate) struct HandClock(pub(crate) AtomicU64);

impl HandClock {
    pub(crate) fn set_days(&self, days: u64) {
        self.0.store(days * 86_400, Ordering::Relaxed);
    }
}

impl KeyClock for HandClock {
    fn wall(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(self.0.load(Ordering::Relaxed))
    }

    fn pause(&self, _: Duration) {}
}

/// Bytes 0, 1, 2, …: for files that must come out the same.
#[derive(Debug, Default)]
pub(crate) struct CountingRandom(AtomicU64);

impl KeyRandom for CountingRandom {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), Fault> {
        bytes.iter_mut().for_each(|byte| *byte = self.0.fetch_add(1, Ordering::Relaxed) as u8);
        Ok(())
    }
}

/// No randomness at all.
#[derive(Debug)]
pub(crate) struct NoRandom;

impl KeyRandom for NoRandom {
    fn fill(&self, _: &mut [u8]) -> Result<(), Fault> {
        Err(Fault::NoRandomness)
    }
}

pub(crate) fn try_open(section: &str, environment: &KeyEnvironment) -> plastron_keys::Result<KeyManagement> {
    KeyManagement::open_blocking(&Config::parse(section).unwrap(), &KeyModules::default(), environment.clone())
}

/// Writes `bytes` into a file of mode 0600.
pub(crate) fn private(path: &Path, bytes: impl AsRef<[u8]>) {
    std::fs::write(path, bytes).unwrap();
    mode(path, 0o600);
}

pub(crate) fn mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// The golden file of that name must be `bytes`. `PLASTRON_NEW_FIXTURES=1` writes those that are not there; none is ever changed.
pub(crate) fn golden(name: &str, bytes: &[u8]) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name);
    if std::env::var_os("PLASTRON_NEW_FIXTURES").is_some() && !path.exists() {
        std::fs::write(&path, bytes).unwrap();
    }
    let written = std::fs::read(&path).unwrap();
    assert_eq!(written, bytes, "{name}");
    written
}

pub(crate) fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)).unwrap()
}

/// A shared library of the C source at `source`, built with every warning an error.
pub(crate) fn build(source: &str, directory: &Path) -> PathBuf {
    let library = directory.join(Path::new(source).with_extension("so").file_name().unwrap());
    let here = |path: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    let output = Command::new(std::env::var_os("CC").unwrap_or_else(|| "cc".into()))
        .args(["-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-O1", "-shared", "-fPIC", "-pthread", "-I"])
        .arg(here("include"))
        .arg("-o")
        .arg(&library)
        .arg(here(source))
        .output()
        .expect("a C compiler, as `cc` or in CC");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    library
}

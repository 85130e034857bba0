//! The Python that has WiredTiger, and what is run in it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use crate::settings::Settings;

/// The Python that has WiredTiger; built by `tests/setup` the first time.
pub(crate) fn python() -> &'static Path {
    static PYTHON: OnceLock<PathBuf> = OnceLock::new();
    PYTHON.get_or_init(|| {
        let output = Command::new(tests().join("setup")).stderr(Stdio::inherit()).output().unwrap();
        assert!(output.status.success(), "WiredTiger could not be built, see above");
        PathBuf::from(String::from_utf8(output.stdout).unwrap().trim())
    })
}

fn tests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")
}

/// The shared library that was built with these tests.
pub(crate) fn extension() -> PathBuf {
    let library = std::env::current_exe().unwrap().parent().unwrap().join("libplastron_wiredtiger.so");
    assert!(library.exists(), "{} is not there", library.display());
    library
}

/// A scenario of `scenarios.py`, in the database directory `home`.
pub(crate) fn scenario(name: &str, home: &Path, settings: &Settings) -> Command {
    let mut command = Command::new(python());
    command.arg(tests().join("python/scenarios.py")).arg(name).arg(home).arg(settings.json());
    command.env("PYTHONDONTWRITEBYTECODE", "1").stdin(Stdio::null());
    command
}

/// What a program said, for a message.
pub(crate) fn text(output: &Output) -> String {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    format!("{}\n{out}{err}", output.status)
}

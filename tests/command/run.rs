//! Runs the binary in a directory of its own.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// A directory that holds a bucket and whatever files a test makes; commands run in it.
pub(crate) struct Place {
    directory: TempDir,
    store: Option<String>,
}

/// What a command left behind.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) code: i32,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Place {
    /// With a directory bucket.
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("bucket")).unwrap();
        let store = format!("file://{}", directory.path().join("bucket").display());
        Self { directory, store: Some(store) }
    }

    /// With another store, or none.
    pub(crate) fn with_store(store: Option<&str>) -> Self {
        Self { directory: tempfile::tempdir().unwrap(), store: store.map(str::to_owned) }
    }

    pub(crate) fn store(&self) -> &str {
        self.store.as_deref().unwrap()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Writes a file, with the directories it needs.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    /// The command, ready to be run, with nothing of this process's settings.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_plastron"));
        command.args(arguments).current_dir(self.directory.path()).env_remove("PLASTRON_STORE");
        for name in [
            "AWS_ACCESS_KEY_ID",
            "AWS_SECRET_ACCESS_KEY",
            "AWS_PROFILE",
            "AWS_ENDPOINT_URL",
            "RUST_LOG",
            "RUST_BACKTRACE",
        ] {
            command.env_remove(name);
        }
        if let Some(store) = &self.store {
            command.env("PLASTRON_STORE", store);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Done {
        self.command(arguments).output().unwrap().into()
    }

    /// Runs it and demands success.
    pub(crate) fn ok(&self, arguments: &[&str]) -> Done {
        let done = self.run(arguments);
        assert_eq!(done.code, 0, "{arguments:?}: {done:?}");
        done
    }

    /// Runs it with something on its standard input.
    pub(crate) fn feed(&self, arguments: &[&str], input: &[u8]) -> Done {
        let mut child = self.command(arguments).stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        child.wait_with_output().unwrap().into()
    }

    /// The names in the bucket.
    pub(crate) fn names(&self) -> Vec<String> {
        let done = self.ok(&["ls", "--json"]);
        done.records().iter().map(|record| record["name"].as_str().unwrap().to_owned()).collect()
    }
}

impl From<Output> for Done {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: output.stdout,
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Done {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.stdout).unwrap()
    }

    /// Standard output as JSON, one object a line.
    pub(crate) fn records(&self) -> Vec<Value> {
        parse_lines(self.text())
    }

    /// Standard error as JSON, one object a line.
    pub(crate) fn complaints(&self) -> Vec<Value> {
        parse_lines(&self.stderr)
    }
}

fn parse_lines(text: &str) -> Vec<Value> {
    let parse = |line: &str| serde_json::from_str::<Value>(line).unwrap_or_else(|error| panic!("{error}: {line:?}"));
    text.lines().map(parse).inspect(|value| assert!(value.is_object(), "{value}")).collect()
}

/// Bytes that repeat at no power of two.
pub(crate) fn bytes(length: usize) -> Vec<u8> {
    (0..length).map(|i| (i % 251) as u8 ^ (i / 65_521) as u8).collect()
}

/// All files below a directory, by relative path.
pub(crate) fn tree(directory: &Path) -> Vec<(String, Vec<u8>)> {
    fn visit(root: &Path, directory: &Path, found: &mut Vec<(String, Vec<u8>)>) {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                visit(root, &path, found);
            } else {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                found.push((name, fs::read(path).unwrap()));
            }
        }
    }
    let mut found = Vec::new();
    visit(directory, directory, &mut found);
    found.sort();
    found
}

//! What the README and the examples tell people to do.

use std::path::{Path, PathBuf};
use std::process::Command;

use plastron_localstack::Server;

use crate::backend::Backend;
use crate::python::{extension, python, text};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The ten lines of the README's section on WiredTiger, between its fences.
fn ten_lines() -> String {
    let readme = std::fs::read_to_string(repository().join("README.md")).unwrap();
    let section =
        readme.split("## WiredTiger on a bucket in ten lines").nth(1).expect("the README has no such section");
    let fenced = section.split("```python\n").nth(1).unwrap().split("```").next().unwrap();
    assert_eq!(fenced.lines().count(), 10, "they are not ten lines:\n{fenced}");
    fenced.to_owned()
}

/// Pasted as they are, where the library is where the README says it is built.
#[test]
fn the_ten_lines_of_the_readme() {
    let directory = tempfile::tempdir().unwrap();
    let built = directory.path().join("target/release");
    std::fs::create_dir_all(&built).unwrap();
    std::os::unix::fs::symlink(extension(), built.join("libplastron_wiredtiger.so")).unwrap();
    let output = Command::new(python()).arg("-c").arg(ten_lines()).current_dir(directory.path()).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    assert!(text(&output).contains("demo_hello-0000000001.wtobj"), "{}", text(&output));
    assert!(text(&output).contains("turtle"), "{}", text(&output));
}

/// `examples/wiredtiger.py`, on a directory and on a server.
#[test]
fn the_example() {
    for backend in [Backend::Dir, Backend::On(Server::SeaweedFs)] {
        let home = tempfile::tempdir().unwrap();
        let Some(place) = backend.place(home.path()) else { continue };
        let settings = &place.settings;
        let output = Command::new(python())
            .arg(repository().join("examples/wiredtiger.py"))
            .arg("--home")
            .arg(home.path().join("database"))
            .arg("--extension")
            .arg(extension())
            .args(["--store", settings.store, "--bucket", &settings.bucket])
            .args(["--prefix", &format!("example-{}/", std::process::id())])
            .args(["--auth-token", &settings.auth_token, "--load", &settings.load])
            .output()
            .unwrap();
        assert!(output.status.success(), "{backend:?}: {}", text(&output));
        assert!(text(&output).contains("all 2,000 rows came back from the bucket"), "{}", text(&output));
    }
}

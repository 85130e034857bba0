//! A server that cannot be started says so, with its log, and is not tried again.

#![allow(clippy::unwrap_used, reason = "a test says what it expects by failing")]

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use plastron_localstack::{CacheFolder, Component, ErrorKind, Running, Server, Setup};

/// A cache folder in which moto is this shell script.
fn folder_with_moto(script: &str) -> (tempfile::TempDir, CacheFolder) {
    let directory = tempfile::tempdir().unwrap();
    let bin = directory.path().join("python/bin");
    std::fs::create_dir_all(&bin).unwrap();
    let program = bin.join("moto_server");
    std::fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let folder = CacheFolder::at(directory.path());
    (directory, folder)
}

#[tokio::test]
async fn not_installed() {
    let directory = tempfile::tempdir().unwrap();
    let folder = CacheFolder::at(directory.path());
    for server in [Server::SeaweedFs, Server::Moto, Server::LocalStack, Server::Azurite, Server::OpenBao] {
        let error = Running::start(server, &folder).await.err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        let advice = format!("run: cargo run -p plastron-localstack -- setup {server}");
        assert!(error.message().ends_with(&advice), "{error}");
    }
    let setup = Setup::new(folder);
    assert!(!setup.is_installed(Component::Python));
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0, "asking leaves nothing behind");
}

#[tokio::test]
async fn ends_at_once() {
    let (_directory, folder) = folder_with_moto("echo its last words; exit 3");
    let error = Running::start(Server::Moto, &folder).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(error.message(), "moto ended with exit code 3 before it was ready");
    assert_eq!(error.log(), Some("its last words\n"));
}

#[tokio::test]
async fn loses_its_port_once() {
    // The first start finds its port taken, the second would find another: it must have been tried.
    let directory = tempfile::tempdir().unwrap();
    let mark = directory.path().join("tried");
    let script = format!(
        "if [ -e {0} ]; then echo second; exit 4; fi; touch {0}; echo Address already in use; exit 1",
        mark.display()
    );
    let (_directory, folder) = folder_with_moto(&script);
    let error = Running::start(Server::Moto, &folder).await.err().unwrap();
    assert_eq!((error.message(), error.log()), ("moto ended with exit code 4 before it was ready", Some("second\n")));
}

#[tokio::test]
async fn what_a_server_starts_ends_with_it() {
    // A server that leaves a child behind and then fails.
    let directory = tempfile::tempdir().unwrap();
    let pid = directory.path().join("pid");
    let (_directory, folder) = folder_with_moto(&format!("sleep 1000 & echo $! > {}; exit 1", pid.display()));
    assert!(Running::start(Server::Moto, &folder).await.is_err());
    let child = std::fs::read_to_string(pid).unwrap();
    let gone = || {
        let stat = std::fs::read_to_string(Path::new("/proc").join(child.trim()).join("stat")).unwrap_or_default();
        stat.is_empty() || stat.contains(") Z ")
    };
    for _ in 0..9000 {
        if gone() {
            return;
        }
        tokio::task::yield_now().await;
        tokio::task::spawn_blocking(|| std::process::Command::new("sleep").arg("0.02").status())
            .await
            .unwrap()
            .unwrap();
    }
    assert!(gone(), "the server's child {child} still runs");
}

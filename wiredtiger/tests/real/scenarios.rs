//! Every scenario on every back end.

use plastron_localstack::Server;

use crate::backend::{Backend, Place};
use crate::python::{scenario, text};

/// Runs a scenario in a new database, under a prefix of its own.
fn run(name: &str, backend: Backend) -> Option<Ran> {
    let database = tempfile::tempdir().unwrap();
    let place = backend.place(database.path())?;
    let prefix = format!("{name}-{}-{backend:?}", std::process::id()).replace(['(', ')', ' '], "");
    let settings = place.settings.with("retry=(deadline=60s)");
    let output = scenario(name, &database.path().join("home"), &settings).env("PREFIX", &prefix).output().unwrap();
    assert!(output.status.success(), "{name} on {backend:?}: {}", text(&output));
    // What is said comes from WiredTiger's message system, and nothing is when all is well.
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.lines().all(|line| line.contains("[WT_VERB_EXTENSION][ERROR]")), "{name} on {backend:?}: {errors}");
    assert_eq!(errors.is_empty(), name != "calls", "{name} on {backend:?}: {errors}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), format!("{name}: done\n"), "on {backend:?}");
    Some(Ran { place, prefix, _database: database })
}

/// What a scenario left behind; directory buckets live in the database's directory here.
struct Ran {
    place: Place,
    prefix: String,
    _database: tempfile::TempDir,
}

impl Ran {
    fn names(&self) -> Vec<String> {
        self.place.verified_names(&self.prefix)
    }
}

fn lifecycle(backend: Backend) {
    let Some(ran) = run("lifecycle", backend) else { return };
    let names = ran.names();
    assert_eq!(names.len(), 5, "one object for each of five flushes: {names:?}");
}

fn many_tables(backend: Backend) {
    run("many_tables", backend);
}

fn large_values(backend: Backend) {
    run("large_values", backend);
}

fn local_retention(backend: Backend) {
    run("local_retention", backend);
}

/// `remove_shared` decides what stays in the bucket.
fn drops(backend: Backend) {
    let Some(ran) = run("drops", backend) else { return };
    let names = ran.names();
    let of = |table: &str| names.iter().filter(|name| name.contains(table)).count();
    assert_eq!((of("kept"), of("gone"), of("again")), (1, 0, 1), "{names:?}");
}

fn two_databases(backend: Backend) {
    run("two_databases", backend);
}

fn readers_during_flushes(backend: Backend) {
    run("readers_during_flushes", backend);
}

/// The storage source by itself, through WiredTiger's Python API.
fn calls(backend: Backend) {
    let Some(ran) = run("calls", backend) else { return };
    let names = ran.names();
    assert_eq!(names, [format!("{}/calls/object", ran.prefix)], "what was flushed last");
}

macro_rules! on_every_backend {
    ($($scenario:ident),+ $(,)?) => {
        on_every_backend!(@one dir, Backend::Dir, $($scenario),+);
        on_every_backend!(@one seaweedfs, Backend::On(Server::SeaweedFs), $($scenario),+);
        on_every_backend!(@one moto, Backend::On(Server::Moto), $($scenario),+);
        on_every_backend!(@one localstack, Backend::On(Server::LocalStack), $($scenario),+);
        on_every_backend!(@one azurite, Backend::On(Server::Azurite), $($scenario),+);
        on_every_backend!(@one gcs, Backend::On(Server::Gcs), $($scenario),+);
    };
    (@one $name:ident, $backend:expr, $($scenario:ident),+) => {
        mod $name {
            use super::*;
            $(
                #[test]
                fn $scenario() {
                    super::$scenario($backend);
                }
            )+
        }
    };
}

on_every_backend!(
    lifecycle,
    many_tables,
    large_values,
    local_retention,
    drops,
    two_databases,
    readers_during_flushes,
    calls,
);

//! Each server starts, answers, stops, and leaves neither a process nor a file.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test says what it expects by failing")]
#![allow(clippy::print_stdout, reason = "what is not run is said by name")]
#![allow(clippy::disallowed_methods, reason = "these tests wait for processes of the real machine")]

mod stores;

use std::path::PathBuf;
use std::time::Duration;

use object_store::path::Path as Name;
use object_store::{ObjectStore, ObjectStoreExt, PutMode};
use plastron_localstack::{CacheFolder, Endpoint, ErrorKind, Running, Server};
use stores::store_at;

/// The processes whose parent is `supervisor`, and theirs, as `/proc` shows them.
fn descendants(supervisor: u32) -> Vec<u32> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Some(process) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        let Ok(stat) = std::fs::read_to_string(entry.path().join("stat")) else { continue };
        let parent = stat.rsplit_once(')').unwrap().1.split_whitespace().nth(1).unwrap().parse::<u32>().unwrap();
        if parent == supervisor {
            found.push(process);
            found.extend(descendants(process));
        }
    }
    found
}

/// The numbers of the process's sockets.
fn sockets_of(process: u32) -> Vec<String> {
    let Ok(files) = std::fs::read_dir(format!("/proc/{process}/fd")) else { return Vec::new() };
    files
        .flatten()
        .filter_map(|file| std::fs::read_link(file.path()).ok())
        .filter_map(|link| Some(link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()))
        .collect()
}

/// The files that the process's sockets are, as `/proc/net/unix` names them.
fn socket_files_of(process: u32) -> Vec<PathBuf> {
    let sockets = sockets_of(process);
    let all = std::fs::read_to_string(format!("/proc/{process}/net/unix")).unwrap_or_default();
    let fields = all.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>());
    let ours = fields.filter(|fields| sockets.iter().any(|socket| fields.get(6) == Some(&socket.as_str())));
    ours.filter_map(|fields| fields.get(7).filter(|path| path.starts_with('/')).map(PathBuf::from)).collect()
}

/// Looks the process's sockets up among all that listen, as `/proc/net/tcp` writes them: addresses in the machine's byte order.
fn assert_listens_on_loopback_only(process: u32, server: Server) {
    let sockets = sockets_of(process);
    for (table, loopback) in [("tcp", "0100007F"), ("tcp6", "0000000000000000FFFF00000100007F")] {
        let listening = std::fs::read_to_string(format!("/proc/{process}/net/{table}")).unwrap_or_default();
        for line in listening.lines().skip(1) {
            let fields: Vec<&str> = line.split_whitespace().collect();
            if fields[3] == "0A" && sockets.iter().any(|socket| socket == fields[9]) {
                assert!(fields[1].starts_with(loopback), "process {process} of {server} listens on {}", fields[1]);
            }
        }
    }
}

fn data_of(process: u32) -> PathBuf {
    std::fs::read_link(format!("/proc/{process}/cwd")).unwrap()
}

/// Whether a process runs: one that has ended and was not yet collected by its parent does not.
fn runs(process: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with(['Z', 'X']))
}

/// Waits for a process that was killed a moment ago; on a machine that is busy with others it may take a while.
fn is_gone(process: u32) -> bool {
    for _ in 0..18_000 {
        if !runs(process) {
            return true;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    false
}

/// Starts a server; `None`, said by name, when `localstack run` found that it cannot be on this machine.
async fn start(server: Server) -> Option<Running> {
    if let Err(error) = Endpoint::from_variables(server, |name| std::env::var(name).ok()) {
        println!("not run: {error}");
        return None;
    }
    Some(Running::start(server, &CacheFolder::from_environment().unwrap()).await.unwrap())
}

async fn starts_answers_stops(server: Server) {
    let Some(running) = start(server).await else { return };
    let endpoint = running.endpoint().clone();
    endpoint.create_bucket("answers").await.unwrap();
    endpoint.create_bucket("answers").await.unwrap();

    let objects = store_at(&endpoint, &endpoint.url, "answers", &endpoint.access_key, &endpoint.secret_key);
    let name = Name::from("a/b c");
    objects.put(&name, "hello".into()).await.unwrap();
    assert_eq!(objects.get(&name).await.unwrap().bytes().await.unwrap(), "hello");
    let again = objects.put_opts(&name, "other".into(), PutMode::Create.into()).await;
    match server {
        Server::Careless => drop(again.unwrap()),
        Server::Swift => assert!(
            matches!(again, Err(object_store::Error::NotImplemented { .. } | object_store::Error::Generic { .. })),
            "{again:?}"
        ),
        _ => assert!(matches!(again, Err(object_store::Error::AlreadyExists { .. })), "{again:?}"),
    }

    if let Some((access, secret)) = &endpoint.read_only {
        let reader = store_at(&endpoint, &endpoint.url, "answers", access, secret);
        let there = if server == Server::Careless { "other" } else { "hello" };
        assert_eq!(reader.get(&name).await.unwrap().bytes().await.unwrap(), there);
        let denied = reader.put(&Name::from("denied"), "x".into()).await;
        assert!(matches!(denied, Err(object_store::Error::PermissionDenied { .. })), "{denied:?}");
    }
    if matches!(server, Server::SeaweedFs | Server::MotoAuth | Server::Swift) {
        let wrong = store_at(&endpoint, &endpoint.url, "answers", &endpoint.access_key, "wrong").get(&name).await;
        assert!(matches!(wrong, Err(object_store::Error::PermissionDenied { .. })), "{wrong:?}");
    }

    leaves_nothing(running).await;
    if let Some(file) = endpoint.credentials_file {
        assert!(!file.exists(), "{} of {server} is still there", file.display());
    }
}

async fn leaves_nothing(running: Running) {
    let server = running.endpoint().server;
    let supervisors = running.supervisors();
    let processes: Vec<u32> = supervisors.iter().flat_map(|supervisor| descendants(*supervisor)).collect();
    for process in &processes {
        assert_listens_on_loopback_only(*process, server);
    }
    let data: Vec<PathBuf> = supervisors.iter().map(|supervisor| data_of(*supervisor)).collect();
    let socket_files = || processes.iter().flat_map(|process| socket_files_of(*process)).collect::<Vec<PathBuf>>();
    // It answers before it has opened the last of them.
    for _ in 0..1800 {
        if server != Server::SeaweedFs || socket_files().len() >= 5 {
            break;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    let socket_files = socket_files();
    assert!(socket_files.len() >= 5 || server != Server::SeaweedFs, "{socket_files:?}");
    assert!(processes.len() >= supervisors.len());
    assert!(data.iter().all(|data| data.exists()));
    running.stop().await.unwrap();
    for process in supervisors.into_iter().chain(processes) {
        assert!(is_gone(process), "process {process} of {server} is still there");
    }
    for file in data.into_iter().chain(socket_files) {
        assert!(!file.exists(), "{} of {server} is still there", file.display());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn seaweedfs() {
    starts_answers_stops(Server::SeaweedFs).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn moto() {
    starts_answers_stops(Server::Moto).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn moto_with_authorization() {
    starts_answers_stops(Server::MotoAuth).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn azurite() {
    starts_answers_stops(Server::Azurite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gcs() {
    starts_answers_stops(Server::Gcs).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn careless() {
    starts_answers_stops(Server::Careless).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn localstack() {
    starts_answers_stops(Server::LocalStack).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn swift() {
    starts_answers_stops(Server::Swift).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn openbao() {
    let Some(running) = start(Server::OpenBao).await else { return };
    let endpoint = running.endpoint().clone();
    assert!(endpoint.create_bucket("none").await.is_err_and(|error| error.kind() == ErrorKind::Unsupported));
    assert!(!endpoint.secret_key.is_empty());
    leaves_nothing(running).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn etcd() {
    let Some(running) = start(Server::Etcd).await else { return };
    assert_eq!(running.endpoint().other_urls.len(), 3);
    assert_eq!(running.supervisors().len(), 3);
    leaves_nothing(running).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_supervisor_is_killed_ends_with_it() {
    let Some(running) = start(Server::Moto).await else { return };
    let supervisor = running.supervisors()[0];
    let data = data_of(supervisor);
    let server =
        descendants(supervisor).into_iter().find(|process| command_of(*process).contains("moto_server\0-H")).unwrap();
    let killed = std::process::Command::new("kill").args(["-KILL", &supervisor.to_string()]).status().unwrap();
    assert!(killed.success());
    assert!(is_gone(server), "moto still runs");
    running.stop().await.unwrap();
    // Nobody is left to remove it.
    std::fs::remove_dir_all(data).unwrap();
}

fn command_of(process: u32) -> String {
    String::from_utf8_lossy(&std::fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default()).into_owned()
}

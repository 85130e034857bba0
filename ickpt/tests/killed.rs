//! The process of an instance is killed at any moment, and its disk fails: nothing that was acknowledged is lost.
//!
//! `PLASTRON_ROUNDS=1000 cargo test -p plastron-ickpt --test killed` kills it so often.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests say what they expect by failing"
)]

mod support;

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::Request;
use plastron_ickpt::stand_in::{StandIn, WRITER};
use plastron_ickpt::{HttpClient, Origin};
use plastron_sources::clock::{Clock as _, Entropy as _, SystemClock, SystemEntropy};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

const ROUNDS: u64 = 20;
const WRITERS: usize = 3;
/// Longer than any machine takes for one value.
const PATIENCE: Duration = Duration::from_secs(300);

/// Starts an instance, under `limit` of a shell, and waits until it serves.
async fn start(folder: &Path, store: &StandIn, limit: &str) -> (Child, Origin) {
    let conf = folder.join("ickpt.conf");
    let text = format!(
        "[ICKPT]\nIPAddr: 127.0.0.1\nPort: 0\nDataBasePath: {}\nTransactionTimeout: 10m\nAllowedStorageOrigins: {}\n",
        folder.join("db").display(),
        store.origin()
    );
    std::fs::write(&conf, text).unwrap();
    let script = format!("{limit}\nexec \"$0\" serve --conf \"$1\"");
    let mut command = Command::new("sh");
    command.arg("-c").arg(script).arg(env!("CARGO_BIN_EXE_plastron-ickpt")).arg(conf);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).await.unwrap();
    let address = line.split(' ').nth(1).unwrap_or_else(|| panic!("it did not start: {line:?}"));
    (child, Origin::parse(&format!("http://{address}")).unwrap())
}

async fn call(
    client: &HttpClient,
    origin: &Origin,
    method: &str,
    path: &str,
    url: &str,
    body: Vec<u8>,
) -> Option<(u16, Vec<u8>)> {
    let request =
        Request::builder().method(method).uri(path).header("X-Storage-Url", url).header("X-Auth-Token", WRITER);
    let request = request.body(body.into()).unwrap();
    let sent = tokio::time::timeout(PATIENCE, client.send(origin, request, 1 << 17)).await.unwrap();
    sent.ok().map(|answer| (answer.status, answer.body.to_vec()))
}

/// The value of that number: of its own length, up to 64 KiB.
fn value(number: u64) -> Vec<u8> {
    let mut bytes = number.to_le_bytes().to_vec();
    bytes.resize(8 + (number as usize * 7919) % 65_000, number as u8);
    bytes
}

#[derive(Default)]
struct Progress {
    attempted: AtomicU64,
    acknowledged: AtomicU64,
}

/// Writes one number after the other until the instance is gone.
async fn write(client: HttpClient, origin: Origin, url: String, progress: Arc<Progress>) {
    loop {
        let number = progress.attempted.fetch_add(1, Ordering::SeqCst) + 1;
        let path = format!("/{number:016x}");
        match call(&client, &origin, "PUT", &path, &url, value(number)).await {
            Some((204, _)) => {}
            _ => return,
        }
        match call(&client, &origin, "POST", &path, &url, Vec::new()).await {
            Some((200, _)) => progress.acknowledged.store(number, Ordering::SeqCst),
            _ => return,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_is_there_after_kill_9() {
    let rounds = std::env::var("PLASTRON_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(ROUNDS);
    let folder = tempfile::tempdir().unwrap();
    let store = StandIn::start().await.unwrap();
    let urls: Vec<_> = (0..WRITERS).map(|number| store.object(&format!("/v1/{number}"), b"0")).collect();
    let all: Vec<Arc<Progress>> = (0..WRITERS).map(|_| Arc::default()).collect();
    let entropy = SystemEntropy::default();
    for round in 0..rounds {
        let (mut child, origin) = start(folder.path(), &store, "").await;
        let client = support::client();
        for (url, progress) in urls.iter().zip(&all) {
            let (acknowledged, attempted) =
                (progress.acknowledged.load(Ordering::SeqCst), progress.attempted.load(Ordering::SeqCst));
            let (status, found) = call(&client, &origin, "GET", "/", url, Vec::new()).await.unwrap();
            assert_eq!(status, 200);
            let possible =
                (acknowledged..=attempted).map(|number| if number == 0 { b"0".to_vec() } else { value(number) });
            let found_at = possible.enumerate().find(|(_, value)| *value == found);
            let (offset, _) = found_at.unwrap_or_else(|| {
                panic!(
                    "round {round}, {url}: {acknowledged} was acknowledged, {attempted} attempted, found {} bytes",
                    found.len()
                )
            });
            progress.acknowledged.store(acknowledged + offset as u64, Ordering::SeqCst);
        }
        let before: Vec<_> = all.iter().map(|progress| progress.acknowledged.load(Ordering::SeqCst)).collect();
        let tasks: Vec<_> = urls
            .iter()
            .zip(&all)
            .map(|(url, progress)| {
                tokio::spawn(write(client.clone(), origin.clone(), url.clone(), Arc::clone(progress)))
            })
            .collect();
        // Every second life ends when all have gone on, however long that takes here, and the others at any moment.
        if round % 2 == 0 {
            let gone_on = async {
                while all
                    .iter()
                    .zip(&before)
                    .any(|(progress, before)| progress.acknowledged.load(Ordering::SeqCst) == *before)
                {
                    SystemClock.sleep(Duration::from_millis(1)).await;
                }
            };
            tokio::time::timeout(PATIENCE, gone_on).await.expect("the instance takes values");
        }
        SystemClock.sleep(Duration::from_micros(entropy.next_u64() % 120_000)).await;
        child.start_kill().unwrap();
        child.wait().await.unwrap();
        for task in tasks {
            task.await.unwrap();
        }
    }
    let acknowledged: Vec<_> = all.iter().map(|progress| progress.acknowledged.load(Ordering::SeqCst)).collect();
    println!("{rounds} rounds, acknowledged {acknowledged:?}");
    assert!(acknowledged.iter().all(|count| *count > rounds / 4), "{acknowledged:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_fails_ends_the_process_and_loses_nothing() {
    use std::os::unix::process::ExitStatusExt as _;
    let folder = tempfile::tempdir().unwrap();
    let store = StandIn::start().await.unwrap();
    // A file can have 4 MiB (blocks of 512 bytes), and what goes beyond fails.
    let (mut child, origin) = start(folder.path(), &store, "trap '' XFSZ; ulimit -f 8192").await;
    let client = support::client();
    let mut acknowledged = Vec::new();
    for number in 1..400 {
        let url = store.object(&format!("/v1/{number}"), b"0");
        let staged = call(&client, &origin, "PUT", "/1", &url, vec![b'x'; 60_000]).await;
        let Some((204, _)) = staged else { break };
        match call(&client, &origin, "POST", "/1", &url, Vec::new()).await {
            Some((200, _)) => acknowledged.push(url),
            None => break,
            Some((status, _)) => panic!("it answered {status} after its disk had failed"),
        }
    }
    let status = child.wait().await.unwrap();
    assert_eq!(status.signal(), Some(6), "{status}");
    assert!(acknowledged.len() > 3 && acknowledged.len() < 399, "{}", acknowledged.len());
    let (_child, origin) = start(folder.path(), &store, "").await;
    for url in acknowledged {
        assert_eq!(
            call(&client, &origin, "GET", "/", &url, Vec::new()).await,
            Some((200, vec![b'x'; 60_000])),
            "{url}"
        );
    }
}

//! Blocking reads from wherever an engine may call them.

use std::sync::Arc;
use std::thread;

use plastron::ErrorKind;
use tokio::runtime::{Builder, Runtime};

use crate::setting::{Setting, bytes, setting};

const COLD: &str = "source=memory_store,bucket=b,cache=(memory=16MB,write_through=false)";

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

async fn prepared(store: &str) -> Setting {
    let setting = setting(store).await;
    setting.files.put("a", bytes(3_000_000)).await.unwrap();
    setting
}

#[test]
fn plain_threads_read_what_is_cold() {
    for store in [COLD, "source=memory_store,bucket=b,cache=(enabled=false)"] {
        let runtime = runtime();
        let setting = runtime.block_on(prepared(store));
        let file = runtime.block_on(setting.files.open_file("a")).unwrap();
        let content = bytes(3_000_000);
        thread::scope(|scope| {
            for reader in 0..16 {
                let (file, content) = (file.clone(), &content);
                scope.spawn(move || {
                    let mut page = [0; 10_000];
                    for step in 0..40 {
                        let at = (step * 16 + reader) * 30_011 % 2_990_000;
                        file.read_at(at as u64, &mut page).unwrap();
                        assert!(page[..] == content[at..at + 10_000]);
                    }
                });
            }
        });
    }
}

#[test]
fn blocking_threads_and_workers_may_read_too() {
    let runtime = runtime();
    let setting = runtime.block_on(prepared(COLD));
    let file = runtime.block_on(setting.files.open_file("a")).unwrap();
    let on_blocking = file.clone();
    let first = runtime.spawn_blocking(move || {
        let mut page = [0; 100];
        on_blocking.read_at(0, &mut page).map(|()| page)
    });
    assert_eq!(runtime.block_on(first).unwrap().unwrap()[..], bytes(100)[..]);
    // The only worker there is.
    let on_worker = file.clone();
    let second = runtime.spawn(async move {
        let mut page = [0; 100];
        on_worker.read_at(1_000_000, &mut page).map(|()| page)
    });
    assert_eq!(runtime.block_on(second).unwrap().unwrap()[..], bytes(1_000_100)[1_000_000..]);
}

#[test]
fn on_a_single_thread_hits_are_served_and_misses_refused() {
    let outer = runtime();
    let setting = outer.block_on(prepared(COLD));
    let file = outer.block_on(setting.files.open_file("a")).unwrap();
    outer.block_on(file.read(0..10)).unwrap();
    let single = Builder::new_current_thread().enable_all().build().unwrap();
    single.block_on(async {
        let mut page = [0; 100];
        file.read_at(1000, &mut page).unwrap();
        assert_eq!(page[..], bytes(1100)[1000..]);
        let error = file.read_at(2_000_000, &mut page).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
        // The asynchronous call works here.
        assert_eq!(file.read(2_000_000..2_000_010).await.unwrap().len(), 10);
    });
}

#[test]
fn a_file_system_of_a_single_threaded_runtime_refuses_to_block() {
    let single = Builder::new_current_thread().enable_all().build().unwrap();
    let setting = single.block_on(prepared(COLD));
    let file = single.block_on(setting.files.open_file("a")).unwrap();
    let error = file.read_at(0, &mut [0; 10]).unwrap_err();
    assert!(error.kind() == ErrorKind::Unsupported && error.to_string().contains("plastron::blocking"), "{error}");
    single.block_on(file.read(0..10)).unwrap();
    file.read_at(0, &mut [0; 10]).unwrap();
}

#[test]
fn after_its_runtime_a_file_fails_but_does_not_hang() {
    let runtime = runtime();
    let setting = runtime.block_on(prepared(COLD));
    let file = Arc::new(runtime.block_on(setting.files.open_file("a")).unwrap());
    runtime.block_on(file.read(0..10)).unwrap();
    runtime.shutdown_background();
    file.read_at(0, &mut [0; 10]).unwrap();
    let error = file.read_at(2_000_000, &mut [0; 10]).unwrap_err();
    assert!(error.kind() == ErrorKind::Unavailable && !error.is_retryable(), "{error}");
}

//! The contract that every key module keeps, and that `KeyManagement` keeps for them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a test")]

mod support;

use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use bytes::Bytes;
use plastron_config::{Config, ErrorKind};
use plastron_keys::{
    Binding, BlobAnswer, Completion, DataKey, DataKeyWrapper, Fault, KeyBlob, KeyEnvironment, KeyManagement, KeyModule,
    PendingBlob, WrappedKey,
};
use support::{changed, open, opened, unchanged};

const HERE: Binding = Binding::segment([7; 16], 3, 42);

#[tokio::test]
async fn a_database_lives_through_restarts_and_rotation() {
    let keys = open("name=mock,config=(key_expires=-1)").await;
    assert!(keys.encrypts());
    // A segment before there is any blob.
    let (early, early_key) = opened(&keys, HERE).await;
    let first = changed(&keys).await;
    let first_blob = first.blob().clone();
    keys.get_key_complete(first, Ok(10)).await.unwrap();
    unchanged(&keys).await;
    unchanged(&keys).await;

    // A restart: the same blob is loaded, and is used again.
    let keys = open("name=mock,config=(key_expires=-1)").await;
    keys.load_key_blob(first_blob.clone()).await.unwrap();
    unchanged(&keys).await;
    keys.rotate().await.unwrap();
    let second = changed(&keys).await;
    let second_blob = second.blob().clone();
    assert_ne!(first_blob, second_blob);
    keys.get_key_complete(second, Ok(20)).await.unwrap();
    unchanged(&keys).await;
    let (late, late_key) = opened(&keys, HERE).await;
    assert_eq!(keys.show().await.unwrap().iter().map(|key| key.in_force).collect::<Vec<_>>(), [false, true]);

    // A follower that has the first blob only.
    let follower = open("name=mock").await;
    follower.load_key_blob(first_blob).await.unwrap();
    support::opens(&follower, HERE, &early_key, &early).await;
    let error = follower.opener(HERE, late_key.clone()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized);
    assert!(matches!(error.fault(), Fault::UnknownKek { .. }), "{error}");
    // It picks up the second: old and new open.
    follower.load_key_blob(second_blob).await.unwrap();
    support::opens(&follower, HERE, &early_key, &early).await;
    support::opens(&follower, HERE, &late_key, &late).await;
}

#[tokio::test]
async fn a_failed_checkpoint_leaves_the_old_key_in_force() {
    let keys = open("name=mock,config=(key_expires=0)").await;
    let first = changed(&keys).await;
    keys.get_key_complete(first, Ok(1)).await.unwrap();
    let in_force = keys.show().await.unwrap();
    let second = changed(&keys).await;
    keys.get_key_complete(second, Err("the bucket is down".into())).await.unwrap();
    assert_eq!(keys.show().await.unwrap(), in_force);
    // Nothing is lost: the next checkpoint gets it.
    let second = changed(&keys).await;
    keys.get_key_complete(second, Ok(2)).await.unwrap();
    assert_eq!(keys.show().await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_blob_that_is_dropped_or_overtaken_has_failed() {
    let keys = open("name=mock,config=(key_expires=0)").await;
    drop(changed(&keys).await);
    let first = changed(&keys).await;
    let second = changed(&keys).await;
    let error = keys.get_key_complete(first, Ok(5)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert_eq!(
        error.to_string(),
        "get_key_complete key module 'mock': another get_key_blob has taken the place of this one, so its blob will never be in force; \
         fail this checkpoint"
    );
    keys.get_key_complete(second, Ok(6)).await.unwrap();
    // A load gives up what waits, too.
    let third = changed(&keys).await;
    keys.load_key_blob(third.blob().clone()).await.unwrap();
    assert_eq!(keys.get_key_complete(third, Ok(7)).await.unwrap_err().kind(), ErrorKind::Conflict);
}

#[tokio::test]
async fn an_lsn_of_zero_is_no_success() {
    let keys = open("name=mock").await;
    let pending: PendingBlob = changed(&keys).await;
    let error = keys.get_key_complete(pending, Ok(0)).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.to_string().as_str()),
        (ErrorKind::Invalid, "get_key_complete key module 'mock': the LSN of the KEK page is 0, and LSNs start at 1")
    );
    let pending = changed(&keys).await;
    keys.get_key_complete(pending, Ok(u64::MAX)).await.unwrap();
    unchanged(&keys).await;
}

#[tokio::test]
async fn blobs_at_the_edges_of_their_size() {
    let keys = open("name=mock,config=(blob_size=16MB)").await;
    let pending = changed(&keys).await;
    assert_eq!(pending.blob().len(), 16 << 20);
    let blob = pending.blob().clone();
    keys.get_key_complete(pending, Ok(1)).await.unwrap();
    keys.load_key_blob(blob.clone()).await.unwrap();
    for (blob, size) in [(Bytes::new(), 0), ([&blob[..], b"x"].concat().into(), (16 << 20) + 1)] {
        let error = keys.load_key_blob(blob).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.to_string()),
            (
                ErrorKind::Invalid,
                format!("load_key_blob key module 'mock': a key blob is {size} bytes; it can be 1 to 16777216")
            )
        );
    }
    unchanged(&keys).await;
}

#[tokio::test]
async fn nothing_is_called_after_the_end() {
    let keys = open("name=mock").await;
    let clone = keys.clone();
    let pending = changed(&keys).await;
    keys.terminate().await.unwrap();
    let wrapped = WrappedKey::from_bytes(vec![1]).unwrap();
    for error in [
        clone.terminate().await.unwrap_err(),
        clone.load_key_blob(Bytes::from_static(b"x")).await.unwrap_err(),
        clone.get_key_blob().await.unwrap_err(),
        clone.get_key_complete(pending, Ok(1)).await.unwrap_err(),
        clone.new_cipher(HERE).await.unwrap_err(),
        clone.opener(HERE, wrapped).await.unwrap_err(),
        clone.show().await.unwrap_err(),
        clone.rotate().await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().ends_with("the key module was terminated; open the store again"), "{error}");
    }
}

/// A module whose `wrap` says that it has begun, ends when it is let, and notes who ended when.
#[derive(Debug)]
struct Slow {
    begun: mpsc::SyncSender<()>,
    goes_on: Mutex<mpsc::Receiver<()>>,
    ended: Arc<Mutex<Vec<&'static str>>>,
}

impl KeyModule for Slow {
    fn name(&self) -> &str {
        "slow"
    }

    fn load_key_blob(&self, _: &[u8]) -> Result<(), Fault> {
        Ok(())
    }

    fn get_key_blob(&self) -> Result<BlobAnswer, Fault> {
        Ok(BlobAnswer::Unchanged)
    }

    fn get_key_complete(&self, _: &Completion) -> Result<(), Fault> {
        Ok(())
    }

    fn terminate(&self) -> Result<(), Fault> {
        self.ended.lock().unwrap().push("terminate");
        Ok(())
    }

    fn data_keys(&self) -> Option<&dyn DataKeyWrapper> {
        Some(self)
    }
}

impl DataKeyWrapper for Slow {
    fn wrap(&self, _: &DataKey, _: &Binding) -> Result<WrappedKey, Fault> {
        self.begun.send(()).unwrap();
        self.goes_on.lock().unwrap().recv().unwrap();
        self.ended.lock().unwrap().push("wrap");
        WrappedKey::from_bytes(vec![1])
    }

    fn unwrap(&self, _: &WrappedKey, _: &Binding) -> Result<DataKey, Fault> {
        Err(Fault::Terminated)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[allow(clippy::disallowed_methods, reason = "gives an end that does not wait the time to show itself")]
async fn the_end_waits_for_what_is_under_way() {
    let (begun, begins) = mpsc::sync_channel(1);
    let (go_on, goes_on) = mpsc::channel();
    let ended = Arc::new(Mutex::new(Vec::new()));
    let module = Slow { begun, goes_on: Mutex::new(goes_on), ended: ended.clone() };
    let keys = KeyManagement::from_module(Box::new(module), KeyEnvironment::default());
    let clone = keys.clone();
    let wrapping = tokio::spawn(async move { clone.new_cipher(HERE).await });
    tokio::task::spawn_blocking(move || begins.recv().unwrap()).await.unwrap();
    let ending = tokio::spawn(async move { keys.terminate().await });
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(ended.lock().unwrap().is_empty());
    go_on.send(()).unwrap();
    assert!(wrapping.await.unwrap().unwrap().is_some());
    ending.await.unwrap().unwrap();
    assert_eq!(*ended.lock().unwrap(), ["wrap", "terminate"]);
}

#[tokio::test]
async fn no_keys_is_a_module_too() {
    for keys in [KeyManagement::none(), open("").await, open("name=none,early_load=true,config=()").await] {
        assert!(!keys.encrypts());
        assert!(keys.new_cipher(HERE).await.unwrap().is_none());
        assert!(matches!(keys.get_key_blob().await.unwrap(), KeyBlob::Unchanged));
        for (error, message) in [
            (
                keys.load_key_blob(Bytes::from_static(b"keys")).await.unwrap_err(),
                "load_key_blob key module 'none': the database holds a key blob of 4 bytes, and the key module 'none' takes none; \
                 open it with the key_management=(…) it was written with",
            ),
            (
                keys.opener(HERE, WrappedKey::from_bytes(vec![1]).unwrap()).await.unwrap_err(),
                "unwrap key module 'none': it is encrypted, and the key module 'none' has no data keys; open it with the \
                 key_management=(…) it was written with",
            ),
        ] {
            assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Unauthorized, message));
        }
        assert_eq!(keys.rotate().await.unwrap_err().kind(), ErrorKind::Unsupported);
        keys.terminate().await.unwrap();
    }
}

#[tokio::test]
async fn another_seed_is_another_master_key() {
    let keys = open("name=mock,config=(seed=one)").await;
    let blob = changed(&keys).await;
    let other = open("name=mock,config=(seed=two)").await;
    let error = other.load_key_blob(blob.blob().clone()).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.to_string().as_str()),
        (
            ErrorKind::Unauthorized,
            "load_key_blob key module 'mock': wrong master key: the blob was made by a key module 'mock' with another seed"
        )
    );
}

#[test]
fn without_a_runtime_there_is_an_error_and_no_panic() {
    let config = Config::parse("name=mock").unwrap();
    let mut opening = std::pin::pin!(KeyManagement::open(&config));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let std::task::Poll::Ready(Err(error)) = opening.as_mut().poll(&mut context) else { panic!("it opened") };
    assert_eq!(error.kind(), ErrorKind::Unavailable);
}

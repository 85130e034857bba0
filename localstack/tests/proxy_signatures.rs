//! Requests signed for the proxy's address are good at every server, and large bodies pass.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test says what it expects by failing")]
#![allow(clippy::print_stdout, reason = "what is not run is said by name")]

mod stores;

use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, WriteMultipart};
use plastron_localstack::{ErrorKind, Fault, FaultProxy, Rule, Rules, Server, endpoint};
use stores::store_at;

/// Bytes whose every 64 KiB differ from all others.
fn pattern(length: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(length + (64 << 10));
    while bytes.len() < length {
        let number = bytes.len().to_le_bytes();
        bytes.extend(number.repeat((64 << 10) / number.len()));
    }
    bytes.truncate(length);
    bytes
}

async fn passes(server: Server) {
    let endpoint = match endpoint(server).await {
        Err(error) if error.kind() == ErrorKind::Unsupported => {
            println!("not run: {error}");
            return;
        }
        endpoint => endpoint.unwrap(),
    };
    endpoint.create_bucket("signed").await.unwrap();
    let proxy = FaultProxy::before(&endpoint.url).start().await.unwrap();
    let store =
        store_at(&endpoint, &endpoint.url_at(&proxy.url()), "signed", &endpoint.access_key, &endpoint.secret_key);

    // One request of 64 MiB, with characters that have to be escaped the same way on both sides.
    let large = pattern(64 << 20);
    let name = Path::from("dir/ä %+#large");
    store.put(&name, large.clone().into()).await.unwrap();
    assert!(store.get(&name).await.unwrap().bytes().await.unwrap() == large);
    assert_eq!(store.get_range(&name, 1_000_000..1_000_010).await.unwrap(), large[1_000_000..1_000_010]);

    // Many requests.
    let parts = Path::from("parts");
    let mut upload = WriteMultipart::new_with_chunk_size(store.put_multipart(&parts).await.unwrap(), 6 << 20);
    upload.write(&large[..20 << 20]);
    upload.finish().await.unwrap();
    assert_eq!(store.head(&parts).await.unwrap().size, 20 << 20);

    if server != Server::Swift {
        let again = store.put_opts(&parts, "x".into(), PutMode::Create.into()).await;
        assert!(matches!(again, Err(object_store::Error::AlreadyExists { .. })), "{again:?}");
        // A server that checks no signature is made a careless one.
        proxy.set_rules(Rules::new(0, [Rule::new(Fault::strip_conditions())]));
        let overwritten = store.put_opts(&parts, "x".into(), PutMode::Create.into()).await;
        // Where the condition is signed, the request without it is refused.
        assert_eq!(
            overwritten.is_ok(),
            matches!(server, Server::Gcs | Server::Moto | Server::LocalStack),
            "{overwritten:?}"
        );
    }
    assert!(proxy.requests().total() >= 8);
    let (up, down) = proxy.body_bytes();
    assert!(up >= 84 << 20 && down >= 64 << 20, "{up} up, {down} down");
}

#[tokio::test]
async fn seaweedfs() {
    passes(Server::SeaweedFs).await;
}

#[tokio::test]
async fn moto() {
    passes(Server::Moto).await;
}

#[tokio::test]
async fn moto_with_authorization() {
    passes(Server::MotoAuth).await;
}

#[tokio::test]
async fn azurite() {
    passes(Server::Azurite).await;
}

#[tokio::test]
async fn gcs() {
    passes(Server::Gcs).await;
}

#[tokio::test]
async fn localstack() {
    passes(Server::LocalStack).await;
}

#[tokio::test]
async fn swift() {
    passes(Server::Swift).await;
}

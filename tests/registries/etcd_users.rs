//! An etcd with users: what its registry needs of them, and what it says without.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use plastron::checkpoint::CheckpointRequest;
use plastron::page_log::PutArgs;
use plastron::{Error, ErrorKind, Store};
use serde_json::json;
use tempfile::TempDir;

use crate::one_etcd::OneEtcd;

const PASSWORD: &str = "planted-etcd-password";

/// One node of etcd, for this test alone, for users concern all of an etcd.
struct Etcd(OneEtcd);

impl Etcd {
    /// Users: `root`, `writer` of what begins with `volumes/`, and `stranger`, who may nothing.
    async fn add_users(&self) {
        let range = json!({ "permType": "READWRITE", "key": STANDARD.encode("volumes/"), "range_end": STANDARD.encode("volumes0") });
        let steps = [
            ("role/add", json!({ "name": "root" })),
            ("role/add", json!({ "name": "writers" })),
            ("role/grant", json!({ "name": "writers", "perm": range })),
            ("user/add", json!({ "name": "root", "password": PASSWORD })),
            ("user/add", json!({ "name": "writer", "password": PASSWORD })),
            ("user/add", json!({ "name": "stranger", "password": PASSWORD })),
            ("user/grant", json!({ "user": "root", "role": "root" })),
            ("user/grant", json!({ "user": "writer", "role": "writers" })),
            ("enable", json!({})),
        ];
        for (step, body) in steps {
            self.0.post(&format!("/v3/auth/{step}"), body).await.unwrap_or_else(|error| panic!("{step}: {error}"));
        }
    }

    /// As root: sets the writer's password to what it is, upon which etcd forgets the tokens of that user.
    async fn forget_tokens(&self) {
        let root = json!({ "name": "root", "password": PASSWORD });
        let token = self.0.post("/v3/auth/authenticate", root).await.unwrap()["token"].as_str().unwrap().to_owned();
        let body = json!({ "name": "writer", "password": PASSWORD });
        self.0.post_as(Some(&token), "/v3/auth/user/changepw", body).await.unwrap();
    }

    fn store(&self, directory: &TempDir, more: &str) -> String {
        let (place, origin) = (directory.path().display(), self.0.origin());
        format!("source=dir_store,bucket=\"{place}\",registry=(name=etcd,endpoints=[\"{origin}\"],key=volumes/1{more})")
    }
}

async fn refused(store: &str) -> Error {
    let error = Store::open(store).await.unwrap().leader().await.unwrap_err();
    assert!(!format!("{error} {error:?} {:?}", error.fault()).contains(PASSWORD), "{error}");
    error
}

#[tokio::test]
async fn a_user_and_password_open_it_and_tokens_are_renewed() {
    let etcd = Etcd(OneEtcd::start().await);
    etcd.add_users().await;
    let directory = tempfile::tempdir().unwrap();
    for (more, said) in [
        ("", "user name is empty"),
        (",user=writer,password=wrong", "authentication failed"),
        (&format!(",user=nobody,password={PASSWORD}"), "authentication failed"),
        (&format!(",user=stranger,password={PASSWORD}"), "permission denied"),
    ] {
        let error = refused(&etcd.store(&directory, more)).await;
        assert_eq!(error.kind(), ErrorKind::Unauthorized, "{more}: {error}");
        assert!(error.to_string().contains(said), "{more}: {error}");
    }
    for (more, said) in [(",user=writer", "no password"), (&format!(",password={PASSWORD}"), "no user")] {
        let error = refused(&etcd.store(&directory, more)).await;
        assert_eq!(error.kind(), ErrorKind::Invalid, "{more}: {error}");
        assert!(error.to_string().contains(said), "{more}: {error}");
    }
    let store = Store::open(&etcd.store(&directory, &format!(",user=writer,password={PASSWORD}"))).await.unwrap();
    let leader = store.leader().await.unwrap();
    for page in 0..3 {
        leader.table(1).unwrap().put(page, PutArgs::full(), "a").await.unwrap();
        leader.checkpoint(CheckpointRequest::default()).await.unwrap();
        etcd.forget_tokens().await;
    }
    assert_eq!(store.history().await.unwrap().list().await.unwrap().len(), 3);
}

//! Nothing that is printed holds a secret.

use crate::run::{Done, Place};
use crate::server::{Server, s3_error};

const KEY: &str = "AKPLANTEDKEY";
const SECRETS: [&str; 4] = ["planted-secret", "planted/secret", "planted%2Fsecret", "plantedsas"];

fn check(done: &Done, what: &str) {
    for secret in SECRETS {
        assert!(!String::from_utf8_lossy(&done.stdout).contains(secret), "{what}: {done:?}");
        assert!(!done.stderr.contains(secret), "{what}: {done:?}");
    }
}

#[test]
fn no_failure_shows_one() {
    let denied = Server::start(|_, _| s3_error("403 Forbidden", "SignatureDoesNotMatch"));
    let broken = Server::start(|_, _| s3_error("500 Internal Server Error", "InternalError"));
    let token = format!("auth_token=\"{KEY};planted-secret\"");
    let stores = [
        denied.store(),
        broken.store(),
        format!("source=s3_store,bucket=b,{token},chache=(size=1)"),
        format!("source=s3_store,bucket=b,{token},part_size=x"),
        format!("source=s3_store,bucket=b,{token},endpoint=\"not a url\""),
        format!("source=s3_store,bucket=b,auth_token=\"{KEY};planted-secret"),
        format!("source=s3_store,bucket=b,auth_token={KEY};planted/secret,x=)"),
        format!("source=s3_store,bucket=b,auth_tokn=\"{KEY};planted-secret\""),
        format!("s3://{KEY}:planted-secret@bucket/x"),
        "s3://bucket/x?region=r&auth_token=AK%3Bplanted%2Fsecret&bad".to_owned(),
        "azure://container?auth_token=SharedAccessSignature%3Dsig%3Dplantedsas&nonsense=1".to_owned(),
        format!("dir:///tmp?{token}"),
        format!("{token},source=gcp_store,bucket=b"),
    ];
    for store in &stores {
        for arguments in [
            &["ls"][..],
            &["--json", "ls"][..],
            &["-vvv", "ls"][..],
            &["probe", "--stats"][..],
            &["probe", "--json", "-vvv"][..],
            &["put", "/etc/hostname"][..],
        ] {
            let done = Place::with_store(Some(store)).run(arguments);
            check(&done, &format!("{store} {arguments:?}"));
            // On the command line instead, with the option misspelled, and in the wrong place.
            let nowhere = Place::with_store(None);
            check(&nowhere.run(&[&["--store", store], arguments].concat()), store);
        }
        for arguments in [&["ls", "--store", store, "--bad"][..], &["--stroe", store, "ls"][..], &[store, "ls"][..]] {
            let done = Place::with_store(None).run(arguments);
            assert_eq!(done.code, 2, "{arguments:?}: {done:?}");
            check(&done, &format!("{arguments:?}"));
        }
        let misspelled = format!("--stor={store}");
        check(&Place::with_store(None).run(&[&misspelled, "ls"]), &misspelled);
    }
}

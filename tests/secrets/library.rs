//! Errors, `Debug` prints and log lines of stores in this process.

use std::error::Error as _;
use std::fmt::{Debug, Display, Write as _};
use std::io;
use std::sync::{Arc, Mutex};

use futures::TryStreamExt as _;
use plastron::{BucketOptions, Config, Error, Store, StoreOptions};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::planted::{
    BEARER, CLIENT_SECRET, PASSWORD, PRIVATE_KEY, REFRESH_TOKEN, SECRET_KEY, SESSION_TOKEN, SIGNATURE, Search,
    account_key, service_account, shared_access_signature,
};
use crate::server::{Mood, Server};

/// Settings that give up soon: after two attempts, however long this machine takes for them.
const SOON: &str =
    "probe=off,hedge=(enabled=false),retry=(deadline=10min,attempts=2,initial=1ms),timeout=(connect=2min,request=2min)";

/// Everything that was logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// Everything that was said by values.
#[derive(Default)]
struct Said(String);

impl Said {
    fn debug(&mut self, value: &impl Debug) {
        write!(self.0, "{value:?}\n{value:#?}\n").unwrap();
    }

    fn display(&mut self, value: &impl Display) {
        writeln!(self.0, "{value}\n{value:#}").unwrap();
    }

    fn result<T: Debug>(&mut self, result: Result<T, Error>) {
        match result {
            Ok(value) => self.debug(&value),
            Err(error) => {
                self.debug(&error);
                self.display(&error);
                self.debug(error.fault());
                let mut source = error.source();
                while let Some(cause) = source {
                    write!(self.0, "{cause:?}\n{cause:#?}\n{cause}\n").unwrap();
                    source = cause.source();
                }
            }
        }
    }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// Store strings for a server at `address`, each with secrets where they belong.
fn right(address: &str, files: &std::path::Path) -> Vec<String> {
    let host = address.strip_prefix("http://").unwrap();
    let (key, sas) = (account_key(), shared_access_signature());
    let file = files.join("account.json");
    std::fs::write(&file, service_account()).unwrap();
    let tokens = [
        ("s3_store,region=eu-central-1", format!("AKPLANTED;{SECRET_KEY}")),
        ("s3_store,region=eu-central-1", format!("AKPLANTED;{SECRET_KEY};{SESSION_TOKEN}")),
        ("azure_store", format!("AccountName=acct;AccountKey={key};BlobEndpoint=http://{host}/acct")),
        ("azure_store", format!("BlobEndpoint=http://{host}/acct;SharedAccessSignature={sas}")),
        ("gcp_store", format!("Bearer {BEARER}")),
        ("gcp_store", file.display().to_string()),
    ];
    let string = |(source, token): &(&str, String)| {
        let endpoint = if *source == "azure_store" { String::new() } else { format!(",endpoint={}", quoted(address)) };
        format!("source={source},bucket=pages{endpoint},auth_token={},{SOON}", quoted(token))
    };
    tokens.iter().map(string).collect()
}

/// Registries at `address`, with secrets where they belong and where they don't.
fn registries(address: &str) -> Vec<String> {
    let host = address.strip_prefix("http://").unwrap();
    let ickpt = |url: &str, storage_url: &str, token: &str| {
        format!("name=ickpt,urls=[\"{url}\"],storage_url=\"{storage_url}\",auth_token={},timeout=2s", quoted(token))
    };
    let storage_url = format!("{address}/v1/AUTH_a/c/o");
    vec![
        ickpt(address, &storage_url, BEARER),
        ickpt(address, &storage_url, SESSION_TOKEN),
        ickpt(&format!("http://u:{PASSWORD}@{host}"), &storage_url, BEARER),
        ickpt(address, &format!("http://u:{PASSWORD}@{host}/v1/AUTH_a/c/o"), BEARER),
        ickpt(address, &format!("{storage_url}?token={PASSWORD}"), BEARER),
        format!("name=etcd,endpoints=[\"{address}\"],user=u,password={PASSWORD},timeout=2s"),
        format!("name=etcd,endpoints=[\"{address}\"],user=u,password={},timeout=2s", quoted(SECRET_KEY)),
        format!("name=etcd,endpoints=[\"http://u:{PASSWORD}@{host}\"],timeout=2s"),
        format!("name=etcd,endpoints=[\"{address}\"],password={PASSWORD}"),
    ]
}

/// Strings with secrets where they do not belong, and with mistakes around them.
fn wrong() -> Vec<String> {
    let (key, sas) = (account_key(), shared_access_signature());
    let s3 = format!("AKPLANTED;{SECRET_KEY}");
    let account = service_account();
    let mut strings: Vec<String> = vec![
        format!("s3://AKPLANTED:{PASSWORD}@pages/db1"),
        format!("s3://pages?auth_token={PASSWORD}"),
        format!("s3://pages?secret_key={PASSWORD}&region=x"),
        format!("s3://AKPLANTED:x?{PASSWORD}@pages"),
        format!("az://pages?sig={PASSWORD}"),
        format!("az://pages/db1?{sas}"),
        format!("https://acct.blob.core.windows.net/pages?{sas}"),
        format!("gs://{PASSWORD}@pages"),
        format!("source=s3_store,bucket=pages,endpoint=\"http://user:{PASSWORD}@127.0.0.1:9\""),
        format!("source=s3_store,bucket=pages,endpoint=\"http://{PASSWORD}@127.0.0.1:9\""),
        format!("source=s3_store,bucket=pages,endpoint=\"http://127.0.0.1:9/?token={PASSWORD}\""),
        format!("source=s3_store,bucket=pages,endpoint=\"{SECRET_KEY}\""),
        format!("source=s3_store,bucket=\"pages;eu;AKPLANTED;{SECRET_KEY}\""),
        format!("source=gcp_store,bucket=pages,endpoint=\"user:{PASSWORD}@host\""),
        format!("source=dir_store,bucket=pages,registry=(name=bucket,auth_token={PASSWORD})"),
        format!("source=dir_store,bucket=pages,registry=(name=ickpt,auth_token={PASSWORD})"),
        format!("source=dir_store,bucket=pages,registry=(name=etcd,user=u,passwrd={PASSWORD})"),
        format!("source=dir_store,bucket=pages,registry=(name=etcd,auth_token={PASSWORD},endpoints=[\"http://a:1\"])"),
    ];
    for token in [
        s3.clone(),
        SECRET_KEY.to_owned(),
        format!("AKPLANTED {SECRET_KEY}"),
        format!("{s3};{SESSION_TOKEN};{PASSWORD}"),
        format!("{s3}\u{e9}"),
        format!("AccountName=a;AccountKey={key}"),
        format!("AccountKey={key}"),
        format!("AccountName=a;AccountKey={key}{PASSWORD}!"),
        format!("AccountName=a;AccountKay={key}"),
        format!("AccountName={key}"),
        format!("BlobEndpoint=https://a.blob.core.windows.net/?{sas}"),
        format!("BlobEndpoint=https://user:{PASSWORD}@a.blob.core.windows.net;SharedAccessSignature={sas}"),
        format!("BlobEndpoint=https://a.blob.core.windows.net;SharedAccessSignature=sp={SIGNATURE}"),
        sas.clone(),
        format!("?{sas}"),
        key.clone(),
        format!("Bearer {BEARER} {BEARER}"),
        format!("ya29.{BEARER}"),
        account.clone(),
        format!(
            "{{\"type\":\"authorized_user\",\"refresh_token\":\"{REFRESH_TOKEN}\",\"client_secret\":\"{CLIENT_SECRET}\"}}"
        ),
        format!("-----BEGIN PRIVATE KEY-----\\n{PRIVATE_KEY}"),
        format!("/no/such/{PASSWORD}.json"),
    ] {
        for source in ["s3_store", "azure_store", "gcp_store"] {
            // A good token of this source would send requests out of this machine.
            let good = match source {
                "s3_store" => token == s3 || token == format!("{s3};{SESSION_TOKEN}"),
                "azure_store" => token.starts_with("AccountName=a;AccountKey=") && !token.contains(PASSWORD),
                _ => false,
            };
            let start = format!("source={source},bucket=pages,region=eu-central-1,auth_token=");
            if !good {
                strings.push(format!("{start}{}", quoted(&token)));
            }
            for rest in [
                format!("{}x", quoted(&token)),
                format!("{},part_size=x", quoted(&token)),
                format!("{},chache=(size=1)", quoted(&token)),
                format!("{},auth_tokn={}", quoted(&token), quoted(&token)),
                format!("{},endpoint=\"not a url\"", quoted(&token)),
                format!("\"{}", token.replace('"', "")),
                format!("{token},size="),
                format!("({token})"),
            ] {
                strings.push(format!("{start}{rest}"));
            }
            // What could be a bucket's name is taken for one.
            if token.contains(['/', '+', ';', ' ']) {
                strings.push(format!("source={source},bucket={}", quoted(&token)));
            }
            strings.push(format!("source={source},bucket=pages,region={}", quoted(&token)));
            strings.push(format!(
                "source={source},bucket=pages,password={},secret_key={}",
                quoted(&token),
                quoted(&token)
            ));
        }
    }
    strings
}

/// Does everything that can be done with a store, and says what comes of it.
async fn everything(said: &mut Said, store: &Store, files: &std::path::Path) {
    let (fs, bucket) = (store.file_system(), store.bucket());
    said.debug(store);
    said.debug(fs);
    said.debug(bucket);
    said.debug(bucket.options());
    said.debug(&bucket.address());
    said.result(fs.put("name", "some bytes").await);
    said.result(fs.put_file("name", files.join("account.json")).await);
    said.result(fs.get("name").await);
    said.result(fs.stat("name").await);
    said.result(fs.exists("name").await);
    said.result(fs.open_file("name").await);
    said.result(fs.remove("name").await);
    said.result(fs.list("").try_collect::<Vec<_>>().await);
    let writer = fs.create("name").await;
    if let Ok(writer) = writer {
        said.debug(&writer);
        said.result(writer.close().await);
    }
    let report = bucket.probe().await;
    said.debug(&report);
    said.display(&report);
    said.debug(&store.stats());
    said.debug(&store.stats().bucket);
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_error_no_debug_print_and_no_log_line_holds_a_secret() {
    let log = Log::default();
    // Every line of every library, as verbose as they get.
    let lines = tracing_subscriber::fmt().with_writer(log.clone()).with_ansi(false).with_max_level(LevelFilter::TRACE);
    tracing::subscriber::set_global_default(lines.finish()).unwrap();
    let files = tempfile::tempdir().unwrap();
    let server = Server::start(Mood::Good);
    // A port that was free a moment ago, and nobody listens on.
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let nobody = format!("http://{nobody}");
    let mut said: Vec<(String, Said)> = Vec::new();

    for (what, text) in right(&server.address, files.path()).into_iter().map(|text| (format!("{text:.60}"), text)) {
        let mut heard = Said::default();
        let config = Config::parse_store(&text).unwrap();
        heard.debug(&config);
        heard.debug(&BucketOptions::from_config(&config).unwrap());
        heard.display(&config.redacted());
        let options = StoreOptions::parse(&text).unwrap();
        heard.debug(&options);
        server.set(Mood::Good);
        match Store::open_with(options).await {
            Ok(store) => {
                for mood in Mood::BAD {
                    server.set(mood);
                    everything(&mut heard, &store, files.path()).await;
                    heard.result(Store::open(&text).await);
                }
                heard.result(Store::open(&text.replace("probe=off", "probe=start")).await);
            }
            // The key of the service account is none.
            Err(error) => heard.result::<()>(Err(error)),
        }
        said.push((what, heard));
    }
    for text in right(&nobody, files.path()) {
        let mut heard = Said::default();
        heard.result(Store::open(&text).await);
        said.push((format!("{text:.60} at nobody"), heard));
    }
    for text in wrong() {
        let mut heard = Said::default();
        match StoreOptions::parse(&text) {
            // A secret that was given as a bucket's name or a region is shown by options, but by no error.
            Ok(options) if text.contains("auth_token=") || text.contains("endpoint=") => heard.debug(&options),
            Ok(_) => {}
            Err(error) => heard.result::<()>(Err(error)),
        }
        // Only what is refused before any request is opened: nothing may leave this machine.
        let opened = tokio::time::timeout(std::time::Duration::from_secs(300), Store::open(&text)).await.unwrap();
        assert!(opened.is_err(), "{text}");
        heard.result(opened);
        said.push((text, heard));
    }

    for registry in registries(&server.address) {
        let folder = tempfile::tempdir().unwrap();
        let text = format!("source=dir_store,bucket=\"{}\",registry=({registry})", folder.path().display());
        let mut heard = Said::default();
        heard.display(&Config::parse_store(&text).unwrap().redacted());
        heard.debug(&StoreOptions::parse(&text).unwrap());
        let store = Store::open(&text).await.unwrap();
        heard.debug(&store);
        for mood in Mood::BAD.into_iter().chain([Mood::Good]) {
            server.set(mood);
            heard.result(store.volume().await);
            heard.result(store.leader().await);
            heard.result(store.follower().await);
            heard.result(store.forget_database().await);
            if let Ok(history) = store.history().await {
                heard.debug(&history);
                heard.result(history.list().await.map_err(Error::from));
            }
        }
        said.push((registry, heard));
    }

    let search = Search::new(server.sent());
    assert!(server.sent().len() > 50, "{} authorizations were sent", server.sent().len());
    for (what, heard) in &said {
        search.assert_none(what, &heard.0);
    }
    let logged = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let found: Vec<String> = logged.lines().filter_map(|line| search.find(line)).take(5).collect();
    assert!(found.is_empty(), "logged: {found:#?}");
    assert!(logged.contains("plastron"), "nothing was captured");
}

//! Planted secrets come out nowhere: not in an error, a `Debug` print, a log line, a blob or a file.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a test")]

mod support;

use std::io::Write;
use std::sync::{Arc, Mutex};

use plastron_config::Config;
use plastron_keys::{
    Binding, BlobAnswer, Completion, DataKey, Fault, FileModule, Kek, KekId, KeyEnvironment, KeyModule, KeyRandom,
    MockModule, SecretKey,
};
use support::{Machine, checkpoint, opened, private, try_open};

const HERE: Binding = Binding::segment([7; 16], 3, 42);
const PLANTED: &str = "PLaNTeD-passphrase";

/// Every byte it gives is the same, so that 32 of them stand out wherever they are; ids and nonces are shorter.
#[derive(Debug)]
struct Plain;

impl KeyRandom for Plain {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), Fault> {
        bytes.fill(0xA5);
        Ok(())
    }
}

fn is_key(bytes: &[u8]) -> bool {
    bytes.windows(32).any(|window| window.iter().all(|byte| *byte == 0xA5))
}

/// Collects everything that is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn no_key_leaves_in_the_clear() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber =
        tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(move || writer.clone()).finish();
    let mut machine = Machine::new();
    machine.environment.random = Arc::new(Plain);
    let config = machine.section(&machine.key_file()).replace("name=file,", "");
    let config = Config::parse(&config).unwrap();
    // The module itself, on this thread: that is where the log is.
    tracing::subscriber::with_default(subscriber, || {
        let module = FileModule::open(config.section("config").unwrap().unwrap(), &machine.environment).unwrap();
        let key = DataKey::from_secret(SecretKey::copy_from(&[0xA5; 32]));
        let wrapped = module.data_keys().unwrap().wrap(&key, &HERE).unwrap();
        assert!(!is_key(wrapped.as_bytes()));
        let BlobAnswer::Changed(blob) = module.get_key_blob().unwrap() else { panic!("a new keyring") };
        assert!(!is_key(&blob), "KEKs are wrapped in the blob");
        module.get_key_complete(&Completion::Persisted { lsn: 1 }).unwrap();
        let unwrapped = module.data_keys().unwrap().unwrap(&wrapped, &HERE).unwrap();
        assert!(is_key(unwrapped.expose()));
        let shown = format!("{module:?} {wrapped:?} {unwrapped:?} {:?}", module.keyring().unwrap().show().unwrap());
        assert!(!shown.contains("165, 165"), "{shown}");
    });
    for (path, bytes) in machine.files() {
        assert!(!is_key(&bytes), "{path:?}");
    }
    let logged = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(logged.contains("the keyring is in force"), "{logged}");
    assert!(!logged.contains("165, 165") && !logged.contains(&"a5".repeat(24)), "{logged}");
}

#[test]
fn keys_print_as_secrets() {
    let secret = SecretKey::copy_from(&[0xA5; 32]);
    let data = DataKey::from_secret(secret.duplicate());
    let kek = Kek::new(KekId([1; 16]), secret.duplicate());
    for shown in [format!("{secret:?}"), format!("{data:?}"), format!("{kek:?}")] {
        assert!(shown.contains("[secret]") && !shown.contains("165"), "{shown}");
    }
}

#[tokio::test]
async fn a_passphrase_is_shown_by_no_error_and_no_print() {
    let machine = Machine::new();
    private(&machine.path("phrase"), PLANTED);
    let path = machine.keyring().display().to_string();
    let cheap = "argon2=(memory=8MB,iterations=1)";
    let good = format!("name=file,config=(path={path},passphrase=\"{PLANTED}\",{cheap})");
    let config = Config::parse(&good).unwrap();
    let keys = try_open(&good, &machine.environment).unwrap();
    let module = FileModule::open(config.section("config").unwrap().unwrap(), &machine.environment).unwrap();
    let mut shown = vec![format!("{config:?} {keys:?} {module:?} {:?}", machine.environment)];
    let blob = checkpoint(&keys, 1).await;

    for (section, load) in [
        // The same passphrase in places where it does not belong, with mistakes around it.
        (format!("name=file,config=(path={path},passphrase=\"{PLANTED}\",key_variable=KEY)"), false),
        (format!("name=file,config=(path={path},passphrase=\"{PLANTED}\",argon2=(memory=1KB))"), false),
        (format!("name=file,config=(path={path},passphrase=({PLANTED}))"), false),
        (format!("name=file,config=(path={path},passphrase=\"{PLANTED}\",{PLANTED}=1)"), false),
        (format!("name=fil,config=(passphrase=\"{PLANTED}\")"), false),
        (format!("name=file,config=(path={path},passphrase=\"{PLANTED}x\")"), false),
        (format!("name=file,config=(path={path}2,passphrase=\"{PLANTED}x\")"), true),
        (format!("name=file,config=(path={path}2,key_file={})", machine.path("phrase").display()), false),
        (format!("name=mock,config=(password=\"{PLANTED}\")"), false),
    ] {
        let error = match try_open(&section, &machine.environment) {
            Err(error) => error,
            Ok(keys) if load => keys.load_key_blob(blob.clone()).await.unwrap_err(),
            Ok(_) => panic!("{section} opened"),
        };
        shown.push(format!("{error} {error:?} {error:#} {:?}", std::error::Error::source(&error)));
    }
    for text in shown {
        assert!(!text.contains("PLaNTeD"), "{text}");
    }
    for (path, bytes) in machine.files() {
        let planted = bytes.windows(7).any(|window| window == b"PLaNTeD");
        assert_eq!(planted, path.ends_with("phrase"), "{path:?}");
    }
}

#[tokio::test]
async fn the_seed_of_a_mock_is_not_printed() {
    let module = MockModule::new(PLANTED, 0, 40, &KeyEnvironment::default()).unwrap();
    assert!(!format!("{module:?}").contains("PLaNTeD"));
    module.get_key_blob().unwrap();
    let error = module.get_key_blob().unwrap_err();
    assert!(!format!("{error} {error:?}").contains("PLaNTeD"));
    let keys = try_open(&format!("name=mock,config=(seed={PLANTED})"), &KeyEnvironment::default()).unwrap();
    let (_, wrapped) = opened(&keys, HERE).await;
    assert!(!format!("{keys:?} {wrapped:?}").contains("PLaNTeD"));
}

//! The module `file`: its life, its rotation, and what is refused.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a test")]

mod support;

use std::os::unix::fs::MetadataExt;
use std::sync::Arc;

use plastron_config::{Config, ErrorKind};
use plastron_keys::{Binding, Fault, KeyManagement};
use support::{KEY, Machine, NoRandom, changed, checkpoint, mode, opened, opens, private, unchanged};

const HERE: Binding = Binding::segment([7; 16], 3, 42);

/// Generations, and which of them is in force.
async fn generations(keys: &KeyManagement) -> Vec<(u32, bool)> {
    keys.show().await.unwrap().iter().map(|key| (key.generation, key.in_force)).collect()
}

#[tokio::test]
async fn the_keyring_is_made_when_it_is_needed_and_the_same_blob_comes_back() {
    let machine = Machine::new();
    let before = machine.files();
    let keys = machine.open();
    assert_eq!(generations(&keys).await, []);
    assert_eq!(machine.files(), before, "opening writes nothing");

    let (early, early_key) = opened(&keys, HERE).await;
    assert_eq!(std::fs::metadata(machine.keyring()).unwrap().mode() & 0o777, 0o600);
    let blob = checkpoint(&keys, 5).await;
    assert_eq!(std::fs::read(machine.keyring()).unwrap(), blob, "the blob is the keyring");
    unchanged(&keys).await;
    unchanged(&keys).await;
    keys.terminate().await.unwrap();

    // A restart on an existing database.
    let files = machine.files();
    let keys = machine.open();
    keys.load_key_blob(blob.clone()).await.unwrap();
    unchanged(&keys).await;
    assert_eq!(generations(&keys).await, [(1, true)]);
    assert_eq!(machine.files(), files);

    // A follower on another machine has the key and no keyring, and never makes one.
    let other = Machine::new();
    let before = other.files();
    let follower = other.open();
    follower.load_key_blob(blob.clone()).await.unwrap();
    follower.load_key_blob(blob.clone()).await.unwrap();
    opens(&follower, HERE, &early_key, &early).await;
    assert_eq!(other.files(), before);
    // It steps up: the keyring is written, and the blob is still the one that is there.
    unchanged(&follower).await;
    assert_eq!(std::fs::read(other.keyring()).unwrap(), blob);
}

#[tokio::test]
async fn keys_grow_old_and_the_old_ones_are_kept() {
    let machine = Machine::new();
    let keys = machine.open_with(&format!("{},rotate_after=30d", machine.key_file())).unwrap();
    let (first, first_key) = opened(&keys, HERE).await;
    checkpoint(&keys, 1).await;
    machine.clock.set_days(29);
    unchanged(&keys).await;
    machine.clock.set_days(30);
    let pending = changed(&keys).await;
    assert_eq!(generations(&keys).await, [(1, true), (2, false)], "not in force before it is complete");
    keys.get_key_complete(pending, Err("the bucket is down".into())).await.unwrap();
    assert_eq!(generations(&keys).await, [(1, true), (2, false)]);
    // The key that was made is used, not a third one.
    let blob = checkpoint(&keys, 2).await;
    assert_eq!(generations(&keys).await, [(1, false), (2, true)]);
    unchanged(&keys).await;
    let (second, second_key) = opened(&keys, HERE).await;

    let follower = machine.open();
    follower.load_key_blob(blob).await.unwrap();
    opens(&follower, HERE, &first_key, &first).await;
    opens(&follower, HERE, &second_key, &second).await;
    // On command only.
    let never = machine.open_with(&format!("{},rotate_after=0", machine.key_file())).unwrap();
    never.load_key_blob(std::fs::read(machine.keyring()).unwrap().into()).await.unwrap();
    machine.clock.set_days(100_000);
    unchanged(&never).await;
}

#[tokio::test]
async fn a_key_that_was_made_before_a_crash_is_used_after_it() {
    let machine = Machine::new();
    let keys = machine.open();
    let first = checkpoint(&keys, 1).await;
    keys.rotate().await.unwrap();
    let lost = changed(&keys).await.blob().clone();
    drop(keys);
    let keys = machine.open();
    keys.load_key_blob(first).await.unwrap();
    assert_eq!(generations(&keys).await, [(1, true), (2, false)]);
    assert_eq!(checkpoint(&keys, 2).await, lost);
}

#[tokio::test]
async fn another_process_rotates() {
    let machine = Machine::new();
    let leader = machine.open();
    let error = leader.rotate().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "rotate key module 'file': there is no keyring {} yet; it is made when a database is first written to",
            machine.keyring().display()
        )
    );
    checkpoint(&leader, 1).await;
    let command = machine.open();
    command.rotate().await.unwrap();
    command.rotate().await.unwrap();
    assert_eq!(generations(&leader).await, [(1, true), (2, false), (3, false)]);
    checkpoint(&leader, 2).await;
    assert_eq!(generations(&leader).await, [(1, false), (2, false), (3, true)]);
}

#[tokio::test]
async fn a_lost_keyring_is_made_again_and_keyrings_that_grew_apart_are_joined() {
    let (here, there) = (Machine::new(), Machine::new());
    let one = here.open();
    let (first, first_key) = opened(&one, HERE).await;
    let blob = checkpoint(&one, 1).await;
    std::fs::remove_file(here.keyring()).unwrap();
    unchanged(&one).await;
    assert_eq!(std::fs::read(here.keyring()).unwrap(), blob);

    // Both make a second key at the same time; only that of the other machine is published.
    let two = there.open();
    two.load_key_blob(blob).await.unwrap();
    unchanged(&two).await;
    one.rotate().await.unwrap();
    two.rotate().await.unwrap();
    let blob = checkpoint(&two, 2).await;
    let (second, second_key) = opened(&two, HERE).await;
    one.load_key_blob(blob.clone()).await.unwrap();
    opens(&one, HERE, &second_key, &second).await;
    let joined = checkpoint(&one, 3).await;
    assert_eq!(generations(&one).await.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [1, 2, 2]);
    for keys in [&one, &two, &Machine::new().open()] {
        keys.load_key_blob(joined.clone()).await.unwrap();
        opens(keys, HERE, &first_key, &first).await;
        opens(keys, HERE, &second_key, &second).await;
        unchanged(keys).await;
    }
}

#[tokio::test]
async fn the_keyring_of_another_database_is_not_mixed_in() {
    let (here, there) = (Machine::new(), Machine::new());
    let one = here.open();
    checkpoint(&one, 1).await;
    let blob = checkpoint(&there.open(), 1).await;
    let files = here.files();
    let error = one.load_key_blob(blob).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(
        error
            .to_string()
            .ends_with("are not the same; name the right file in config=(path=…), or one that does not exist yet")
    );
    assert_eq!(here.files(), files);
    unchanged(&one).await;
}

#[tokio::test]
async fn a_wrong_master_key_is_said_and_nothing_is_written() {
    let machine = Machine::new();
    let blob = checkpoint(&machine.open(), 1).await;
    private(&machine.path("wrong"), "11".repeat(32));
    let files = machine.files();
    let wrong = format!("key_file={}", machine.path("wrong").display());
    let id = blob[40..56].iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let error = machine.open_with(&wrong).unwrap_err();
    assert_eq!(
        (error.kind(), error.to_string()),
        (
            ErrorKind::Unauthorized,
            format!(
                "open key module 'file': wrong master key: the key in {} does not fit the keyring {id}, revision 1; nothing was changed \
                 (keyring file {})",
                machine.path("wrong").display(),
                machine.keyring().display()
            )
        )
    );
    let error = machine.open_with("phrase_variable=PHRASE").unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "open key module 'file': wrong master key: the keyring is wrapped by a key, and the passphrase in the environment variable PHRASE \
             is configured; name the key with key_file or key_variable (keyring file {})",
            machine.keyring().display()
        )
    );
    // A follower without a keyring finds out when it loads the blob.
    let follower = support::try_open(
        &format!("name=file,config=(path={},{wrong})", machine.path("none").display()),
        &machine.environment,
    )
    .unwrap();
    let error = follower.load_key_blob(blob).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized);
    assert!(matches!(error.fault(), Fault::WrongMasterKey(_)), "{error}");
    assert_eq!(machine.files(), files);
}

#[test]
fn every_way_to_have_no_master_key_is_said() {
    let machine = Machine::new();
    let at = |name: &str| machine.path(name).display().to_string();
    private(&machine.path("short"), "00");
    private(&machine.path("nohex"), "zz".repeat(32));
    private(&machine.path("empty"), "");
    private(&machine.path("huge"), vec![b'a'; 5_000]);
    private(&machine.path("phrase7"), "1234567\n");
    private(&machine.path("open"), KEY);
    mode(&machine.path("open"), 0o640);
    std::fs::create_dir(machine.path("folder")).unwrap();
    let no_key = "holds no key, which is 64 hexadecimal digits, or in a file 32 bytes; a passphrase is named with phrase_file or \
                  phrase_variable";
    let files = std::fs::read_dir(&machine.directory).unwrap().count();
    for (settings, kind, message) in [
        (String::new(), ErrorKind::Invalid, "no master key is named; give exactly one of key_file, key_variable, phrase_file, phrase_variable, passphrase".to_owned()),
        (
            "key_variable=KEY,phrase_variable=PHRASE".into(),
            ErrorKind::Invalid,
            "key_variable and phrase_variable are given; give exactly one of key_file, key_variable, phrase_file, phrase_variable, passphrase".into(),
        ),
        ("key_file=".into(), ErrorKind::Invalid, "key_file is empty".into()),
        (
            format!("key_file={}", at("nothing")),
            ErrorKind::Unauthorized,
            format!("no master key: there is no file {}; put the key there, or make one: (umask 077; openssl rand -hex 32 > FILE)", at("nothing")),
        ),
        (format!("key_file={}", at("short")), ErrorKind::Unauthorized, format!("no master key: {} (2 bytes) {no_key}", at("short"))),
        (format!("key_file={}", at("nohex")), ErrorKind::Unauthorized, format!("no master key: {} (64 bytes) {no_key}", at("nohex"))),
        (format!("key_file={}", at("empty")), ErrorKind::Unauthorized, format!("no master key: {} (0 bytes) {no_key}", at("empty"))),
        (format!("key_file={}", at("huge")), ErrorKind::Invalid, format!("{} has 5000 bytes, and at most 4096 are read", at("huge"))),
        (format!("key_file={}", at("folder")), ErrorKind::Invalid, format!("{} is no regular file", at("folder"))),
        (
            format!("key_file={}", at("open")),
            ErrorKind::Unauthorized,
            format!("{0} is open to others (mode 640); keys are kept in files that only their owner can read: chmod 600 {0}", at("open")),
        ),
        ("key_variable=NOTHING".into(), ErrorKind::Unauthorized, "no master key: the environment variable NOTHING is not set".into()),
        ("key_variable=PHRASE".into(), ErrorKind::Unauthorized, format!("no master key: the environment variable PHRASE {no_key}")),
        (
            "phrase_variable=SHORT".into(),
            ErrorKind::Unauthorized,
            "no master key: the passphrase in the environment variable SHORT is shorter than 8 bytes; six random words make a good one".into(),
        ),
        (
            format!("phrase_file={}", at("phrase7")),
            ErrorKind::Unauthorized,
            format!("no master key: the passphrase in {} is shorter than 8 bytes; six random words make a good one", at("phrase7")),
        ),
        (
            "passphrase=short".into(),
            ErrorKind::Unauthorized,
            "no master key: the passphrase in the configuration is shorter than 8 bytes; six random words make a good one".into(),
        ),
    ] {
        let error = machine.open_with(&settings).unwrap_err();
        assert_eq!((error.kind(), error.to_string()), (kind, format!("open key module 'file': {message}")), "{settings}");
    }
    assert_eq!(std::fs::read_dir(&machine.directory).unwrap().count(), files);
}

#[test]
fn wrong_settings_are_pointed_at() {
    let machine = Machine::new();
    for (section, message) in [
        ("name=file", "open key_management: path is missing"),
        (
            "name=file,config=(path=,key_variable=KEY)",
            "open key module 'file': path is empty; it names the keyring file",
        ),
        (
            "name=file,config=(path=x,key_fil=y)",
            "open key_management: 'key_fil' is not a setting of file; did you mean 'key_file'? (line 1, column 26)",
        ),
        (
            "name=file,config=(path=x,rotate_after=1week)",
            "open key_management: rotate_after takes a duration such as 500ms, 30s or 2min, not '1week' (unknown suffix) (line 1, column 39)",
        ),
    ] {
        let error = support::try_open(section, &machine.environment).unwrap_err();
        assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Invalid, message));
    }
    for memory in ["7MB", "2GB"] {
        let error = machine.open_with(&format!("phrase_variable=PHRASE,argon2=(memory={memory})")).unwrap_err();
        assert!(error.to_string().contains("argon2.memory"), "{error}");
    }
}

#[test]
fn a_keyring_that_others_can_write_is_refused() {
    let machine = Machine::new();
    private(&machine.keyring(), b"");
    for bits in [0o640, 0o604, 0o602, 0o610] {
        mode(&machine.keyring(), bits);
        let error = machine.open_with(&machine.key_file()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unauthorized);
        assert!(error.to_string().contains(&format!("(mode {bits:03o})")), "{error}");
    }
}

#[tokio::test]
async fn every_origin_of_a_master_key_works() {
    let machine = Machine::new();
    private(&machine.path("raw"), (0..32).collect::<Vec<u8>>());
    private(&machine.path("line"), format!("{}\n", KEY.to_uppercase()));
    private(&machine.path("phrase"), "correct horse battery staple\r\n");
    let blob = checkpoint(&machine.open(), 1).await;
    for settings in [
        "key_variable=KEY".to_owned(),
        format!("key_file={}", machine.path("raw").display()),
        format!("key_file={}", machine.path("line").display()),
    ] {
        let keys = machine.open_with(&settings).unwrap();
        keys.load_key_blob(blob.clone()).await.unwrap();
        unchanged(&keys).await;
    }
    let machine = Machine { directory: tempfile::tempdir().unwrap(), ..machine };
    private(&machine.path("phrase"), "correct horse battery staple\r\n");
    let cheap = "argon2=(memory=8MB,iterations=1)";
    let blob = checkpoint(&machine.open_with(&format!("phrase_variable=PHRASE,{cheap}")).unwrap(), 1).await;
    for settings in [
        "passphrase=\"correct horse battery staple\"".to_owned(),
        // What it costs stands in the keyring.
        format!("phrase_file={},argon2=(lanes=2)", machine.path("phrase").display()),
    ] {
        let keys = machine.open_with(&settings).unwrap();
        keys.load_key_blob(blob.clone()).await.unwrap();
        unchanged(&keys).await;
    }
}

#[tokio::test]
async fn rewrapping_changes_the_master_key_and_nothing_else() {
    let machine = Machine::new();
    let keys = machine.open();
    let (first, first_key) = opened(&keys, HERE).await;
    let old_blob = checkpoint(&keys, 1).await;
    for (config, message) in [
        (
            "key_variable=KEY,rotate_after=1d",
            "rotate_after can't be changed by rewrapping; give one of key_file, key_variable, phrase_file, phrase_variable, passphrase, and argon2",
        ),
        (
            "key_variabel=KEY",
            "'key_variabel' is not a setting of file; did you mean 'key_variable'? (line 1, column 1)",
        ),
        ("key_variable=NOTHING", "no master key: the environment variable NOTHING is not set"),
    ] {
        let files = machine.files();
        let error = keys.rewrap(&Config::parse(config).unwrap()).await.unwrap_err();
        assert_eq!(error.to_string(), format!("rewrap key module 'file': {message}"));
        assert_eq!(machine.files(), files);
    }
    let leader = machine.open();
    leader.load_key_blob(old_blob.clone()).await.unwrap();
    keys.rewrap(&Config::parse("phrase_variable=PHRASE,argon2=(memory=8MB,iterations=1)").unwrap()).await.unwrap();
    // A leader that still has the old key finds out at its next checkpoint.
    assert_eq!(leader.get_key_blob().await.unwrap_err().kind(), ErrorKind::Unauthorized);
    // The one that rewrapped writes a new blob; the KEK is the same.
    let new_blob = checkpoint(&keys, 2).await;
    assert_ne!(old_blob, new_blob);
    assert_eq!(generations(&keys).await, [(1, true)]);
    opens(&keys, HERE, &first_key, &first).await;
    assert_eq!(machine.open_with(&machine.key_file()).unwrap_err().kind(), ErrorKind::Unauthorized);

    // With the new master key: an old checkpoint loads because the keyring knows its keys, and is followed by a new blob.
    let keys = machine.open_with("phrase_variable=PHRASE").unwrap();
    keys.load_key_blob(old_blob.clone()).await.unwrap();
    opens(&keys, HERE, &first_key, &first).await;
    assert_eq!(checkpoint(&keys, 3).await, new_blob);
    // Without the keyring it does not.
    std::fs::remove_file(machine.keyring()).unwrap();
    let follower = machine.open_with("phrase_variable=PHRASE").unwrap();
    assert_eq!(follower.load_key_blob(old_blob).await.unwrap_err().kind(), ErrorKind::Unauthorized);
    follower.load_key_blob(new_blob).await.unwrap();
    opens(&follower, HERE, &first_key, &first).await;
}

#[tokio::test]
async fn a_keyring_that_another_process_made_dearer_is_published() {
    let machine = Machine::new();
    let cheap = "phrase_variable=PHRASE,argon2=(memory=8MB,iterations=1)";
    let leader = machine.open_with(cheap).unwrap();
    let blob = checkpoint(&leader, 1).await;
    // The same passphrase, so both can be opened; only the file is newer.
    let dear = Config::parse("phrase_variable=PHRASE,argon2=(memory=9MB,iterations=2)").unwrap();
    machine.open_with(cheap).unwrap().rewrap(&dear).await.unwrap();
    let published = checkpoint(&leader, 2).await;
    assert_ne!(published, blob);
    assert_eq!(std::fs::read(machine.keyring()).unwrap(), published);
    unchanged(&leader).await;
}

#[tokio::test]
async fn a_lock_that_is_held_is_waited_for_and_named() {
    let machine = Machine::new();
    let keys = machine.open();
    checkpoint(&keys, 1).await;
    let (record, wrapped) = opened(&keys, HERE).await;
    let path = machine.path("keyring.lock");
    let held = std::fs::File::open(&path).unwrap();
    held.lock().unwrap();
    let error = keys.get_key_blob().await.unwrap_err();
    assert_eq!(
        (error.kind(), error.to_string()),
        (
            ErrorKind::Unavailable,
            format!(
                "get_key_blob key module 'file': {} is locked by another process since 10000 ms; try again, or find out who holds it",
                path.display()
            )
        )
    );
    // Readers and writers of data do not wait for it.
    opens(&keys, HERE, &wrapped, &record).await;
    keys.new_cipher(HERE).await.unwrap();
    drop(held);
    unchanged(&keys).await;
}

#[tokio::test]
async fn a_write_that_fails_changes_nothing() {
    let machine = Machine::new();
    let nowhere = machine.path("nowhere");
    let section = format!("name=file,config=(path={}/keyring,key_variable=KEY)", nowhere.display());
    let keys = support::try_open(&section, &machine.environment).unwrap();
    for error in [keys.get_key_blob().await.unwrap_err(), keys.new_cipher(HERE).await.unwrap_err()] {
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(
            error.to_string().contains(&format!("locking the keyring by {}/keyring.lock", nowhere.display())),
            "{error}"
        );
    }
    assert_eq!(generations(&keys).await, []);
    // A file where the folder should be: trying again won't help.
    std::fs::write(&nowhere, b"").unwrap();
    assert_eq!(keys.new_cipher(HERE).await.unwrap_err().kind(), ErrorKind::Invalid);
    std::fs::remove_file(&nowhere).unwrap();
    std::fs::create_dir(&nowhere).unwrap();
    // A directory in the place of the temporary file: the write fails behind the lock, and all stays as it was.
    std::fs::create_dir_all(nowhere.join("keyring.tmp")).unwrap();
    let error = keys.get_key_blob().await.unwrap_err();
    assert!(error.to_string().contains("removing the left-over"), "{error}");
    assert_eq!(generations(&keys).await, []);
    std::fs::remove_dir(nowhere.join("keyring.tmp")).unwrap();
    // What a crash left behind is in nobody's way.
    std::fs::write(nowhere.join("keyring.tmp"), b"half a key").unwrap();
    let blob = checkpoint(&keys, 1).await;
    assert_eq!(std::fs::read(nowhere.join("keyring")).unwrap(), blob);
    let mut left: Vec<_> = std::fs::read_dir(&nowhere).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["keyring", "keyring.lock"]);
}

#[tokio::test]
async fn without_randomness_there_are_no_keys() {
    let mut machine = Machine::new();
    machine.environment.random = Arc::new(NoRandom);
    let keys = machine.open();
    for error in [keys.new_cipher(HERE).await.unwrap_err(), keys.get_key_blob().await.unwrap_err()] {
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.to_string().contains("the system's random source failed"), "{error}");
    }
    assert!(!machine.keyring().exists());
}

//! The module `plugin`: the header is the code's, the example in C keeps the contract, Python drives it, and whatever a
//! library answers is checked.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test"
)]

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;

use plastron_config::{Config, ErrorKind};
use plastron_keys::{Binding, KeyEnvironment, WrappedKey, plugin};
use support::{build, changed, checkpoint, open, opened, opens, try_open, unchanged};

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

#[test]
fn the_header_is_the_one_that_the_code_gives() {
    let config = cbindgen::Config::from_file(here("cbindgen.toml")).unwrap();
    let mut generated = Vec::new();
    let builder = cbindgen::Builder::new().with_src(here("src/plugin/abi.rs")).with_config(config);
    builder.generate().unwrap().write(&mut generated);
    let generated = String::from_utf8(generated).unwrap();
    let path = here("include/plastron_key_management.h");
    if std::env::var_os("PLASTRON_UPDATE_HEADER").is_some() {
        std::fs::write(&path, &generated).unwrap();
    }
    assert_eq!(
        std::fs::read_to_string(&path).unwrap(),
        generated,
        "run PLASTRON_UPDATE_HEADER=1 cargo test -p plastron-keys --test plugin header"
    );
}

const EXAMPLE: &str = "examples/key_module/example_key_module.c";
const CARELESS: &str = "tests/fixtures/careless_key_module.c";
const HERE: Binding = Binding::segment([7; 16], 3, 42);

fn section(library: &Path, settings: &str) -> String {
    format!("name=plugin,config=(library=\"{}\"{settings})", library.display())
}

#[tokio::test]
async fn the_example_in_c_keeps_the_contract() {
    let directory = tempfile::tempdir().unwrap();
    let library = build(EXAMPLE, directory.path());
    let expiring = section(&library, ",config=(secret=turtle,key_expires=0)");
    let lasting = section(&library, ",config=(secret=turtle,key_expires=-1)");

    let leader = open(&expiring).await;
    let (early, early_key) = opened(&leader, HERE).await;
    let first = checkpoint(&leader, 10).await;
    let failed = changed(&leader).await;
    leader.get_key_complete(failed, Err("the bucket is down".into())).await.unwrap();
    drop(changed(&leader).await);
    let second = checkpoint(&leader, 20).await;
    assert_ne!(first, second);
    let (late, late_key) = opened(&leader, HERE).await;

    let follower = open(&lasting).await;
    follower.load_key_blob(first.clone()).await.unwrap();
    unchanged(&follower).await;
    opens(&follower, HERE, &early_key, &early).await;
    let error = follower.opener(HERE, late_key.clone()).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.to_string().as_str()),
        (
            ErrorKind::Unauthorized,
            "unwrap key module 'plugin': the key module's unwrap_data_key returned 13: the data key is wrapped by a key of a blob that was not loaded"
        )
    );
    follower.load_key_blob(second.clone()).await.unwrap();
    opens(&follower, HERE, &early_key, &early).await;
    opens(&follower, HERE, &late_key, &late).await;
    let elsewhere = Binding { sequence: 43, ..HERE };
    assert_eq!(follower.opener(elsewhere, late_key.clone()).await.unwrap_err().kind(), ErrorKind::Corrupt);
    for byte in 0..late_key.as_bytes().len() {
        let mut bent = late_key.as_bytes().to_vec();
        bent[byte] ^= 0x40;
        let error = follower.opener(HERE, WrappedKey::from_bytes(bent).unwrap()).await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Unauthorized), "{error}");
    }
    assert_eq!(follower.load_key_blob(second.slice(1..)).await.unwrap_err().kind(), ErrorKind::Corrupt);
    unchanged(&follower).await;
    assert_eq!(follower.rotate().await.unwrap_err().kind(), ErrorKind::Unsupported);

    let stranger = open(&section(&library, ",config=(secret=hare)")).await;
    assert_eq!(stranger.load_key_blob(second).await.unwrap_err().kind(), ErrorKind::Unauthorized);
    for keys in [leader, follower, stranger] {
        keys.terminate().await.unwrap();
        assert_eq!(keys.new_cipher(HERE).await.unwrap_err().kind(), ErrorKind::Invalid);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn data_keys_are_wrapped_while_checkpoints_run_and_until_the_end() {
    let directory = tempfile::tempdir().unwrap();
    let library = build(EXAMPLE, directory.path());
    let keys = open(&section(&library, ",config=(secret=turtle,key_expires=0)")).await;
    checkpoint(&keys, 1).await;
    let writers: Vec<_> = (0..8u64)
        .map(|writer| {
            let keys = keys.clone();
            tokio::spawn(async move {
                for sequence in 0.. {
                    let binding = Binding::segment([1; 16], writer, sequence);
                    let Ok(Some(cipher)) = keys.new_cipher(binding).await else { return sequence };
                    match keys.opener(binding, cipher.wrapped).await {
                        Ok(_) => {}
                        Err(error) => assert!(error.to_string().contains("was terminated"), "{error}"),
                    }
                }
                0
            })
        })
        .collect();
    for lsn in 2..100 {
        checkpoint(&keys, lsn).await;
    }
    keys.terminate().await.unwrap();
    for writer in writers {
        writer.await.unwrap();
    }
}

#[test]
fn python_drives_it() {
    let directory = tempfile::tempdir().unwrap();
    let library = build(EXAMPLE, directory.path());
    let output = Command::new("python3").arg(here("examples/key_module/drive.py")).arg(&library).output();
    let output = output.expect("python3, to drive the example module");
    let (said, failed) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && said.ends_with("all is well\n"), "{said}{failed}");
    // What Python takes the structures to be is what they are.
    let sizes = [
        size_of::<plugin::KeyLoadArgs>(),
        size_of::<plugin::KeyGetArgs>(),
        size_of::<plugin::DataKeyArgs>(),
        size_of::<plugin::KeyManagementInterface>(),
    ];
    let expected: Vec<String> = sizes.iter().map(ToString::to_string).collect();
    assert_eq!(said.lines().next().unwrap(), format!("sizes {}", expected.join(" ")));
}

#[test]
fn libraries_that_cannot_be_opened_are_said() {
    let directory = tempfile::tempdir().unwrap();
    let library = build(CARELESS, directory.path());
    let text = directory.path().join("text.so");
    std::fs::write(&text, "not a library").unwrap();
    let shown = library.display();
    let interface = size_of::<plugin::KeyManagementInterface>();
    let fault = |fault: &str| section(&library, &format!(",config=(fault=\"{fault}\")"));
    let none = |fault: &str| section(&library, &format!(",data_keys=none,config=(fault=\"{fault}\")"));
    let built_with = "build it with the plastron_key_management.h that belongs to this program";
    for (section, kind, message) in [
        ("name=plugin".to_owned(), ErrorKind::Invalid, "open key_management: library is missing".to_owned()),
        (
            section(Path::new("/nowhere/x.so"), ""),
            ErrorKind::NotFound,
            "open key module 'plugin': looking for the library /nowhere/x.so: No such file or directory (os error 2)".into(),
        ),
        (
            section(&library, ",entry=no_such_function"),
            ErrorKind::Invalid,
            format!("open key module 'plugin': the library {shown} exports no function no_such_function; name its own in config=(entry=…)"),
        ),
        (
            section(&library, ",data_keys=nobody"),
            ErrorKind::Invalid,
            format!(
                "open key_management: data_keys takes one of module, none, not 'nobody' (line 1, column {})",
                section(&library, ",data_keys=").len()
            ),
        ),
        (fault("open fails"), ErrorKind::Unavailable, "open key module 'plugin': the key module's open returned 12: it says nothing about it".into()),
        (fault("opens nothing"), ErrorKind::Invalid, format!("open key module 'plugin': the library {shown} opened no module, and did not say why")),
        (fault("crooked"), ErrorKind::Invalid, format!("open key module 'plugin': the library {shown} gave a module at an address that none can have")),
        (
            fault("newer"),
            ErrorKind::Unsupported,
            format!("open key module 'plugin': the module is made for version 2 of the interface, and this is version 1; {built_with}"),
        ),
        (
            fault("smaller"),
            ErrorKind::Unsupported,
            format!("open key module 'plugin': the module's struct_size is 8 bytes, and the interface has {interface}; {built_with}"),
        ),
        (fault("no load"), ErrorKind::Invalid, "open key module 'plugin': the module has no load_key_blob".into()),
        (fault("no get"), ErrorKind::Invalid, "open key module 'plugin': the module has no get_key_blob".into()),
        (fault("no complete"), ErrorKind::Invalid, "open key module 'plugin': the module has no get_key_complete".into()),
        (
            fault("no keys"),
            ErrorKind::Invalid,
            "open key module 'plugin': the module wraps no data keys, so payloads would not be encrypted; if the engine encrypts its pages \
             itself, say data_keys=none"
                .into(),
        ),
        (none("no unwrap"), ErrorKind::Invalid, "open key module 'plugin': the module has only one of wrap_data_key and unwrap_data_key".into()),
    ] {
        let error = try_open(&section, &KeyEnvironment::default()).unwrap_err();
        assert_eq!((error.kind(), error.to_string()), (kind, message), "{section}");
    }
    let error = try_open(&section(&text, ""), &KeyEnvironment::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains(&format!("the library {} can't be loaded: ", text.display())), "{error}");
}

#[tokio::test]
async fn whatever_a_library_answers_is_checked() {
    let directory = tempfile::tempdir().unwrap();
    // A library of its own for each module: this one keeps its state in static variables.
    let mut number = 0;
    let mut careless = |settings: &str| {
        number += 1;
        let folder = directory.path().join(number.to_string());
        std::fs::create_dir(&folder).unwrap();
        let library = build(CARELESS, &folder);
        (try_open(&section(&library, settings), &KeyEnvironment::default()).unwrap(), library)
    };
    let words = "x".repeat(400);
    for (fault, kind, message) in [
        (
            "get fails",
            ErrorKind::Unavailable,
            "the key module's get_key_blob returned -31800: it says nothing about it".to_owned(),
        ),
        ("null blob", ErrorKind::Invalid, "the key module says that its blob has changed, and gives none".into()),
        ("empty blob", ErrorKind::Invalid, "the key module's blob is 0 bytes; it can be 1 to 16777216".into()),
        ("huge blob", ErrorKind::Invalid, "the key module's blob is 16777217 bytes; it can be 1 to 16777216".into()),
    ] {
        let (keys, library) = careless(&format!(",config=(fault=\"{fault}\")"));
        for _ in 0..2 {
            let error = keys.get_key_blob().await.unwrap_err();
            assert_eq!(
                (error.kind(), error.to_string()),
                (kind, format!("get_key_blob key module 'plugin': {message}"))
            );
        }
        // A changed blob is completed whatever it was; a call that failed gave none.
        assert_eq!(calls(&library).0, if fault == "get fails" { 0 } else { 2 });
    }
    for (fault, message) in [
        ("wraps too much", "the key module's wrap_data_key says it wrote 8193 bytes where 8192 fit"),
        ("wraps nothing", "a wrapped data key is 0 bytes; it can be 1 to 8192"),
    ] {
        let (keys, _) = careless(&format!(",config=(fault=\"{fault}\")"));
        let error = keys.new_cipher(HERE).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.to_string()),
            (ErrorKind::Invalid, format!("wrap key module 'plugin': {message}"))
        );
    }
    for (fault, message) in [
        ("unwraps too little", "the key module's unwrap_data_key gave 31 bytes, and a data key has 32"),
        ("unwraps too much", "the key module's unwrap_data_key says it wrote 18446744073709551615 bytes where 32 fit"),
    ] {
        let (keys, _) = careless(&format!(",config=(fault=\"{fault}\")"));
        let error = keys.opener(HERE, WrappedKey::from_bytes(vec![1]).unwrap()).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.to_string()),
            (ErrorKind::Invalid, format!("unwrap key module 'plugin': {message}"))
        );
    }
    let (keys, _) = careless(",config=(fault=\"load fails\")");
    let error = keys.load_key_blob("blob".into()).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.to_string()),
        (
            ErrorKind::Corrupt,
            format!("load_key_blob key module 'plugin': the key module's load_key_blob returned 74: {words}")
        )
    );
    let (keys, library) = careless(",config=(fault=\"complete fails\")");
    let error = keys.get_key_complete(changed(&keys).await, Ok(5)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert_eq!(calls(&library), (1, 5, 0, 0));
    let (keys, library) = careless(",entry=another_open,config=(fault=\"terminate fails\")");
    let pending = changed(&keys).await;
    keys.get_key_complete(pending, Err("no room".into())).await.unwrap();
    assert_eq!(calls(&library), (1, 0, 5, 0), "EIO");
    drop(changed(&keys).await);
    assert_eq!(keys.terminate().await.unwrap_err().kind(), ErrorKind::Unauthorized);
    assert_eq!(calls(&library), (2, 0, 5, 1));
    drop(keys);
    // Carried only: no data keys, although it could.
    let (keys, _) = careless(",data_keys=none,config=(fault=\"no end\")");
    assert!(!keys.encrypts());
    assert!(keys.new_cipher(HERE).await.unwrap().is_none());
    checkpoint(&keys, 1).await;
    keys.terminate().await.unwrap();
}

/// What the careless module was called: completions, the last LSN and error, ends. The library is loaded already, and so the same.
#[allow(unsafe_code, reason = "asks the library")]
fn calls(library: &Path) -> (i32, u64, i32, i32) {
    let (mut complete, mut lsn, mut error, mut end) = (0, 0, 0, 0);
    // SAFETY: the function has this type, in the C source beside this.
    unsafe {
        let library = libloading::Library::new(library).unwrap();
        let ask: libloading::Symbol<'_, unsafe extern "C" fn(&mut i32, &mut u64, &mut i32, &mut i32)> =
            library.get("careless_calls").unwrap();
        ask(&mut complete, &mut lsn, &mut error, &mut end);
    }
    (complete, lsn, error, end)
}

#[tokio::test]
async fn a_module_that_is_dropped_is_told_and_ended() {
    let directory = tempfile::tempdir().unwrap();
    let library = build(CARELESS, directory.path());
    // Kept in memory, so that its state is still there afterwards.
    #[allow(unsafe_code, reason = "keeps the library")]
    // SAFETY: it has no initialisers.
    let kept = unsafe { libloading::Library::new(&library).unwrap() };
    let keys = try_open(&section(&library, ",config=(fault=none)"), &KeyEnvironment::default()).unwrap();
    let pending = changed(&keys).await;
    drop((pending, keys));
    let (complete, lsn, error, end) = calls(&library);
    assert_eq!((complete, lsn, end), (1, 0, 1));
    assert_ne!(error, 0);
    drop(kept);
}

#[tokio::test]
async fn the_secrets_of_a_library_are_passed_on_and_not_shown() {
    let directory = tempfile::tempdir().unwrap();
    let library = build(EXAMPLE, directory.path());
    let planted = section(&library, ",config=(secret=\"PLaNTeD words\",key_expires=0)");
    let config = Config::parse(&planted).unwrap();
    let keys = open(&planted).await;
    let blob = checkpoint(&keys, 1).await;
    let same = open(&planted).await;
    same.load_key_blob(blob).await.unwrap();
    let error = same.load_key_blob("x".into()).await.unwrap_err();
    let wrong = try_open(&planted.replace("key_expires=0)", "),libary=x"), &KeyEnvironment::default()).unwrap_err();
    for shown in
        [format!("{config:?}"), format!("{keys:?}"), format!("{error} {error:?}"), format!("{wrong} {wrong:?}")]
    {
        assert!(!shown.contains("PLaNTeD"), "{shown}");
    }
}

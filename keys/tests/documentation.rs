//! The tables of settings in the book are the modules' own. `PLASTRON_UPDATE_DOCS=1` writes them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a test")]

use std::path::Path;

use plastron_keys::KeyModules;

#[test]
fn the_tables_of_settings_are_the_schemas() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/src/concepts/key-management.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let mut wanted = page.clone();
    let mut schemas: Vec<_> = KeyModules::default().schemas().filter(|(name, _)| *name != "none").collect();
    schemas.push(("key_management", KeyModules::schema()));
    assert_eq!(schemas.len(), 4);
    for (name, schema) in schemas {
        let begin = format!("<!-- schema: {name} -->\n");
        let (before, rest) = wanted.split_once(&begin).unwrap_or_else(|| panic!("no table of {name}"));
        let (_, after) = rest.split_once("<!-- end of schema -->").unwrap();
        wanted = format!("{before}{begin}{}<!-- end of schema -->{after}", schema.markdown());
    }
    if std::env::var_os("PLASTRON_UPDATE_DOCS").is_some() {
        std::fs::write(&path, &wanted).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap(), wanted, "write it with PLASTRON_UPDATE_DOCS=1");
}

/// Offsets and names in the byte tables that a golden file can contradict.
#[test]
fn the_byte_tables_fit_the_golden_files() {
    let file =
        |name: &str| std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)).unwrap();
    let wrapped = file("wrapped-key-1.bin");
    assert_eq!((wrapped.len(), &wrapped[..8]), (84, &b"PLWK\x01\x01\0\0"[..]));
    let keyring = file("keyring-1-key.bin");
    assert_eq!((keyring.len(), &keyring[..12], keyring[92]), (116 + 64 * 2, &b"PLSTKEYR\x01\0\0\0"[..], 2));
    assert_eq!(wrapped[8..24], keyring[96..112], "wrapped by the first key");
    assert_eq!((keyring[112], keyring[144], keyring[56]), (1, 2, 2), "generations and revision");
    assert_eq!(keyring[120..128], (20_000u64 * 86_400_000).to_le_bytes());
    let phrase = file("keyring-1-passphrase.bin");
    assert_eq!((phrase[10], &phrase[12..24]), (1, &[0, 0x20, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0][..]));
    let mock = file("mock-1.bin");
    assert_eq!((mock.len(), &mock[..16], mock[32]), (64, &b"PLSTMOCK\x01\0\0\0\x01\0\0\0"[..], 64));
    let record = file("record-1.bin");
    assert_eq!(record.len(), b"one page of a turtle's diary".len() + 16);
}

//! Every example in the README and the book is run.
//!
//! * `sh` blocks are executed by bash in an empty directory, with the `plastron` command on the path;
//! * `store` blocks hold one store string a line, each checked against the schema;
//! * `rust` blocks are doctests of the crate they are about (see the end of its `lib.rs`), and this checks that their page is among them;
//! * `python` blocks need WiredTiger and are run by the tests of the extension (`wiredtiger/tests/real/examples.rs`);
//! * `text` and `json` blocks show output or need a cloud account, and are not run;
//! * every relative link leads to a file and every page stands in the summary.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "this is all test code; clippy.toml exempts only what stands in test functions"
)]

mod page;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use page::{Block, Page};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn pages() -> Vec<Page> {
    let mut files = vec![root().join("README.md"), root().join("docs/performance.md")];
    let mut folders = vec![root().join("docs/src")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "md") {
                files.push(path);
            }
        }
    }
    files.sort();
    assert!(files.len() > 10, "the book has more pages than {files:?}");
    files.iter().map(|file| Page::read(file)).collect()
}

fn blocks(pages: &[Page], language: &str) -> Vec<Block> {
    pages.iter().flat_map(|page| page.blocks.iter()).filter(|block| block.language == language).cloned().collect()
}

#[test]
fn shell_examples_run() {
    let command = Path::new(env!("CARGO_BIN_EXE_plastron"));
    let path = format!("{}:{}", command.parent().unwrap().display(), std::env::var("PATH").unwrap());
    let examples = blocks(&pages(), "sh");
    assert!(examples.len() > 5, "found only {} shell examples", examples.len());
    let mut failures = Vec::new();
    for example in examples {
        let directory = tempfile::tempdir().unwrap();
        // The README's first command builds and runs the demo; here it is built already.
        let script = example.text.replace(
            "cargo run --release -- demo",
            &format!("plastron demo --input {}", root().join("docs").display()),
        );
        let output = Command::new("bash")
            .args(["-euo", "pipefail", "-c", &script])
            .current_dir(directory.path())
            .env("PATH", &path)
            .env("HOME", directory.path())
            .env_remove("PLASTRON_STORE")
            .output()
            .unwrap();
        if !output.status.success() {
            failures.push(format!(
                "{}: {}\n{script}\n{}{}",
                example.place,
                output.status,
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            ));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n----\n"));
}

#[test]
fn store_strings_fit_the_schema() {
    let examples = blocks(&pages(), "store");
    assert!(examples.len() > 3, "found only {} store strings", examples.len());
    for example in examples {
        for line in example.text.lines().filter(|line| !line.trim().is_empty()) {
            let checked =
                plastron_config::Config::parse_store(line).and_then(|config| plastron::Store::schema().check(&config));
            assert!(checked.is_ok(), "{}: {line}\n{}", example.place, checked.unwrap_err());
        }
    }
}

#[test]
fn rust_examples_are_doctests() {
    let read = |library: &str| std::fs::read_to_string(root().join(library)).unwrap();
    let libraries = [read("src/lib.rs"), read("localstack/src/lib.rs")];
    for example in blocks(&pages(), "rust") {
        let page = example.place.split(':').next().unwrap();
        assert!(
            libraries.iter().any(|library| library.contains(&format!("{page}\")]"))),
            "{page} has Rust examples but is a doctest of no library"
        );
    }
}

#[test]
fn every_block_has_a_known_language() {
    for page in pages() {
        for block in page.blocks {
            assert!(
                ["sh", "store", "rust", "python", "text", "json"].contains(&block.language.as_str()),
                "{}: a block in {:?}; use sh, store, rust, python, text or json",
                block.place,
                block.language
            );
        }
    }
}

#[test]
fn links_lead_somewhere_and_every_page_is_in_the_summary() {
    let mut listed = BTreeSet::new();
    for page in pages() {
        for link in &page.links {
            if link.contains("://") || link.starts_with('#') {
                continue;
            }
            let file = link.split('#').next().unwrap();
            let target = page.path.parent().unwrap().join(file);
            assert!(target.exists(), "{} links to {link}, which is not there", page.name);
            if page.name.ends_with("SUMMARY.md") {
                listed.insert(target.canonicalize().unwrap());
            }
        }
    }
    for page in pages() {
        if page.name.starts_with("docs/src/") && !page.name.ends_with("SUMMARY.md") {
            assert!(listed.contains(&page.path.canonicalize().unwrap()), "{} is not in docs/src/SUMMARY.md", page.name);
        }
    }
}

#[test]
fn the_configuration_reference_is_the_schema() {
    let path = root().join("docs/src/reference/configuration.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once("checked by the same test -->\n").unwrap();
    let (_, after) = rest.split_once("<!-- end of schema -->").unwrap();
    let schema = plastron::Store::schema();
    schema.validate().unwrap();
    let wanted = format!(
        "{before}checked by the same test -->\n{}\n<!-- end of schema -->{after}",
        schema.markdown().trim_end()
    );
    if std::env::var_os("PLASTRON_UPDATE_DOCS").is_some() {
        std::fs::write(&path, &wanted).unwrap();
    } else {
        assert_eq!(page, wanted, "the reference is not the schema's; write it with PLASTRON_UPDATE_DOCS=1");
    }
}

/// The settings of key modules that stand above `plastron-keys`, whose own test has the others.
#[cfg(feature = "keyserver")]
#[test]
fn the_settings_of_the_key_module_keyserver_are_its_schema() {
    let path = root().join("docs/src/concepts/keyserver-keys.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let modules = plastron::key_modules();
    let (_, schema) = modules.schemas().find(|(name, _)| *name == "keyserver").unwrap();
    let begin = "<!-- schema: keyserver -->\n";
    let (before, rest) = page.split_once(begin).unwrap();
    let (_, after) = rest.split_once("<!-- end of schema -->").unwrap();
    let wanted = format!("{before}{begin}{}<!-- end of schema -->{after}", schema.markdown());
    if std::env::var_os("PLASTRON_UPDATE_DOCS").is_some() {
        std::fs::write(&path, &wanted).unwrap();
    } else {
        assert_eq!(page, wanted, "the settings are not the schema's; write them with PLASTRON_UPDATE_DOCS=1");
    }
}

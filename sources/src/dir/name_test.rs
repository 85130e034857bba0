//! The mapping of names to paths: its table, and that it is one to one.

use proptest::prelude::*;

use super::name::{COMPONENT_MAX, Piece, TEMPORARY, decode, directory_of, locate};
use super::testing::path;

/// What every version of Plastron has to make of these names; never change a line of it.
const TABLE: &[(&str, &str)] = &[
    ("a", "a"),
    ("a/b/c", "a/b/c"),
    ("with space/and more ", "with space/and more "),
    (" ", " "),
    ("ünïcödé/目录/🐢", "ünïcödé/目录/🐢"),
    ("100%", "100%25"),
    ("%25", "%2525"),
    ("%2E", "%252E"),
    ("%/%", "%25/%25"),
    ("a+b#c?d&e=f;g,h:i*j|k\\l\"m'n<o>p[q]r{s}t^u~v`w$x!y@z", "a+b#c?d&e=f;g,h:i*j|k\\l\"m'n<o>p[q]r{s}t^u~v`w$x!y@z"),
    (".hidden/.a", ".hidden/.a"),
    ("...", "..."),
    ("-rf", "-rf"),
    ("_plastronic", "_plastronic"),
    ("_plastron/sums/0123456789abcdef0123456789abcdef", "_plastron/sums/0123456789abcdef0123456789abcdef"),
    ("_plastron/tmpfile", "_plastron/tmpfile"),
    ("db1/_plastron/tmp/x", "db1/_plastron/tmp/x"),
    ("A/a", "A/a"),
];

fn path_of(name: &str) -> String {
    locate(&path(name)).unwrap().path()
}

/// A name from its path, by reading entry after entry as the listing does.
fn name_of(path: &str) -> Result<String, &'static str> {
    let mut name = String::new();
    let mut continued = false;
    let mut ended = false;
    for entry in path.split('/') {
        if ended {
            name.push('/');
        }
        let piece = decode(entry.as_bytes(), continued)?;
        assert_eq!(piece.entry(), entry, "an entry that is accepted is written the same way");
        (continued, ended) = match piece {
            Piece::End(text) => {
                name.push_str(&text);
                (false, true)
            }
            Piece::More(text) => {
                name.push_str(&text);
                (true, false)
            }
        };
    }
    if ended { Ok(name) } else { Err("ends in the middle of a name") }
}

#[test]
fn short_names_are_their_own_paths() {
    for (name, expected) in TABLE {
        assert_eq!(path_of(name), *expected);
        assert_eq!(name_of(expected).unwrap(), *name);
    }
}

#[test]
fn long_components_are_cut_after_200_bytes() {
    let x = |count: usize| "x".repeat(count);
    let percents = |count: usize| "%25".repeat(count);
    let table = [
        (x(200), x(200)),
        (x(201), format!("{}%/%", x(201))),
        (x(202), format!("{}%/x", x(201))),
        (x(255), format!("{}%/{}", x(201), x(54))),
        (x(402), format!("{}%/{}%/%", x(201), x(201))),
        (x(1024), format!("{0}%/{0}%/{0}%/{0}%/{0}%/{1}", x(201), x(19))),
        (format!("{}/{}", x(201), x(3)), format!("{}%/%/xxx", x(201))),
        (format!("{}.", x(201)), format!("{}%/%2E", x(201))),
        (format!("{}..", x(201)), format!("{}%/%2E%2E", x(201))),
        (format!("{}...", x(201)), format!("{}%/...", x(201))),
        // Characters stay whole, escapes too.
        ("é".repeat(100), "é".repeat(100)),
        ("é".repeat(102), format!("{}%/é", "é".repeat(101))),
        ("🐢".repeat(52), format!("{}%/🐢", "🐢".repeat(51))),
        ("%".repeat(66), percents(66)),
        ("%".repeat(67), format!("{}%/%", percents(67))),
        ("%".repeat(1024), format!("{}{}", format!("{}%/", percents(67)).repeat(15), percents(19))),
    ];
    for (name, expected) in table {
        assert_eq!(path_of(&name), expected);
        assert_eq!(name_of(&expected).unwrap(), name);
    }
}

#[test]
fn no_path_is_too_long_for_the_system() {
    for worst in
        ["%".repeat(1024), "a/".repeat(511) + "a", "é".repeat(512), format!("{}/{}", "%".repeat(512), "%".repeat(511))]
    {
        assert!(worst.len() <= 1024);
        let path = path_of(&worst);
        assert!(path.len() < 4096);
        assert!(path.split('/').all(|entry| entry.len() <= 255));
    }
}

#[test]
fn plastrons_own_names_are_refused() {
    for name in ["_plastron", TEMPORARY, "_plastron/tmp/x", "_plastron/tmp/a/b"] {
        let refused = locate(&path(name)).unwrap_err().to_string();
        assert!(refused.contains("kept for Plastron's own files"), "{refused}");
    }
    assert!(locate(&path("")).is_err());
    assert_eq!(directory_of(&path("")), "");
    assert_eq!(directory_of(&path("a%/b")), "a%25/b");
}

#[test]
fn entries_that_no_name_leads_to_are_told_apart() {
    let x = |count: usize| "x".repeat(count);
    let foreign: [(Vec<u8>, bool); 18] = [
        (b"%".to_vec(), false),
        (b"50%".to_vec(), false),
        (b"50%".to_vec(), true),
        (b"a%41".to_vec(), false),
        (b"%2e".to_vec(), true),
        (b"%2E".to_vec(), false),
        (b"%2E%2E".to_vec(), false),
        (b"%2E%2E%2E".to_vec(), true),
        (b"%2".to_vec(), false),
        (b"%25%".to_vec(), false),
        (b"\xff".to_vec(), false),
        (b"tab\t".to_vec(), false),
        (b"new\nline".to_vec(), false),
        (b"\x7f".to_vec(), false),
        (x(201).into_bytes(), false),
        (x(255).into_bytes(), true),
        (format!("{}%", x(200)).into_bytes(), false),
        (format!("{}%", x(202)).into_bytes(), false),
    ];
    for (entry, continued) in foreign {
        assert!(decode(&entry, continued).is_err(), "{}", String::from_utf8_lossy(&entry));
    }
    assert_eq!(decode(b"%", true), Ok(Piece::End(String::new())));
    assert_eq!(decode(b"%2E", true), Ok(Piece::End(".".to_owned())));
    assert_eq!(decode(format!("{}%", x(201)).as_bytes(), false), Ok(Piece::More(x(201))));
}

/// Components of all lengths around the cut, of characters of all lengths and of those with a meaning.
fn component() -> impl Strategy<Value = String> {
    let character = prop_oneof![
        Just('%'),
        Just('.'),
        Just('a'),
        Just('2'),
        Just('5'),
        Just('E'),
        Just('é'),
        Just('🐢'),
        any::<char>()
    ];
    let text = |length| {
        proptest::collection::vec(character.clone(), length).prop_map(|all| all.into_iter().collect::<String>())
    };
    prop_oneof![4 => text(1..6), 1 => text(60..75), 2 => text(190..215), 1 => text(390..430)].prop_filter_map(
        "not a component",
        |text| {
            let text: String =
                text.chars().filter(|character| *character != '/' && !character.is_ascii_control()).collect();
            object_store::path::PathPart::parse(&text).is_ok().then_some(text).filter(|text| !text.is_empty())
        },
    )
}

fn name() -> impl Strategy<Value = String> {
    proptest::collection::vec(component(), 1..4).prop_map(|components| components.join("/"))
}

proptest! {
    #[test]
    fn every_name_has_a_path_that_leads_back(name in name()) {
        let path = path_of(&name);
        prop_assert_eq!(name_of(&path).unwrap(), name);
        for entry in path.split('/') {
            prop_assert!(!entry.is_empty() && entry != "." && entry != ".." && entry.len() <= COMPONENT_MAX + 5, "{}", entry);
        }
    }

    /// Paths are names too: whatever tree somebody makes, each file stands for at most one name, and that name for that file only.
    #[test]
    fn every_path_that_is_understood_is_the_path_of_its_name(path in name()) {
        if let Ok(name) = name_of(&path) {
            prop_assert_eq!(path_of(&name), path);
        }
    }

    #[test]
    fn any_bytes_are_understood_or_refused(entry in proptest::collection::vec(any::<u8>(), 1..256), continued in any::<bool>()) {
        if let Ok(piece) = decode(&entry, continued) {
            prop_assert_eq!(piece.entry().into_bytes(), entry);
        }
    }
}

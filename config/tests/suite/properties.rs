//! Properties, against plain models.

use std::collections::BTreeMap;

use plastron_config::{Config, Schema, Value, ValueKind};
use proptest::prelude::*;

/// A value in the model.
#[derive(Debug, Clone, PartialEq)]
enum Model {
    Flag,
    Empty,
    Text(String),
    List(Vec<String>),
    Section(BTreeMap<String, Model>),
}

type Settings = BTreeMap<String, Model>;

fn key() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => prop::sample::select(vec!["a", "b", "c", "d_1", "cache", "auth_token"]).prop_map(str::to_owned),
        1 => prop::sample::select(vec!["a.b", "5", "-x", "é", "a b", "q\"q", "x=y", "/lib.so", "{", "\n"]).prop_map(str::to_owned),
        1 => "[^\0]{1,4}",
    ]
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-z0-9/._;-]{1,6}",
        2 => prop::sample::select(vec!["true", "false", "10GB", "-1", "30s", "", "(x)", "a,b", "\"", "\\"]).prop_map(str::to_owned),
        1 => "[^\0]{0,8}",
    ]
}

fn model() -> impl Strategy<Value = Model> {
    let leaf = prop_oneof![
        1 => Just(Model::Flag),
        1 => Just(Model::Empty),
        4 => text().prop_map(Model::Text),
        1 => prop::collection::vec(text(), 0..4).prop_map(Model::List),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| prop::collection::btree_map(key(), inner, 0..5).prop_map(Model::Section))
}

fn settings() -> impl Strategy<Value = Settings> {
    prop::collection::btree_map(key(), model(), 0..6)
}

/// Quoted as a text has to be, by this test's own reading of the grammar.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() || u32::from(c) % 7 == 3 => {
                let mut units = [0; 2];
                for unit in c.encode_utf16(&mut units) {
                    out += &format!("\\u{unit:04X}");
                }
            }
            c => out.push(c),
        }
    }
    out + "\""
}

fn bare(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_./;-".contains(c);
    text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '/') && text.chars().all(plain)
}

/// A text for the model, whose blanks, separators, brackets and needless quotes are chosen by `style`.
fn write(settings: &Settings, style: u64) -> String {
    let mut style = style;
    let mut choose = move |n: u64| {
        style = style.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (style >> 33) % n
    };
    write_with(settings, &mut choose)
}

#[allow(clippy::indexing_slicing, reason = "what is chosen is below N")]
fn pick<T: Copy, const N: usize>(choose: &mut dyn FnMut(u64) -> u64, of: [T; N]) -> T {
    of[choose(N as u64) as usize]
}

fn write_with(settings: &Settings, choose: &mut dyn FnMut(u64) -> u64) -> String {
    let mut out = String::new();
    for (key, value) in settings {
        let simple = bare(key) && key.starts_with(|c: char| c.is_ascii_alphabetic()) && !key.contains('.');
        out += &if simple && choose(3) > 0 { key.clone() } else { quoted(key) };
        let blank = pick(choose, ["", " ", "\n\t"]);
        let separator = pick(choose, ["=", ":"]);
        if *value != Model::Flag {
            out += &format!("{blank}{separator}{blank}");
        }
        match value {
            Model::Flag | Model::Empty => {}
            Model::Text(text) if bare(text) && choose(2) == 0 => out += text,
            Model::Text(text) => out += &quoted(text),
            Model::List(items) => {
                let items: Vec<String> = items.iter().map(|item| quoted(item)).collect();
                let (open, close) = pick(choose, [("(", ")"), ("[", "]"), ("{", "}")]);
                out += &format!("{open}{}{close}", items.join(pick(choose, [",", " , ", ",,"])));
            }
            Model::Section(inner) => {
                let (open, close) = pick(choose, [("(", ")"), ("[", "]"), ("{", "}")]);
                out += &format!("{open}{}{close}", write_with(inner, choose));
            }
        }
        out += pick(choose, [",", " ,", ", ", ",,"]);
    }
    out
}

/// What the configuration should say.
fn agrees(config: &Config, model: &Settings) -> bool {
    config.len() == model.len()
        && config.iter().all(|(key, value)| model.get(key).is_some_and(|model| value_agrees(value, model)))
}

fn value_agrees(value: &Value, model: &Model) -> bool {
    match model {
        Model::Flag => value.kind() == ValueKind::Flag,
        Model::Empty => value.kind() == ValueKind::Empty,
        Model::Text(text) => value.text() == Some(text) && value.kind() != ValueKind::Empty,
        Model::List(items) => value.section().is_some_and(|list| {
            list.len() == items.len() && list.items().zip(items).all(|(item, text)| item.text() == Some(text))
        }),
        Model::Section(inner) => value.section().is_some_and(|section| agrees(section, inner)),
    }
}

/// Whether any setting has a value: a bracket of bare keys only is a list.
fn has_values(model: &Model) -> bool {
    matches!(model, Model::Section(inner) if inner.values().any(|value| *value != Model::Flag))
}

fn only_names(model: &Model) -> Option<Settings> {
    match model {
        Model::Section(inner) => Some(inner.clone()),
        Model::List(items) if items.iter().all(|item| !item.is_empty()) => {
            Some(items.iter().map(|item| (item.clone(), Model::Flag)).collect())
        }
        _ => None,
    }
}

/// The rule of merging, on the model.
fn merge(earlier: &mut Settings, later: &Settings) {
    for (key, new) in later {
        let old = earlier.get(key).cloned();
        let merged = match old {
            Some(old) if has_values(&old) || has_values(new) => match (only_names(&old), only_names(new)) {
                (Some(mut old), Some(new)) => {
                    merge(&mut old, &new);
                    Some(Model::Section(old))
                }
                _ => None,
            },
            _ => None,
        };
        earlier.insert(key.clone(), merged.unwrap_or_else(|| new.clone()));
    }
}

/// Random characters that mean something to the grammar, and some that don't.
fn soup() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "a",
        "b",
        "key",
        "true",
        "10GB",
        "-1",
        "=",
        "=",
        ":",
        ",",
        ",",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        "\"",
        "\\",
        "\\u00e9",
        " ",
        "\n",
        ".",
        "a.b",
        "é",
        "🐢",
        "@",
        "\u{1}",
        "\"x y\"",
        "auth_token=",
        "s3://",
        "?",
        "&",
        "%20",
        "%",
        "//u:p@",
        "1.5",
    ]);
    prop_oneof![prop::collection::vec(piece, 0..20).prop_map(|pieces| pieces.concat()), any::<String>()]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn what_is_written_is_read(model in settings(), style in any::<u64>()) {
        let text = write(&model, style);
        let config = Config::parse(&text);
        prop_assert!(config.is_ok(), "{}\n{:#}", text, config.unwrap_err());
        let config = config.unwrap();
        prop_assert!(agrees(&config, &model), "{}\n{:?}", text, config);
        prop_assert_eq!(Config::parse(&format!("({text})")).unwrap(), config);
    }

    #[test]
    fn what_is_printed_parses_back(model in settings(), style in any::<u64>()) {
        let config = Config::parse(&write(&model, style)).unwrap();
        let printed = config.to_string();
        let again = Config::parse(&printed);
        prop_assert!(again.is_ok(), "{}\n{:#}", printed, again.unwrap_err());
        let again = again.unwrap();
        prop_assert_eq!(&again, &config, "{}", printed);
        prop_assert_eq!(again.to_string(), printed);
    }

    #[test]
    fn merging_follows_the_model(one in settings(), two in settings(), style in any::<u64>()) {
        let (first, second) = (write(&one, style), write(&two, style ^ 1));
        let mut expected = one.clone();
        merge(&mut expected, &two);

        let mut merged = Config::parse(&first).unwrap();
        merged.merge(Config::parse(&second).unwrap());
        prop_assert!(agrees(&merged, &expected), "{}\n{}\n{}\n{:?}", first, second, merged, expected);
        // One text with everything in it says the same as two that are merged, and what is merged prints.
        prop_assert_eq!(&Config::parse(&format!("{first},{second}")).unwrap(), &merged);
        prop_assert_eq!(&Config::parse(&merged.to_string()).unwrap(), &merged);
    }

    #[test]
    fn merging_with_nothing_changes_nothing(model in settings(), style in any::<u64>()) {
        let config = Config::parse(&write(&model, style)).unwrap();
        let mut merged = Config::new();
        merged.merge(config.clone());
        merged.merge(Config::new());
        prop_assert_eq!(merged.to_string(), config.to_string());
    }

    #[test]
    fn set_values_can_be_got(path in prop::collection::vec("[a-z]{1,2}", 1..4), first in text(), second in text(), base in settings()) {
        let mut config = Config::parse(&write(&base, 3)).unwrap();
        let path = path.join(".");
        config.set(&path, first.as_str()).unwrap();
        config.set(&path, second.as_str()).unwrap();
        prop_assert_eq!(config.string(&path).unwrap(), Some(second.clone()));
        let again = Config::parse(&config.to_string()).unwrap();
        prop_assert_eq!(again.string(&path).unwrap(), Some(second));
        prop_assert_eq!(again, config);
    }

    #[test]
    fn no_text_panics_and_strict_and_lenient_agree(text in soup()) {
        let strict = Config::parse(&text);
        let (lenient, mistakes) = Config::parse_lenient(&text);
        match strict {
            Ok(config) => {
                prop_assert_eq!(&config, &lenient);
                prop_assert!(mistakes.is_empty());
            }
            Err(error) => {
                prop_assert_eq!(mistakes.first().map(ToString::to_string), Some(error.to_string()));
                let position = error.position().unwrap();
                prop_assert!(position.byte <= text.len() && text.is_char_boundary(position.byte));
                let excerpt = error.excerpt().unwrap();
                let caret = excerpt.lines().last().unwrap();
                prop_assert!(caret.trim_start() == "^", "{}", excerpt);
            }
        }
        let printed = lenient.to_string();
        let again = Config::parse(&printed);
        prop_assert!(again.is_ok(), "{} -> {}", text, printed);
        prop_assert_eq!(again.unwrap(), lenient);
    }

    #[test]
    fn no_store_string_panics(text in soup()) {
        let schema = Schema::new("store").string("bucket", "B.").size("a", "A.", "1").section(Schema::new("b").list("key", "K."));
        if let Ok(config) = Config::parse_store(&text) {
            prop_assert_eq!(&Config::parse(&config.to_string()).unwrap(), &config);
            for error in schema.check_all(&config) {
                let shown = format!("{error:#}");
                prop_assert!(!shown.is_empty());
            }
        }
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let (config, _) = Config::parse_lenient_bytes(&bytes);
        prop_assert_eq!(Config::parse(&config.to_string()).unwrap(), config);
    }

    #[test]
    fn urls_carry_any_text(prefix in "[^\u{0}-\u{1f}\u{7f}/.]{1,8}", value in "[^\u{0}-\u{1f}\u{7f}(\\[{]{1,8}") {
        let escaped = |text: &str| text.bytes().map(|b| format!("%{b:02x}")).collect::<String>();
        let url = format!("s3://bucket/{}?x.y={}", escaped(&prefix), escaped(&value));
        match Config::parse_store(&url) {
            Ok(config) => {
                prop_assert_eq!(config.string("bucket_prefix").unwrap(), Some(format!("{prefix}/")));
                prop_assert_eq!(config.string("x.y").unwrap(), Some(value));
            }
            Err(error) => prop_assert!(error.message().starts_with("credentials can't stand in a URL"), "{}", error),
        }
    }
}

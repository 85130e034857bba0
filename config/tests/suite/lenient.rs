//! Texts of other programs: what can be understood is, and nothing fails.

use plastron_config::Config;

/// Text, what is understood of it, and what is said about the rest.
const LENIENT: &[(&str, &str, &[&str])] = &[
    ("cache_directory=cache", "cache_directory=cache", &[]),
    ("a=1,b=@,c=2", "a=1,c=2", &["an unquoted value can't start with '@'; put it in double quotes (line 1, column 7)"]),
    ("a=1,b=(c=1,=,d=2),e", "a=1,b=(c=1,d=2),e", &["a key is missing before '=' (line 1, column 12)"]),
    ("a=(b=1,c=2", "a=(b=1,c=2)", &["'(' is not closed (line 1, column 3)"]),
    (
        "a=(b=1]),c=2",
        "a=(b=1),c=2",
        &[
            "the '(' at line 1, column 3 takes a ')', not ']' (line 1, column 7)",
            "')' closes nothing (line 1, column 8)",
        ],
    ),
    ("a=1),b=2", "a=1,b=2", &["')' closes nothing (line 1, column 4)"]),
    (
        "a=\"x\\q, y\",b=2",
        "b=2",
        &[
            "unknown escape; there are \\\" \\\\ \\/ \\b \\f \\n \\r \\t and \\uXXXX (write \\\\ for a backslash) (line 1, column 5)",
        ],
    ),
    ("a=1,b=\"open,c=2", "a=1", &["the quoted text is not closed (line 1, column 7)"]),
    (
        "a=b c=\"x,y\",d=1",
        "d=1",
        &["a comma is missing behind the value of a, or double quotes around it (line 1, column 5)"],
    ),
    (
        "(a=1),b=2",
        "a=1,b=2",
        &["nothing may follow the bracket that encloses the whole configuration (line 1, column 7)"],
    ),
    (
        "1,a=2,(x)",
        "a=2",
        &[
            "'1' can't be a key: a key starts with a letter or stands in double quotes (line 1, column 1)",
            "a bracket can't stand in the place of a key (line 1, column 7)",
        ],
    ),
];

#[test]
fn what_can_be_understood_is() {
    for (text, understood, mistakes) in LENIENT {
        let (config, errors) = Config::parse_lenient(text);
        assert_eq!(config.to_string(), *understood, "{text}");
        let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(errors, *mistakes, "{text}");
    }
}

#[test]
fn bytes_that_are_no_text_do_not_matter() {
    let (config, mistakes) = Config::parse_lenient_bytes(b"a=1,b=\xff\xfe,c=\"\xff\",\x01\x02,d=2");
    assert_eq!(config.to_string(), "a=1,c=\"\u{fffd}\",d=2");
    assert_eq!(mistakes.len(), 2);
    let (config, mistakes) = Config::parse_lenient_bytes(&vec![b'('; 2 << 20]);
    assert!(config.is_empty());
    assert_eq!(mistakes[0].message(), "the configuration has 1048577 bytes; 1048576 are allowed");
}

#[test]
fn no_more_than_64_mistakes_are_told() {
    let (config, mistakes) = Config::parse_lenient(&format!("{}a=1", "@,".repeat(1000)));
    assert_eq!((config.to_string().as_str(), mistakes.len()), ("a=1", 64));
}

//! Texts with mistakes, and what is said about them.

use plastron_config::limits::{MAX_DEPTH, MAX_KEY_BYTES, MAX_SETTINGS, MAX_TEXT_BYTES};
use plastron_config::{Config, ErrorKind, Reason};

/// Text, and the error with its place.
const BAD: &[(&str, &str)] = &[
    ("=", "a key is missing before '=' (line 1, column 1)"),
    ("=1", "a key is missing before '=' (line 1, column 1)"),
    (":1", "a key is missing before ':' (line 1, column 1)"),
    ("a=1,=2", "a key is missing before '=' (line 1, column 5)"),
    ("a==1", "an unquoted value can't start with '='; put it in double quotes (line 1, column 3)"),
    ("a=:1", "an unquoted value can't start with ':'; put it in double quotes (line 1, column 3)"),
    ("a=1=2", "a has a value already; put the value in double quotes if '=' belongs to it (line 1, column 4)"),
    (r#"a="1"=2"#, "a has a value already (line 1, column 6)"),
    ("a=1 :2", "a has a value already (line 1, column 5)"),
    ("a=(b):c", "a has a value already (line 1, column 6)"),
    ("a=1 b=2", "a comma is missing behind the value of a, or double quotes around it (line 1, column 5)"),
    ("a b", "a comma or '=' is missing behind a (line 1, column 3)"),
    (r#""a" b"#, "a comma or '=' is missing behind a (line 1, column 5)"),
    (r#"a"b""#, r#"unexpected '"' in an unquoted key; put the key in double quotes (line 1, column 2)"#),
    (r#"a=b"c" d"#, "a comma is missing behind the value of a, or double quotes around it (line 1, column 8)"),
    (r#"a="b"c"#, "a comma is missing behind the value of a (line 1, column 6)"),
    (r#"a="b" "c""#, "a comma is missing behind the value of a (line 1, column 7)"),
    ("a=(b)c", "a comma is missing behind the value of a (line 1, column 6)"),
    ("(a)(b)", "nothing may follow the bracket that encloses the whole configuration (line 1, column 4)"),
    ("(a=1),b=2", "nothing may follow the bracket that encloses the whole configuration (line 1, column 7)"),
    ("(a=1)x", "nothing may follow the bracket that encloses the whole configuration (line 1, column 6)"),
    ("((a=1))", "a bracket can't stand in the place of a key (line 1, column 2)"),
    ("(a,b", "'(' is not closed (line 1, column 1)"),
    ("a=(b=1", "'(' is not closed (line 1, column 3)"),
    ("a=[b=(c=1)", "'[' is not closed (line 1, column 3)"),
    ("a)", "')' closes nothing (line 1, column 2)"),
    ("a=1)", "')' closes nothing (line 1, column 4)"),
    (
        "a=b(c)",
        "')' closes nothing (the '(' at line 1, column 4 is part of an unquoted value; put that value in double quotes) (line 1, column 6)",
    ),
    ("cache(size=1GB)", "'=' is missing between cache and '(' (line 1, column 6)"),
    ("cache (size=1GB)", "'=' is missing between cache and '(' (line 1, column 7)"),
    ("a=(b]", "the '(' at line 1, column 3 takes a ')', not ']' (line 1, column 5)"),
    ("a=[b)", "the '[' at line 1, column 3 takes a ']', not ')' (line 1, column 5)"),
    ("a={b]", "the '{' at line 1, column 3 takes a '}', not ']' (line 1, column 5)"),
    ("]", "']' closes nothing (line 1, column 1)"),
    (r#"a="b"#, "the quoted text is not closed (line 1, column 3)"),
    (r#"a=""#, "the quoted text is not closed (line 1, column 3)"),
    (
        r#"a="b\q""#,
        r#"unknown escape; there are \" \\ \/ \b \f \n \r \t and \uXXXX (write \\ for a backslash) (line 1, column 5)"#,
    ),
    (
        r#"a="b\u12g4""#,
        r#"\u takes four hexadecimal digits that name a character; one beyond U+FFFF takes a surrogate pair (line 1, column 5)"#,
    ),
    (
        r#"a="\ud800""#,
        r#"\u takes four hexadecimal digits that name a character; one beyond U+FFFF takes a surrogate pair (line 1, column 4)"#,
    ),
    (r#"a="\u0000""#, r#"the character \u0000 can't be part of a text (line 1, column 4)"#),
    (
        "a=\"b\nc\"",
        r#"a control character can't stand in a quoted text; write it as an escape such as \n or \t (line 1, column 5)"#,
    ),
    ("a='b'", "an unquoted value can't start with a single quote; use double quotes (line 1, column 3)"),
    ("'a'=b", "a key can't start with a single quote; use double quotes (line 1, column 1)"),
    ("a=~/x", "an unquoted value can't start with '~'; put it in double quotes (line 1, column 3)"),
    ("~a", "a key can't start with '~'; put it in double quotes (line 1, column 1)"),
    ("a=+1", "an unquoted value can't start with '+'; put it in double quotes (line 1, column 3)"),
    ("a=;b", "an unquoted value can't start with ';'; put it in double quotes (line 1, column 3)"),
    ("a=é", "an unquoted value can't start with 'é'; put it in double quotes (line 1, column 3)"),
    ("é=1", "a key can't start with 'é'; put it in double quotes (line 1, column 1)"),
    ("a=bé", "unexpected 'é' in an unquoted value; put the value in double quotes (line 1, column 4)"),
    ("bé=1", "unexpected 'é' in an unquoted key; put the key in double quotes (line 1, column 2)"),
    ("a=b\u{1}", r#"unexpected '\u{1}' in an unquoted value; put the value in double quotes (line 1, column 4)"#),
    ("\u{1}", r#"a key can't start with '\u{1}'; put it in double quotes (line 1, column 1)"#),
    ("1=2", "'1' can't be a key: a key starts with a letter or stands in double quotes (line 1, column 1)"),
    ("-1=2", "'-1' can't be a key: a key starts with a letter or stands in double quotes (line 1, column 1)"),
    ("10GB=(a=1)", "'10GB' can't be a key: a key starts with a letter or stands in double quotes (line 1, column 1)"),
    (r#"""=1"#, "a key can't be empty (line 1, column 1)"),
    ("a=1,2", "'2' can't be a key: a key starts with a letter or stands in double quotes (line 1, column 5)"),
    ("(a,b)=1", "nothing may follow the bracket that encloses the whole configuration (line 1, column 6)"),
    ("a=((b=1),c=2)", "a bracket can't stand in the place of a key (line 1, column 4)"),
    ("a=(b=1,(c))", "a bracket can't stand in the place of a key (line 1, column 8)"),
    ("x,\n  y=(z\n  ,w=5", "'(' is not closed (line 2, column 5)"),
    ("[a,b],c", "nothing may follow the bracket that encloses the whole configuration (line 1, column 7)"),
    ("#a", "a key can't start with '#'; put it in double quotes (line 1, column 1)"),
    ("a=1,#b", "a key can't start with '#'; put it in double quotes (line 1, column 5)"),
    ("@", "a key can't start with '@'; put it in double quotes (line 1, column 1)"),
    ("a=@b", "an unquoted value can't start with '@'; put it in double quotes (line 1, column 3)"),
    ("a.=1,b=?", "an unquoted value can't start with '?'; put it in double quotes (line 1, column 8)"),
    ("auth_token=AK;SK=,bucket=b", "a secret that holds '=' or ':' must stand in double quotes (line 1, column 17)"),
    ("auth_token=AK SK,bucket=b", "a comma is missing behind a secret, or double quotes around it (line 1, column 15)"),
    (
        r#"auth_token="AK;SK"SK2,bucket=b"#,
        "a comma is missing behind a secret, or double quotes around it (line 1, column 19)",
    ),
    ("auth_token=~AK,bucket=b", "an unquoted value can't start like this; put it in double quotes (line 1, column 12)"),
    (r#"auth_token="AK;SK,bucket=b"#, "the quoted text is not closed (line 1, column 12)"),
    ("auth_token=AK,S+K/x=(,bucket=b", "'(' is not closed (line 1, column 21)"),
    ("auth_token=AK)SK", "')' closes nothing (line 1, column 14)"),
    (
        "bucket=b,auth_token=AK;SKé",
        "a comma is missing behind a secret, or double quotes around it (line 1, column 26)",
    ),
    (
        "bucket=b secret_key=x",
        "a comma is missing behind the value of bucket, or double quotes around it (line 1, column 10)",
    ),
    ("password:abc:def=1", "a secret that holds '=' or ':' must stand in double quotes (line 1, column 17)"),
    (r#"a=b,"auth_token"="x"y"#, "a comma is missing behind a secret, or double quotes around it (line 1, column 21)"),
    (
        "endpoint=http://AK:SK@host:9000=x",
        "endpoint has a value already; put the value in double quotes if '=' belongs to it (line 1, column 32)",
    ),
    (
        "DefaultEndpointsProtocol=https;AccountName=n;AccountKey=abc==",
        "DefaultEndpointsProtocol has a value already; put the value in double quotes if '=' belongs to it (line 1, column 43)",
    ),
];

#[test]
fn every_mistake_has_its_message_and_place() {
    for (text, message) in BAD {
        let error = Config::parse(text).expect_err(text);
        assert_eq!(error.to_string(), *message, "{text}");
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert_eq!(error.reason(), Reason::Syntax, "{text}");
        assert!(!error.is_retryable());
        assert!(error.position().is_some_and(|position| position.byte <= text.len()), "{text}");
    }
}

#[test]
fn the_alternate_form_shows_the_line_and_a_caret() {
    let error = Config::parse("bucket=b,\n  cache=(size=10GB,\n  auth_token=\"AK;SK\",é\"").unwrap_err();
    assert_eq!(
        format!("{error:#}"),
        "a key can't start like this; put it in double quotes (line 3, column 22)\n    auth_token=[secret]\n               ^"
    );
    let error = Config::parse("bucket=b,\n  cache=(size 10GB),x").unwrap_err();
    assert_eq!(
        format!("{error:#}"),
        "a comma or '=' is missing behind size (line 2, column 15)\n    cache=(size 10GB),x\n                ^"
    );
    assert_eq!(error.excerpt().unwrap().lines().count(), 2);
    assert_eq!(error.message(), "a comma or '=' is missing behind size");
}

#[test]
fn the_limits_hold() {
    let limit = |text: &str, message: &str| {
        let error = Config::parse(text).expect_err(message);
        assert_eq!((error.reason(), error.message()), (Reason::Limit, message));
        let (_, mistakes) = Config::parse_lenient(text);
        assert!(mistakes.iter().any(|mistake| mistake.message() == message), "{message}");
    };
    let nested = |depth: usize| format!("a={}b{}", "(".repeat(depth), ")".repeat(depth));
    let dotted = |parts: usize| format!("{}=1", vec!["a"; parts].join("."));

    assert!(Config::parse(&nested(MAX_DEPTH)).is_ok());
    limit(&nested(MAX_DEPTH + 1), "brackets are nested deeper than 64");
    assert!(Config::parse(&dotted(MAX_DEPTH + 1)).is_ok());
    limit(&dotted(MAX_DEPTH + 2), "settings are nested deeper than 64");
    limit(
        &format!("{}=({})", dotted(MAX_DEPTH / 2).trim_end_matches("=1"), dotted(MAX_DEPTH)),
        "settings are nested deeper than 64",
    );

    assert!(Config::parse(&"x=1,".repeat(MAX_SETTINGS)).is_ok());
    limit(&"x=1,".repeat(MAX_SETTINGS + 1), "there are more than 16384 settings and list items");
    assert!(Config::parse(&"x".repeat(MAX_KEY_BYTES)).is_ok());
    limit(&"x".repeat(MAX_KEY_BYTES + 1), "a key has more than 4096 bytes");
    assert!(Config::parse(&format!("x={}", "y".repeat(MAX_TEXT_BYTES - 2))).is_ok());
    limit(&"x".repeat(MAX_TEXT_BYTES + 1), "the configuration has 1048577 bytes; 1048576 are allowed");
}

/// None of these may take more than a moment, whatever the length.
#[test]
fn hostile_texts_are_read_in_time_by_their_length() {
    let pieces = [
        "a=b(,",
        ")",
        "a=1)",
        "(]",
        "\"",
        "a\"",
        "\\\"",
        "=",
        ",",
        " ",
        "a ",
        "auth_token=",
        "auth_token=,",
        "//",
        "\u{e9}",
        "a.b=1,",
        "\"\\q\",",
    ];
    for piece in pieces {
        let text = piece.repeat(MAX_TEXT_BYTES / 4 / piece.len());
        let (config, mistakes) = Config::parse_lenient(&text);
        assert!(mistakes.len() <= 64);
        for mistake in mistakes.iter().take(2) {
            assert!(format!("{mistake:#}").len() < 2_000);
        }
        let _ = format!("{}", config.redacted());
        let _ = Config::parse(&text);
    }
    let many: String = (0..10_000).map(|number| format!("a.k{number}=1,")).collect();
    assert_eq!(Config::parse(&many).unwrap().section("a").unwrap().unwrap().len(), 10_000);
}

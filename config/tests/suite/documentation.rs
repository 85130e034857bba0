//! The grammar's page in the book says what is so: its tables are read and tried.

use plastron_config::{Config, limits};

const PAGE: &str = include_str!("../../../docs/src/reference/configuration-grammar.md");

/// The rows of the table whose heading row starts with these cells; cells without their code marks.
fn table(heading: &[&str]) -> Vec<Vec<String>> {
    let cells = |line: &str| -> Vec<String> {
        let line = line.trim().trim_start_matches('|').trim_end_matches('|');
        line.split(" | ").map(|cell| cell.trim().trim_matches('`').to_owned()).collect()
    };
    let mut lines = PAGE.lines().skip_while(|line| !line.starts_with('|') || cells(line) != heading);
    assert!(lines.next().is_some(), "no table {heading:?}");
    lines.skip(1).take_while(|line| line.starts_with('|')).map(cells).collect()
}

#[test]
fn texts_mean_what_the_page_says() {
    let rows = table(&["Text", "is the same as"]);
    assert!(rows.len() > 8);
    for row in rows {
        let [text, same] = row.as_slice() else { panic!("{row:?}") };
        let config = Config::parse(text).unwrap_or_else(|error| panic!("{error:#}"));
        assert_eq!(config.to_string(), *same, "{text}");
    }
}

#[test]
fn urls_mean_what_the_page_says() {
    let rows = table(&["URL", "is the same as"]);
    assert!(rows.len() > 5);
    for row in rows {
        let [url, same] = row.as_slice() else { panic!("{row:?}") };
        let config = Config::parse_store(url).unwrap_or_else(|error| panic!("{error:#}"));
        assert_eq!(config.to_string(), *same, "{url}");
    }
}

#[test]
fn mistakes_are_called_what_the_page_says() {
    let rows = table(&["Mistake", "is answered with"]);
    assert!(rows.len() > 3);
    for row in rows {
        let [text, message] = row.as_slice() else { panic!("{row:?}") };
        assert_eq!(Config::parse_store(text).expect_err(text).to_string(), *message);
    }
}

#[test]
fn limits_are_what_the_page_says() {
    let rows = table(&["Limit", "Value"]);
    let values: Vec<&str> = rows.iter().filter_map(|row| row.last()).map(String::as_str).collect();
    let is = [
        format!("{} bytes", limits::MAX_TEXT_BYTES),
        limits::MAX_DEPTH.to_string(),
        limits::MAX_SETTINGS.to_string(),
        format!("{} bytes", limits::MAX_KEY_BYTES),
        limits::MAX_ERRORS.to_string(),
    ];
    assert_eq!(values, is);
}

//! One line of a `.conf` file.
//!
//! A comment begins at the first `#` or `;`, wherever it stands. What is left is nothing, `[Section]`, `.include path`, or `Key :|= value, value`.
//! Values are set apart by commas, spaces or tabs; an empty value is none.

/// What a line says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Line<'a> {
    Nothing,
    Section(&'a str),
    Include(&'a str),
    Option { key: &'a str, values: Vec<&'a str> },
}

const BLANK: [char; 2] = [' ', '\t'];

/// Reads one line without its end.
pub(super) fn line(text: &str) -> Result<Line<'_>, String> {
    let text = text.strip_suffix('\r').unwrap_or(text);
    if let Some(odd) = text.chars().find(|c| c.is_control() && *c != '\t') {
        return Err(format!("there is a control character, {}", odd.escape_default()));
    }
    let text = text.split(['#', ';']).next().unwrap_or_default().trim_matches(BLANK);
    if text.is_empty() {
        return Ok(Line::Nothing);
    }
    if let Some(name) = text.strip_prefix('[') {
        let name = name.strip_suffix(']').ok_or("a section begins with '[' and does not end with ']'")?;
        let name = name.trim_matches(BLANK);
        return if is_name(name) { Ok(Line::Section(name)) } else { Err(format!("'{name}' is no name of a section")) };
    }
    if let Some(rest) = text.strip_prefix(".include") {
        let path = rest.trim_matches(BLANK);
        return match rest.starts_with(BLANK) && !path.is_empty() {
            true => Ok(Line::Include(path)),
            false => Err("after .include comes a blank and a path".to_owned()),
        };
    }
    option(text)
}

/// `Key :|= value, value`.
pub(super) fn option(text: &str) -> Result<Line<'_>, String> {
    let (key, values) = text.split_once([':', '=']).ok_or("this is no section, no .include, and no 'Key: value'")?;
    let key = key.trim_matches(BLANK);
    if !is_name(key) {
        return Err(format!("'{key}' is no name of a setting"));
    }
    let values = values.split([',', ' ', '\t']).filter(|value| !value.is_empty()).collect();
    Ok(Line::Option { key, values })
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'_' | b'-' | b'.' | b'/'))
}

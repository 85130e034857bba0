//! Object names as paths below the bucket's directory, one to one and by the name alone.
//!
//! A name is cut at its slashes; each component becomes one directory entry, or several nested ones if it is long:
//!
//! * `%` is written `%25`; everything else stands as it is, so a bucket reads like any directory tree.
//! * A component of more than [`COMPONENT_MAX`] bytes (after escaping) is cut: the shortest run of whole characters that exceeds
//!   that length, followed by a single `%` that no escape begins with, names a directory; the rest of the component is
//!   found inside, cut again if need be. A rest that is empty is written `%`; one that is `.` or `..` has its dots written `%2E`.
//!
//! A cut piece is always longer than any whole component, so the two never share a name. That keeps the mapping one to one, and
//! it keeps listing simple: everything below one directory entry is one contiguous run of names in bytewise order.
//!
//! The paths are never longer than 4 KiB for names of 1,024 bytes, whatever the bytes. The rules are given for other programs in
//! `docs/src/formats/directory-bucket.md`. The writers and readers of this module call [`locate`], the listing [`decode`].

use object_store::path::Path;

use crate::error::Fault;

/// The longest entry that is not cut, bytes. File systems allow 255; a cut piece has at most 3 bytes more than this plus its mark.
pub(super) const COMPONENT_MAX: usize = 200;

/// Where temporary files live, relative to the bucket's directory; no object's name leads there.
pub(super) const TEMPORARY: &str = "_plastron/tmp";

/// Plastron's own directory; an object of this very name would be in its way.
const OWN: &str = "_plastron";

/// A path of an object's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Location {
    /// The directory relative to the bucket's, without a slash at either end; empty for the bucket's own.
    pub(super) directory: String,
    /// The entry in that directory.
    pub(super) entry: String,
}

impl Location {
    /// The whole path relative to the bucket's directory.
    pub(super) fn path(&self) -> String {
        join(&self.directory, &self.entry)
    }
}

/// `entry` in `directory`, both relative to the bucket's directory.
pub(super) fn join(directory: &str, entry: &str) -> String {
    if directory.is_empty() { entry.to_owned() } else { format!("{directory}/{entry}") }
}

/// The path of the object called `name`.
///
/// # Errors
/// [`Fault::Name`] if the name is empty or is one of those kept for temporary files.
pub(super) fn locate(name: &Path) -> Result<Location, Fault> {
    let text = name.as_ref();
    let below_temporary = text.strip_prefix(TEMPORARY).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    if text == OWN || below_temporary {
        let reason = format!("`{text}` is kept for Plastron's own files in a directory bucket");
        return Err(Fault::Name { reason });
    }
    if text.is_empty() {
        return Err(Fault::Name { reason: "it is empty".to_owned() });
    }
    let path = encode(text);
    Ok(match path.rsplit_once('/') {
        Some((directory, entry)) => Location { directory: directory.to_owned(), entry: entry.to_owned() },
        None => Location { directory: String::new(), entry: path },
    })
}

/// The directory that holds everything whose name begins with `prefix` and a slash; the bucket's own for the empty prefix.
pub(super) fn directory_of(prefix: &Path) -> String {
    if prefix.is_root() { String::new() } else { encode(prefix.as_ref()) }
}

fn encode(name: &str) -> String {
    let mut path = String::with_capacity(name.len() + 8);
    for component in name.split('/') {
        if !path.is_empty() {
            path.push('/');
        }
        push_component(&mut path, component);
    }
    path
}

fn push_component(path: &mut String, component: &str) {
    let mut rest = component;
    while let Some(cut) = first_cut(rest) {
        let (piece, remainder) = rest.split_at(cut);
        push_escaped(path, piece);
        path.push_str("%/");
        rest = remainder;
    }
    push_end(path, rest);
}

fn push_end(path: &mut String, text: &str) {
    match text {
        "" => path.push('%'),
        "." => path.push_str("%2E"),
        ".." => path.push_str("%2E%2E"),
        text => push_escaped(path, text),
    }
}

fn push_escaped(path: &mut String, text: &str) {
    for (index, run) in text.split('%').enumerate() {
        if index > 0 {
            path.push_str("%25");
        }
        path.push_str(run);
    }
}

/// Where to cut `component`: after the shortest run of whole characters that is longer than [`COMPONENT_MAX`] when escaped.
fn first_cut(component: &str) -> Option<usize> {
    // Escaping at most trebles the length: most components are seen to be short at once.
    if component.len() * 3 <= COMPONENT_MAX {
        return None;
    }
    let mut length = 0;
    for (index, character) in component.char_indices() {
        length += escaped_length(character);
        if length > COMPONENT_MAX {
            return Some(index + character.len_utf8());
        }
    }
    None
}

fn escaped_length(character: char) -> usize {
    if character == '%' { 3 } else { character.len_utf8() }
}

/// What one directory entry stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    /// The end of a component: a file of this name is an object, a directory holds what follows the slash.
    End(String),
    /// A piece of a long component, which goes on in the directory of this name.
    More(String),
}

impl Piece {
    /// The directory entry that [`decode`] reads as this piece.
    pub(super) fn entry(&self) -> String {
        let mut entry = String::new();
        match self {
            Self::End(text) => push_end(&mut entry, text),
            Self::More(text) => {
                push_escaped(&mut entry, text);
                entry.push('%');
            }
        }
        entry
    }
}

/// Reads one directory entry; `continued` says whether its directory is itself a [`Piece::More`].
///
/// # Errors
/// Why no object's name leads to this entry. Every entry that is accepted is what [`locate`] makes of some name.
pub(super) fn decode(entry: &[u8], continued: bool) -> Result<Piece, &'static str> {
    let entry = std::str::from_utf8(entry).map_err(|_| "its name is not UTF-8")?;
    if entry == "%" {
        return if continued { Ok(Piece::End(String::new())) } else { Err("its name is a single %") };
    }
    if let Some(body) = entry.strip_suffix('%') {
        let text = unescape(body)?;
        return if first_cut(&text) == Some(text.len()) {
            Ok(Piece::More(text))
        } else {
            Err("its name ends in % but has not the length at which long names are cut")
        };
    }
    match entry {
        "%2E" if continued => return Ok(Piece::End(".".to_owned())),
        "%2E%2E" if continued => return Ok(Piece::End("..".to_owned())),
        _ => {}
    }
    let text = unescape(entry)?;
    if first_cut(&text).is_some() {
        return Err("its name is longer than 200 bytes and was not cut");
    }
    Ok(Piece::End(text))
}

fn unescape(text: &str) -> Result<String, &'static str> {
    if text.chars().any(|character| character.is_ascii_control()) {
        return Err("its name has control characters");
    }
    let mut runs = text.split('%');
    let mut out = runs.next().unwrap_or_default().to_owned();
    for run in runs {
        let rest = run.strip_prefix("25").ok_or("its name has a % that is not written %25")?;
        out.push('%');
        out.push_str(rest);
    }
    Ok(out)
}

//! A whole configuration: files, what they include, and what the command line overrides.
//!
//! Names are case-sensitive; of settings that are given twice the last counts, whichever file it stands in. Depth, size and number of included
//! files are bounded, so a file that includes itself is an error and no endless loop.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::syntax::{self, Line};
use crate::error::{Error, Fault, Result};

/// Files within files.
const MAX_DEPTH: usize = 16;
/// Files in all; each of them may include many.
const MAX_FILES: usize = 256;
/// Bytes of one file.
const MAX_FILE_BYTES: u64 = 1 << 20;

type Sections = BTreeMap<String, BTreeMap<String, Vec<String>>>;

/// Settings by section and key, as they were written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConfFile {
    sections: Sections,
}

struct Reader {
    sections: Sections,
    files: usize,
}

impl ConfFile {
    /// Reads the file at `path` and all that it includes; paths in it are relative to the file that includes.
    ///
    /// # Errors
    /// `Invalid`, naming file and line, for what is not in the grammar; `NotFound`, `Unauthorized` and others for files that can't be read.
    pub fn read(path: &Path) -> Result<Self> {
        let mut reader = Reader { sections: Sections::new(), files: 0 };
        reader.file(path, 0)?;
        Ok(Self { sections: reader.sections })
    }

    /// Reads `text`, which may include nothing.
    ///
    /// # Errors
    /// `Invalid`, naming the line.
    pub fn parse(text: &str) -> Result<Self> {
        let mut sections = Sections::new();
        let include = |_: &mut Sections, _: &str| Err(invalid("text", "a text can't include files"));
        lines(&mut sections, text, "text", include)?;
        Ok(Self { sections })
    }

    /// Applies an override, `Section.Key=value`, in which `:` may stand for `=`.
    ///
    /// # Errors
    /// `Invalid` if that is not what it looks like.
    pub fn set(&mut self, text: &str) -> Result<()> {
        // The text may hold a secret some day; what is wrong is said without it.
        let wrong = |what: &str| invalid("command line", &format!("{what}; write Section.Key=value"));
        if text.contains(|c: char| c.is_control() && c != '\t') {
            return Err(wrong("an override has a control character"));
        }
        let Ok(Line::Option { key, values }) = syntax::option(text) else {
            return Err(wrong("an override has no name and value"));
        };
        let (section, key) = key
            .rsplit_once('.')
            .filter(|(section, key)| !section.is_empty() && !key.is_empty())
            .ok_or_else(|| wrong("an override names no section"))?;
        let values = values.into_iter().map(str::to_owned).collect();
        self.sections.entry(section.to_owned()).or_default().insert(key.to_owned(), values);
        Ok(())
    }

    /// The values of a setting; none if it is not there, empty if it has none.
    pub fn values(&self, section: &str, key: &str) -> Option<&[String]> {
        self.sections.get(section)?.get(key).map(Vec::as_slice)
    }

    /// The keys of a section; none if there is no such section.
    pub fn keys(&self, section: &str) -> Option<impl Iterator<Item = &str>> {
        Some(self.sections.get(section)?.keys().map(String::as_str))
    }
}

impl Reader {
    fn file(&mut self, path: &Path, depth: usize) -> Result<()> {
        let place = path.display().to_string();
        self.files += 1;
        if depth > MAX_DEPTH || self.files > MAX_FILES {
            return Err(invalid(
                &place,
                &format!(
                    "files include each other more than {MAX_DEPTH} deep or {MAX_FILES} in all; does one include itself?"
                ),
            ));
        }
        let io = |error: std::io::Error| Error::new("read", place.clone(), Fault::Io(error));
        let size = std::fs::metadata(path).map_err(io)?.len();
        if size > MAX_FILE_BYTES {
            return Err(invalid(&place, &format!("it has {size} bytes; it can have {MAX_FILE_BYTES} at the most")));
        }
        let bytes = std::fs::read(path).map_err(io)?;
        let text = String::from_utf8(bytes).map_err(|_| invalid(&place, "it is not UTF-8"))?;
        let folder: PathBuf = path.parent().map(Path::to_owned).unwrap_or_default();
        let mut sections = std::mem::take(&mut self.sections);
        let result = lines(&mut sections, &text, &place, |sections, included| {
            std::mem::swap(sections, &mut self.sections);
            let result = self.file(&folder.join(included), depth + 1);
            std::mem::swap(sections, &mut self.sections);
            result
        });
        self.sections = sections;
        result
    }
}

fn lines(
    sections: &mut Sections,
    text: &str,
    place: &str,
    mut include: impl FnMut(&mut Sections, &str) -> Result<()>,
) -> Result<()> {
    let mut current: Option<String> = None;
    for (number, line) in text.split('\n').enumerate() {
        let at = || format!("{place}, line {}", number + 1);
        match syntax::line(line).map_err(|what| invalid(&at(), &what))? {
            Line::Nothing => {}
            Line::Section(name) => {
                sections.entry(name.to_owned()).or_default();
                current = Some(name.to_owned());
            }
            Line::Include(path) => include(sections, path)?,
            Line::Option { key, values } => {
                let section =
                    current.as_ref().ok_or_else(|| invalid(&at(), &format!("'{key}' stands before any [Section]")))?;
                let values = values.into_iter().map(str::to_owned).collect();
                sections.entry(section.clone()).or_default().insert(key.to_owned(), values);
            }
        }
    }
    Ok(())
}

fn invalid(place: &str, what: &str) -> Error {
    Error::new("read", place, Fault::Invalid(what.to_owned()))
}

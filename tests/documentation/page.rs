//! One page of Markdown, as far as its tests need it: fenced blocks and relative links.

use std::path::{Path, PathBuf};

/// A fenced block.
#[derive(Debug, Clone)]
pub(crate) struct Block {
    /// `docs/src/page.md:12`, where it begins.
    pub(crate) place: String,
    /// The word behind the fence.
    pub(crate) language: String,
    /// What stands in it.
    pub(crate) text: String,
}

/// A page of the book, or the README.
#[derive(Debug)]
pub(crate) struct Page {
    /// Where it is.
    pub(crate) path: PathBuf,
    /// Its path from the project's root.
    pub(crate) name: String,
    /// Its fenced blocks.
    pub(crate) blocks: Vec<Block>,
    /// The targets of its links, outside fenced blocks.
    pub(crate) links: Vec<String>,
}

impl Page {
    /// Reads and takes apart the page at `path`.
    pub(crate) fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let name = path.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap().display().to_string();
        let mut page = Self { path: path.to_owned(), name, blocks: Vec::new(), links: Vec::new() };
        let mut open: Option<Block> = None;
        for (number, line) in text.lines().enumerate() {
            match (line.strip_prefix("```"), &mut open) {
                (Some(language), None) => {
                    let language = language.split([',', ' ']).next().unwrap_or("").to_owned();
                    open =
                        Some(Block { place: format!("{}:{}", page.name, number + 1), language, text: String::new() });
                }
                (Some(_), Some(_)) => page.blocks.extend(open.take()),
                (None, Some(block)) => {
                    block.text.push_str(line);
                    block.text.push('\n');
                }
                (None, None) => page.links.extend(links(line)),
            }
        }
        assert!(open.is_none(), "{}: a fenced block is not closed", page.name);
        page
    }
}

fn links(line: &str) -> impl Iterator<Item = String> + '_ {
    line.split("](").skip(1).filter_map(|rest| rest.split(')').next()).map(str::to_owned)
}

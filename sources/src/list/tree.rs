//! A listing in bytewise order from a store that lists directory by directory.
//!
//! SeaweedFS keeps a tree. Asked for everything, it lists `c/d` before `c-d`, since to it `c` comes before `c-d`. Asked for one level
//! at a time it yields names and directories ordered by what stands before the next slash, across all pages of the level. That
//! is enough: a directory `c` belongs behind everything that begins with `c` and goes on with a character smaller than the slash, so
//! it is held back until the level has come past that. What is held back at once are directories of which each one's name begins
//! with the one's before, which are few. Each directory costs one request or more; memory is bounded by a page per level.

use std::collections::BTreeMap;
use std::sync::Arc;

use object_store::list::{PaginatedListOptions, PaginatedListStore};

use super::pages::{Listed, Page, merge};

/// The walk: from the level of the prefix down to where it is now.
pub(super) struct Tree {
    store: Arc<dyn PaginatedListStore>,
    delimiter: bool,
    /// Keys up to this one are left out.
    after: Option<String>,
    levels: Vec<Level>,
}

/// One level of the tree: what begins with `prefix`, up to the next slash.
struct Level {
    prefix: String,
    asked: Asked,
    /// What has come and not been handed out, by key.
    held: BTreeMap<String, Listed>,
    /// The greatest name that has come, without a directory's slash: nothing smaller comes any more.
    past: String,
}

enum Asked {
    Nothing,
    /// The token of the next page.
    Some(String),
    All,
}

impl Level {
    fn new(prefix: String) -> Self {
        Self { prefix, asked: Asked::Nothing, held: BTreeMap::new(), past: String::new() }
    }

    /// The next entry in order, if it is certain.
    fn pop(&mut self) -> Option<Listed> {
        let first = self.held.first_entry()?;
        (matches!(self.asked, Asked::All) || *first.key() <= self.past).then(|| first.remove())
    }

    fn push(&mut self, listed: Listed) {
        let key = listed.key();
        // A directory's own marker loses its slash and is no object.
        if !key.starts_with(&self.prefix) {
            return;
        }
        let name = key.strip_suffix('/').unwrap_or(key);
        if name > self.past.as_str() {
            self.past = name.to_owned();
        }
        self.held.insert(key.to_owned(), listed);
    }
}

impl Tree {
    /// Everything whose key begins with `prefix` and comes after `after`; with `delimiter`, one level only.
    pub(super) fn new(
        store: Arc<dyn PaginatedListStore>,
        prefix: String,
        delimiter: bool,
        after: Option<String>,
    ) -> Self {
        Self { store, delimiter, after, levels: vec![Level::new(prefix)] }
    }

    /// Whether there may be more.
    pub(super) fn has_more(&self) -> bool {
        !self.levels.is_empty()
    }

    /// Some entries, after at most one request.
    pub(super) async fn next(&mut self) -> object_store::Result<Page> {
        let mut page = Page::new();
        let mut requested = false;
        while let Some(level) = self.levels.last_mut() {
            match level.pop() {
                Some(Listed::Prefix(directory)) if !self.delimiter => {
                    // A directory that lies before the beginning is not entered.
                    let skip =
                        self.after.as_ref().is_some_and(|after| directory < *after && !after.starts_with(&directory));
                    if !skip {
                        self.levels.push(Level::new(directory));
                    }
                }
                Some(listed) => page.push_back(listed),
                None if matches!(level.asked, Asked::All) => {
                    self.levels.pop();
                }
                None if requested => break,
                None => {
                    requested = true;
                    ask(&*self.store, level).await?;
                }
            }
        }
        Ok(page)
    }
}

/// Asks for the next page of a level. An error leaves the level as it was.
async fn ask(store: &dyn PaginatedListStore, level: &mut Level) -> object_store::Result<()> {
    let options = PaginatedListOptions {
        delimiter: Some("/".into()),
        page_token: match &level.asked {
            Asked::Some(token) => Some(token.clone()),
            Asked::Nothing | Asked::All => None,
        },
        ..PaginatedListOptions::default()
    };
    let prefix = Some(level.prefix.as_str()).filter(|prefix| !prefix.is_empty());
    let listed = store.list_paginated(prefix, options).await?;
    level.asked = listed.page_token.map_or(Asked::All, Asked::Some);
    merge(listed.result).into_iter().for_each(|entry| level.push(entry));
    Ok(())
}

//! Pages of keys in order, from stores that page and from those that stream.

use std::collections::VecDeque;

use futures::stream::{BoxStream, TryStreamExt};
use object_store::list::PaginatedListOptions;
use object_store::path::Path;
use object_store::{ListResult, ObjectMeta, ObjectStoreExt};

use super::Tree;
use crate::error::Fault;
use crate::fault_of::fault_of;
use crate::source::{Provider, Source};

/// Entries of one page of a store that streams; clouds decide on their own (1,000, Azure 5,000).
const STREAM_PAGE_ENTRIES: usize = 1000;

/// Greater than every character of a name but itself: puts an offset behind (nearly) everything with a given beginning.
const LAST: char = '\u{10ffff}';

/// What a listing holds, with the key as the store has it.
#[derive(Debug)]
pub(crate) enum Listed {
    Object(ObjectMeta),
    /// A common prefix, with its `/` at the end.
    Prefix(String),
}

impl Listed {
    pub(crate) fn key(&self) -> &str {
        match self {
            Self::Object(meta) => meta.location.as_ref(),
            Self::Prefix(prefix) => prefix,
        }
    }
}

/// Some consecutive entries of a listing.
pub(crate) type Page = VecDeque<Listed>;

/// Asks for one page after the other.
pub(crate) struct Pages {
    source: Source,
    prefix: String,
    delimiter: bool,
    max_keys: Option<usize>,
    /// The last common prefix made here.
    rolled: Option<String>,
    state: State,
}

enum State {
    /// Nothing asked yet; begin after this key.
    Start(Option<String>),
    /// The store pages: the token of the next one.
    Token(String),
    /// The store lists directory by directory.
    Tree(Box<Tree>),
    /// The store streams.
    Stream(BoxStream<'static, object_store::Result<ObjectMeta>>),
    End,
}

impl Pages {
    /// Everything whose key begins with `prefix` and comes after `after`; a page has up to `max_keys` entries, if the store can
    /// be told. Stores may yield more than that: smaller keys, and those outside the prefix.
    pub(crate) fn new(
        source: Source,
        prefix: String,
        delimiter: bool,
        after: Option<String>,
        max_keys: Option<usize>,
    ) -> Self {
        Self { source, prefix, delimiter, max_keys, rolled: None, state: State::Start(after) }
    }

    /// Begins anew after `key`, which saves reading what lies before it.
    pub(super) fn jump(&mut self, key: String) {
        if !matches!(self.state, State::End) {
            self.state = State::Start(Some(key));
        }
    }

    /// Whether what comes after the current page takes another request.
    pub(super) fn has_more(&self) -> bool {
        !matches!(self.state, State::End)
    }

    /// The next page, perhaps an empty one, or none at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Page>, Fault> {
        let page = match std::mem::replace(&mut self.state, State::End) {
            State::End => return Ok(None),
            State::Start(after) if self.source.quirks.lists_by_directory() => self.tree(after).await,
            State::Tree(tree) => self.walk(tree).await,
            State::Start(after) if self.source.pages.is_some() => self.first_page(after).await,
            State::Token(token) => self.page(None, Some(token)).await,
            State::Start(after) => {
                let stream = self.stream(after.as_deref());
                self.gather(stream).await
            }
            State::Stream(stream) => self.gather(stream).await,
        };
        match page.map_err(|error| fault_of(&error)) {
            Ok(page) => Ok(Some(page)),
            Err(Fault::NoSuchObject) => Err(Fault::NoSuchBucket),
            Err(fault) => Err(fault),
        }
    }

    async fn tree(&mut self, after: Option<String>) -> object_store::Result<Page> {
        let Some(store) = self.source.pages.clone() else { return Ok(Page::new()) };
        self.walk(Box::new(Tree::new(store, self.prefix.clone(), self.delimiter, after))).await
    }

    async fn walk(&mut self, mut tree: Box<Tree>) -> object_store::Result<Page> {
        let page = tree.next().await?;
        if tree.has_more() {
            self.state = State::Tree(tree);
        }
        Ok(page)
    }

    /// The first page. `object_store` leaves out what Azure calls exactly like the prefix, since that may be a directory's marker; so
    /// it is asked for by itself, and comes first.
    async fn first_page(&mut self, after: Option<String>) -> object_store::Result<Page> {
        let exact = (self.source.provider == Provider::Azure && !self.prefix.ends_with('/'))
            .then(|| Path::parse(&self.prefix).ok())
            .flatten()
            .filter(|key| key.as_ref() == self.prefix && after.as_ref().is_none_or(|after| after < &self.prefix));
        let exact = match exact {
            Some(key) if !self.prefix.is_empty() => match self.source.store.head(&key).await {
                Ok(meta) => Some(meta),
                Err(object_store::Error::NotFound { .. }) => None,
                Err(error) => return Err(error),
            },
            _ => None,
        };
        let mut page = self.page(after, None).await?;
        if let Some(meta) = exact {
            page.push_front(Listed::Object(meta));
        }
        Ok(page)
    }

    async fn page(&mut self, after: Option<String>, token: Option<String>) -> object_store::Result<Page> {
        let Some(pages) = &self.source.pages else { return Ok(Page::new()) };
        let options = PaginatedListOptions {
            offset: after,
            delimiter: self.delimiter.then_some("/".into()),
            max_keys: self.max_keys,
            page_token: token,
            ..PaginatedListOptions::default()
        };
        let prefix = Some(self.prefix.as_str()).filter(|prefix| !prefix.is_empty());
        let listed = pages.list_paginated(prefix, options).await?;
        if let Some(token) = listed.page_token {
            self.state = State::Token(token);
        }
        Ok(merge(listed.result))
    }

    /// The stream of a store that lists by whole segments: the segments before the last `/` of the prefix, from as near to the
    /// prefix as an offset can get.
    fn stream(&self, after: Option<&str>) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        let parent = self.prefix.rsplit_once('/').and_then(|(parent, _)| Path::parse(parent).ok());
        let before = just_before(&self.prefix);
        // A path loses slashes at its ends; an offset may become smaller by that, but must not become greater.
        let parse = |offset: &str| Path::parse(offset).ok().filter(|path| path.as_ref() <= offset);
        let offset = after.into_iter().chain(before.as_deref()).filter_map(parse).max();
        match offset {
            Some(offset) => self.source.store.list_with_offset(parent.as_ref(), &offset),
            None => self.source.store.list(parent.as_ref()),
        }
    }

    async fn gather(
        &mut self,
        mut stream: BoxStream<'static, object_store::Result<ObjectMeta>>,
    ) -> object_store::Result<Page> {
        let mut page = Page::new();
        while page.len() < self.max_keys.unwrap_or(STREAM_PAGE_ENTRIES) {
            let Some(meta) = stream.try_next().await? else { return Ok(page) };
            let key = meta.location.as_ref();
            if !key.starts_with(&self.prefix) {
                if key > self.prefix.as_str() {
                    return Ok(page);
                }
                continue;
            }
            let rolled = if self.delimiter { roll_up(key, self.prefix.len()) } else { None };
            match rolled {
                // The store yields more of it all the same.
                Some(prefix) if self.rolled.as_ref() == Some(&prefix) => {}
                Some(prefix) => {
                    self.rolled = Some(prefix.clone());
                    // Begin anew behind everything that rolls up to the same.
                    self.state = State::Start(Some(format!("{prefix}{LAST}")));
                    page.push_back(Listed::Prefix(prefix));
                    return Ok(page);
                }
                None => page.push_back(Listed::Object(meta)),
            }
        }
        self.state = State::Stream(stream);
        Ok(page)
    }
}

/// `key` up to and including the first `/` after `from` bytes.
fn roll_up(key: &str, from: usize) -> Option<String> {
    let slash = key.get(from..)?.find('/')?;
    key.get(..=from + slash).map(str::to_owned)
}

/// A string that is smaller than every string beginning with `prefix`, and greater than (nearly) all that come before those.
fn just_before(prefix: &str) -> Option<String> {
    let last = prefix.chars().next_back().filter(|last| *last != '/')?;
    let stem = prefix.get(..prefix.len() - last.len_utf8())?;
    match (' '..last).next_back() {
        Some(smaller) => Some(format!("{stem}{smaller}{LAST}")),
        // No name goes on with a character before the space; only the stem itself lies between.
        None => Some(stem.to_owned()).filter(|stem| !stem.is_empty()),
    }
}

/// A page's objects and common prefixes as one sequence; each of the two is in order by itself.
pub(super) fn merge(listed: ListResult) -> Page {
    let mut objects = listed.objects.into_iter().map(Listed::Object).peekable();
    let mut prefixes = listed.common_prefixes.into_iter().map(|prefix| Listed::Prefix(format!("{prefix}/"))).peekable();
    let mut page = Page::new();
    loop {
        let prefix_next = match (objects.peek(), prefixes.peek()) {
            (Some(object), Some(prefix)) => prefix.key() < object.key(),
            (None, Some(_)) => true,
            (Some(_), None) => false,
            (None, None) => return page,
        };
        page.extend(if prefix_next { prefixes.next() } else { objects.next() });
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn nothing_with_the_prefix_lies_before_the_offset(prefix in "[ -~ü✓/]{1,6}", rest in "\\PC{0,4}") {
            if let Some(offset) = just_before(&prefix) {
                prop_assert!(offset < format!("{prefix}{rest}"), "{}", offset);
            }
        }
    }

    #[test]
    fn the_offset_skips_what_comes_before_the_prefix() {
        let offset = just_before("zz_").unwrap();
        assert!("zz" < offset.as_str() && "zz^zzz" < offset.as_str() && "a" < offset.as_str());
        assert_eq!(just_before("a/"), None);
        assert_eq!(just_before(""), None);
        assert_eq!(just_before(" "), None);
        assert_eq!(just_before("a ").as_deref(), Some("a"));
        assert_eq!(roll_up("a/b/c", 2), Some("a/b/".to_owned()));
        assert_eq!(roll_up("a/b", 2), None);
    }
}

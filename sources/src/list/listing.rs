//! From pages of keys to a stream of entries.

use std::sync::Arc;

use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};

use super::pages::Listed;
use super::{ListEntry, ListOptions, ListedObject, Page, Pages};
use crate::bucket::OpenBucket;
use crate::error::{Fault, Result};
use crate::name::{SYSTEM, is_system};
use crate::source::Provider;

/// The largest page that is asked for; what S3 allows.
const MAX_PAGE_ENTRIES: usize = 1000;

/// Lists what `Bucket::list` promises; with `system`, Plastron's own objects as well.
pub(crate) fn list(
    bucket: Arc<OpenBucket>,
    prefix: &str,
    options: ListOptions,
    system: bool,
) -> BoxStream<'static, Result<ListEntry>> {
    let listing = match Listing::new(&bucket, prefix, options, system) {
        Ok(Some(listing)) => listing,
        Ok(None) => return stream::empty().boxed(),
        Err(fault) => {
            let error = bucket.error("list", prefix, fault);
            return stream::once(std::future::ready(Err(error))).boxed();
        }
    };
    let prefix = prefix.to_owned();
    stream::try_unfold(listing, |mut listing| async move { Ok(listing.next().await?.map(|entry| (entry, listing))) })
        .map_err(move |fault| bucket.error("list", &prefix, fault))
        .boxed()
}

/// The entity tag as HEAD gives it; Azure's listing leaves its quotes out.
fn etag(provider: Provider, etag: Option<String>) -> String {
    match etag {
        Some(etag) if provider == Provider::Azure && !etag.contains('"') => format!("\"{etag}\""),
        etag => etag.unwrap_or_default(),
    }
}

struct Listing {
    bucket: Arc<OpenBucket>,
    pages: Pages,
    page: Page,
    /// The key that every key begins with.
    prefix: String,
    /// Keys up to this one are left out.
    after: Option<String>,
    /// The last key the store has listed, to check the order.
    seen: Option<String>,
    /// Whether the listing went on behind Plastron's own objects.
    jumped: bool,
    /// Where the next page goes on, if that is behind Plastron's own objects.
    resume: Option<String>,
    /// Entries still wanted.
    left: usize,
    /// Keys of Plastron's own begin with this; none if they are listed.
    hidden: Option<String>,
}

impl Listing {
    /// None if nothing can be listed.
    fn new(bucket: &Arc<OpenBucket>, prefix: &str, options: ListOptions, system: bool) -> Result<Option<Self>, Fault> {
        let key = bucket.names.list_key(prefix)?;
        let nothing = options.limit == Some(0) || (!system && prefix.contains('/') && is_system(prefix));
        if nothing {
            return Ok(None);
        }
        let own = bucket.names.prefix();
        let after = options.start_after.map(|after| format!("{own}{after}"));
        let hidden = (!system).then(|| format!("{own}{SYSTEM}/"));
        let max_keys = options.limit.filter(|limit| *limit < MAX_PAGE_ENTRIES);
        let pages = Pages::new(bucket.source.clone(), key.clone(), options.delimiter, after.clone(), max_keys);
        Ok(Some(Self {
            bucket: Arc::clone(bucket),
            pages,
            page: Page::new(),
            prefix: key,
            after,
            seen: None,
            jumped: false,
            resume: None,
            left: options.limit.unwrap_or(usize::MAX),
            hidden,
        }))
    }

    async fn next(&mut self) -> Result<Option<ListEntry>, Fault> {
        while self.left > 0 {
            let Some(listed) = self.page.pop_front() else {
                match self.pages.next().await? {
                    Some(page) => {
                        self.bucket.answered();
                        self.page = page;
                        if let Some(resume) = self.resume.take() {
                            (self.after, self.seen) = (self.after.take().max(Some(resume)), None);
                        }
                        self.leave_hidden();
                        continue;
                    }
                    None => break,
                }
            };
            if let Some(entry) = self.entry(listed)? {
                self.left -= 1;
                return Ok(Some(entry));
            }
        }
        self.left = 0;
        Ok(None)
    }

    /// If the page ends within Plastron's own objects, of which there may be millions, goes on behind them.
    fn leave_hidden(&mut self) {
        let Some(hidden) = self.hidden.as_deref().filter(|_| !self.jumped && self.pages.has_more()) else { return };
        if self.page.back().is_some_and(|last| last.key().starts_with(hidden)) {
            // Their names have nothing greater than letters; what is greater is listed, and left out, one by one. Once only, since
            // some stores know no offset and begin from the first key again.
            let behind = format!("{hidden}~");
            self.pages.jump(behind.clone());
            (self.jumped, self.resume) = (true, Some(behind));
        }
    }

    /// Whether `listed` comes after everything before it; false for what is to be left out.
    ///
    /// Keys that end with a slash, the markers with which web consoles make folders, lose it in `object_store`, so that they seem to
    /// come too late, or twice. They are no objects of Plastron's and are left out where they can be told.
    fn in_order(&mut self, listed: &Listed) -> Result<bool, Fault> {
        let key = listed.key();
        match &self.seen {
            Some(seen) if key == seen => Ok(false),
            Some(seen) if key < seen.as_str() => {
                let marker = matches!(listed, Listed::Object(meta) if meta.size == 0 && format!("{key}/") >= *seen);
                if marker {
                    return Ok(false);
                }
                Err(Fault::Incapable(format!(
                    "it does not list objects in bytewise order of their names: {} came after {}",
                    key.escape_debug(),
                    seen.escape_debug()
                )))
            }
            _ => {
                self.seen = Some(key.to_owned());
                Ok(true)
            }
        }
    }

    /// What to show of `listed`, if anything.
    fn entry(&mut self, listed: Listed) -> Result<Option<ListEntry>, Fault> {
        let key = listed.key();
        if !self.in_order(&listed)? {
            return Ok(None);
        }
        // Stores that list by whole segments yield more than the prefix.
        if !key.starts_with(&self.prefix) {
            return Ok(None);
        }
        if let Some(after) = &self.after
            && key <= after.as_str()
        {
            return Ok(None);
        }
        if self.hidden.as_ref().is_some_and(|hidden| key.starts_with(hidden)) {
            return Ok(None);
        }
        let Some(name) = self.bucket.names.name(key).map(str::to_owned) else { return Ok(None) };
        Ok(Some(match listed {
            Listed::Object(meta) => ListEntry::Object(ListedObject {
                name,
                size: meta.size,
                etag: etag(self.bucket.source.provider, meta.e_tag),
                created: meta.last_modified.into(),
            }),
            Listed::Prefix(_) => ListEntry::Prefix(name),
        }))
    }
}

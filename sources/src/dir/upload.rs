//! An upload in parts: written in parallel into one temporary file, which becomes the object when it is completed.
//!
//! Completion creates the object as [`create`](super::create) does: durable, and only if the name is free. An upload that is aborted,
//! dropped or killed leaves nothing that is visible; one with a part that was not written to its end cannot be completed.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use object_store::path::Path;
use object_store::{Error, MultipartUpload, PutPayload, PutResult, Result, UploadPart};

use super::blocking::{blocking, drop_elsewhere};
use super::count::Count;
use super::fault::error;
use super::name::Location;
use super::read::etag_of;
use super::staging::Staged;
use super::tree::Tree;
use crate::error::Fault;
use crate::stats::RequestKind;

/// An upload under way.
#[derive(Debug)]
pub(super) struct DirUpload {
    tree: Arc<Tree>,
    count: Count,
    name: Path,
    location: Location,
    attribute: Option<String>,
    /// `None` after completion or abortion.
    content: Option<Arc<Content>>,
    /// Where the next part begins.
    offset: u64,
    /// Parts so far.
    parts: usize,
}

/// The file and what of it is written; shared with the parts in flight.
#[derive(Debug)]
struct Content {
    staged: Option<Staged>,
    written: AtomicUsize,
}

impl Drop for Content {
    fn drop(&mut self) {
        // Closing a large file without a name frees its blocks, which can take long.
        if let Some(staged) = self.staged.take() {
            drop_elsewhere(staged);
        }
    }
}

impl DirUpload {
    /// Begins an upload of `name`; blocks.
    ///
    /// # Errors
    /// As those of [`Tree::create`].
    pub(super) fn begin(tree: Arc<Tree>, count: Count, name: Path, attribute: Option<String>) -> Result<Self, Fault> {
        let location = super::name::locate(&name)?;
        let staged = tree.stage(&name, &location)?;
        let content = Arc::new(Content { staged: Some(staged), written: AtomicUsize::new(0) });
        Ok(Self { tree, count, name, location, attribute, content: Some(content), offset: 0, parts: 0 })
    }

    fn over(name: &Path) -> Error {
        error(name.as_ref(), Fault::Unsupported("the upload has been completed or aborted; begin another".to_owned()))
    }
}

#[async_trait]
impl MultipartUpload for DirUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let offset = self.offset;
        let length = data.content_length() as u64;
        self.offset += length;
        self.parts += 1;
        let count = self.count.clone();
        let (tree, name, location) = (Arc::clone(&self.tree), self.name.clone(), self.location.clone());
        let content = self.content.clone();
        let writing = blocking(move || {
            let Some((content, staged)) =
                content.as_ref().and_then(|content| Some((content, content.staged.as_ref()?)))
            else {
                return Err(Self::over(&name));
            };
            staged
                .write(data.as_ref(), offset)
                .map_err(|errno| error(name.as_ref(), tree.failed("writing", &location, errno)))?;
            content.written.fetch_add(1, Ordering::AcqRel);
            Ok(())
        });
        Box::pin(async move { count.request(RequestKind::PutPart, length, writing, |()| 0).await })
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let content = self.content.take().ok_or_else(|| Self::over(&self.name))?;
        let written = content.written.load(Ordering::Acquire);
        if written != self.parts {
            let fault = Fault::Unsupported(format!(
                "the upload cannot be completed: {written} of its {} parts have been written; begin another",
                self.parts
            ));
            return Err(error(self.name.as_ref(), fault));
        }
        let (tree, name, location) = (Arc::clone(&self.tree), self.name.clone(), self.location.clone());
        let attribute = self.attribute.take();
        let publishing = blocking(move || {
            let staged = content.staged.as_ref().ok_or_else(|| Self::over(&name))?;
            let created = tree.clock.wall();
            let stat = tree
                .publish(&name, &location, staged, attribute.as_deref(), created)
                .map_err(|fault| error(name.as_ref(), fault))?;
            Ok(PutResult { e_tag: Some(etag_of(&stat)), version: None, extensions: Default::default() })
        });
        self.count.request(RequestKind::Complete, 0, publishing, |_| 0).await
    }

    async fn abort(&mut self) -> Result<()> {
        let content = self.content.take().ok_or_else(|| Self::over(&self.name))?;
        let dropping = blocking(move || {
            // Here and now, so that nothing is left when this returns; a part in flight would be the last to hold it.
            if let Some(mut content) = Arc::into_inner(content) {
                drop(content.staged.take());
            }
            Ok(())
        });
        self.count.request(RequestKind::Abort, 0, dropping, |()| 0).await
    }
}

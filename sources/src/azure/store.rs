//! `object_store`'s Azure client with deletes of its own.
//!
//! `object_store` deletes through Blob Batch alone, where each delete inside the request's body has a signature, too. Those would be
//! made outside the transport, never be renewed, and their answers never be read by it. So one delete is one plain request here;
//! everything else is passed on.

use std::fmt;
use std::ops::Range;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use http::{Method, Request, StatusCode, Uri};
use object_store::azure::MicrosoftAzure;
use object_store::client::{HttpClient, HttpRequestBody};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use url::Url;

use crate::credentials::Endpoint;

/// Deletes of one stream in flight at once, as `object_store` has them elsewhere.
const DELETES: usize = 20;

/// A container, with deletes of its own.
#[derive(Clone)]
pub(super) struct AzureStore {
    inner: MicrosoftAzure,
    client: HttpClient,
    container: Url,
}

impl AzureStore {
    /// `client` sends the deletes; it is the transport's, as that of `inner` is. `None` if `endpoint` can have no container below it.
    pub(super) fn new(inner: MicrosoftAzure, client: HttpClient, endpoint: &Endpoint, container: &str) -> Option<Self> {
        let mut url = Url::parse(endpoint.as_str()).ok()?;
        url.path_segments_mut().ok()?.pop_if_empty().push(container);
        Some(Self { inner, client, container: url })
    }

    /// The object's URL, encoded as `object_store` does it.
    fn url(&self, location: &Path) -> Option<Uri> {
        let mut url = self.container.clone();
        url.path_segments_mut().ok()?.extend(location.parts());
        url.as_str().parse().ok()
    }

    async fn delete_one(&self, location: Path) -> Result<Path> {
        let failed =
            |source: Box<dyn std::error::Error + Send + Sync>| Error::Generic { store: "MicrosoftAzure", source };
        let url = self.url(&location).ok_or_else(|| failed("the object's name makes no URL".into()))?;
        let request = Request::builder()
            .method(Method::DELETE)
            .uri(url)
            .body(HttpRequestBody::empty())
            .map_err(|error| failed(error.into()))?;
        let answer = self.client.execute(request).await.map_err(|error| failed(error.into()))?;
        match answer.status() {
            status if status.is_success() => Ok(location),
            StatusCode::NOT_FOUND => Err(Error::NotFound { path: location.to_string(), source: "no such blob".into() }),
            status => Err(failed(format!("the answer to a delete is {status}").into())),
        }
    }
}

#[async_trait]
impl ObjectStore for AzureStore {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.inner.put_opts(location, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.inner.get_ranges(location, ranges).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let store = self.clone();
        let delete = move |location: Result<Path>| {
            let store = store.clone();
            async move { store.delete_one(location?).await }
        };
        locations.map(delete).buffered(DELETES).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    fn list_with_offset(&self, prefix: Option<&Path>, offset: &Path) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list_with_offset(prefix, offset)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

impl fmt::Debug for AzureStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AzureStore({})", self.container)
    }
}

impl fmt::Display for AzureStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

//! The checks themselves.

use object_store::path::Path;
use object_store::{
    Attribute, Attributes, GetOptions, GetRange, ObjectStore, ObjectStoreExt, PutMode, PutMultipartOptions, PutOptions,
};

use super::{ProbeCheck, ProbeReport};
use crate::bucket::OpenBucket;
use crate::creation_id::CreationId;
use crate::error::Fault;
use crate::fault_of::fault_of;
use crate::list::Pages;
use crate::name::SYSTEM;
use crate::sums::METADATA_KEY;

/// What the probe object holds.
const BODY: &[u8] = b"Plastron was here to see whether this store keeps its promises. This object can be removed.";

/// What must not replace it.
const OTHER: &[u8] = b"This store ignores conditional creates.";

/// Proves that the store refuses to create what exists, in one request and in parts.
///
/// # Errors
/// [`Fault::Incapable`] with the reason, or what kept the proof from being made.
pub(crate) async fn prove_creates(bucket: &OpenBucket) -> Result<(), Fault> {
    let checks = Checks::new(bucket);
    let key = checks.key("create")?;
    let litter = Litter { bucket, keys: vec![key.clone()] };
    let proved = async {
        checks.conditional_create(&key).await?;
        checks.multipart_create(&key).await
    };
    let proved = proved.await;
    litter.clean_up().await;
    proved.map(drop)
}

/// Makes the checks on one bucket, under a random name.
pub(super) struct Checks<'a> {
    bucket: &'a OpenBucket,
    id: CreationId,
}

impl<'a> Checks<'a> {
    pub(super) fn new(bucket: &'a OpenBucket) -> Self {
        Self { bucket, id: CreationId::random(bucket.options.entropy.as_ref()) }
    }

    /// All checks that write; the report has those of opening.
    pub(super) async fn run(&mut self, report: &mut ProbeReport) {
        let keys = ["a", "b-c", "b/d", "b0", "zü"].map(|name| self.key(name));
        let Ok(keys) = keys.into_iter().collect::<Result<Vec<Path>, Fault>>() else {
            return report.skip_rest("the bucket's prefix leaves no room for names");
        };
        let litter = Litter { bucket: self.bucket, keys: keys.clone() };
        let Some((first, rest)) = keys.split_first() else { return };
        let created = self.conditional_create(first).await;
        let usable = !matches!(&created, Err(fault) if !matches!(fault, Fault::Incapable(_)));
        report.add(ProbeCheck::ConditionalCreate, created);
        if usable {
            report.add(ProbeCheck::MultipartCreate, self.multipart_create(first).await);
            report.add(ProbeCheck::UserMetadata, self.user_metadata(first).await);
            report.add(ProbeCheck::Ranges, self.ranges(first).await);
            report.add(ProbeCheck::List, self.list(first, rest).await);
            report.add(ProbeCheck::Delete, self.delete(first).await);
        } else {
            report.skip_rest("no object could be created");
        }
        litter.clean_up().await;
    }

    fn key(&self, name: &str) -> Result<Path, Fault> {
        self.bucket.names.key(&format!("{SYSTEM}/probe/{}-{name}", self.id), true)
    }

    async fn create(&self, key: &Path, body: &'static [u8]) -> Result<(), Fault> {
        let options = PutOptions { mode: PutMode::Create, attributes: self.attributes(), ..PutOptions::default() };
        match self.bucket.source.store.put_opts(key, body.into(), options).await {
            Ok(_) => Ok(()),
            Err(error) => Err(self.bucket.explain(fault_of(&error)).await),
        }
    }

    fn attributes(&self) -> Attributes {
        Attributes::from_iter([(Attribute::Metadata(METADATA_KEY.into()), self.metadata())])
    }

    /// Everything that Plastron's own entry is made of.
    fn metadata(&self) -> String {
        format!("0;id={};sums=+/09azAZ==;{}", self.id, "x".repeat(1600))
    }

    async fn conditional_create(&self, key: &Path) -> Result<String, Fault> {
        match self.create(key, BODY).await {
            // The name is random: an earlier attempt arrived, and its acknowledgement didn't.
            Ok(()) | Err(Fault::ObjectExists) => {}
            Err(Fault::Provider { status: 501, code, message }) => {
                return Err(Fault::Incapable(format!("it does not offer conditional creates ({code}: {message})")));
            }
            Err(fault) => return Err(fault),
        }
        match self.create(key, OTHER).await {
            Err(Fault::ObjectExists | Fault::Replaced { .. }) => {}
            Err(Fault::Unsupported(reason)) => {
                return Err(Fault::Incapable(format!("it does not offer conditional creates ({reason})")));
            }
            Err(fault) => return Err(fault),
            Ok(()) => {
                return Err(Fault::Incapable(
                    "it ignores the condition of a create (If-None-Match: *) and replaced an object that exists, so two writers \
                     could overwrite each other unnoticed; use a store or a version of it that honours conditional writes"
                        .to_owned(),
                ));
            }
        }
        Ok("a second create of the same name was refused".to_owned())
    }

    async fn multipart_create(&self, key: &Path) -> Result<String, Fault> {
        let options = PutMultipartOptions { attributes: self.attributes(), ..PutMultipartOptions::default() };
        let begun = self.bucket.source.store.put_multipart_opts(key, options).await;
        let mut upload = begun.map_err(|error| fault_of(&error))?;
        let completed = match upload.put_part(OTHER.into()).await {
            Ok(()) => upload.complete().await.map(drop),
            Err(error) => Err(error),
        };
        let outcome = match completed.map_err(|error| fault_of(&error)) {
            Ok(()) => Err(Fault::Incapable(
                "it ignores the condition of the request that completes an upload in parts, and replaced an object that exists; use a \
                 store or a version of it that honours conditional writes there, too"
                    .to_owned(),
            )),
            Err(Fault::ObjectExists | Fault::Replaced { .. }) => Ok(()),
            Err(Fault::Unsupported(reason)) => {
                Err(Fault::Incapable(format!("it does not offer conditional uploads in parts ({reason})")))
            }
            Err(fault) => Err(fault),
        };
        // Nothing to abort is fine; what is left otherwise is a few bytes, which a life-cycle rule removes.
        let _ = upload.abort().await;
        outcome?;
        self.unchanged(key).await?;
        Ok("completing an upload to the same name was refused".to_owned())
    }

    /// Makes sure that the probe object still holds what was first written.
    async fn unchanged(&self, key: &Path) -> Result<(), Fault> {
        let bytes = self.get(key, 0..BODY.len() as u64, None).await?;
        if bytes == BODY {
            return Ok(());
        }
        Err(Fault::Incapable(
            "an object changed though the creates that would have replaced it were refused".to_owned(),
        ))
    }

    async fn get(&self, key: &Path, range: std::ops::Range<u64>, etag: Option<String>) -> Result<bytes::Bytes, Fault> {
        let options = GetOptions { range: Some(GetRange::Bounded(range)), if_match: etag, ..GetOptions::default() };
        let got = match self.bucket.source.store.get_opts(key, options).await {
            Ok(got) => got.bytes().await,
            Err(error) => Err(error),
        };
        got.map_err(|error| fault_of(&error))
    }

    async fn user_metadata(&self, key: &Path) -> Result<String, Fault> {
        let found = self.bucket.look(key).await?.ok_or(Fault::NoSuchObject)?;
        let wanted = self.metadata();
        match found.entry {
            Some(entry) if entry == wanted => Ok(format!("{} bytes came back as they were", wanted.len())),
            Some(_) => Err(Fault::Incapable("it changes the metadata of objects".to_owned())),
            None => Err(Fault::Incapable("it does not keep metadata with objects".to_owned())),
        }
    }

    async fn ranges(&self, key: &Path) -> Result<String, Fault> {
        let wanted = BODY.get(9..17).unwrap_or_default();
        let bytes = self.get(key, 9..17, None).await?;
        if bytes != wanted {
            return Err(Fault::Incapable("a range of an object is not what was written there".to_owned()));
        }
        let other = "\"00000000000000000000000000000000\"".to_owned();
        match self.get(key, 9..17, Some(other)).await {
            Err(Fault::Replaced { .. }) => Ok("exact, and bound to the object's etag".to_owned()),
            // Reads compare the etag that comes with the answer.
            Ok(_) => Ok("exact; the condition If-Match is ignored, so etags are compared here".to_owned()),
            Err(fault) => Err(fault),
        }
    }

    async fn list(&self, first: &Path, rest: &[Path]) -> Result<String, Fault> {
        for key in rest {
            match self.create(key, BODY).await {
                Ok(()) | Err(Fault::ObjectExists) => {}
                Err(fault) => return Err(fault),
            }
        }
        let prefix = self.bucket.names.list_key(&format!("{SYSTEM}/probe/{}-", self.id))?;
        let listed = self.keys(&prefix).await?;
        let wanted: Vec<&str> = std::iter::once(first).chain(rest).map(AsRef::as_ref).collect();
        if listed == wanted {
            return Ok("complete and in bytewise order".to_owned());
        }
        let mut sorted = listed.clone();
        sorted.sort_unstable();
        Err(Fault::Incapable(if sorted == wanted {
            "it does not list objects in bytewise order of their names".to_owned()
        } else {
            format!("of {} objects just created it lists {}", wanted.len(), listed.len())
        }))
    }

    async fn keys(&self, prefix: &str) -> Result<Vec<String>, Fault> {
        let mut pages = Pages::new(self.bucket.source.clone(), prefix.to_owned(), false, None, None);
        let mut keys = Vec::new();
        while let Some(page) = pages.next().await? {
            keys.extend(page.iter().map(|listed| listed.key().to_owned()).filter(|key| key.starts_with(prefix)));
        }
        Ok(keys)
    }

    async fn delete(&self, key: &Path) -> Result<String, Fault> {
        self.bucket.remove(key).await?;
        match self.bucket.look(key).await? {
            None => Ok("a removed object is gone".to_owned()),
            Some(_) => Err(Fault::Incapable("an object that was removed is still there".to_owned())),
        }
    }
}

/// The objects that a probe may have made. What is not cleaned up when this is dropped is removed in the background.
struct Litter<'a> {
    bucket: &'a OpenBucket,
    keys: Vec<Path>,
}

impl Litter<'_> {
    async fn clean_up(mut self) {
        while let Some(key) = self.keys.last() {
            remove(self.bucket.source.store.as_ref(), &self.bucket.source.address, key).await;
            self.keys.pop();
        }
    }
}

impl Drop for Litter<'_> {
    fn drop(&mut self) {
        let (source, keys) = (self.bucket.source.clone(), std::mem::take(&mut self.keys));
        if !keys.is_empty() {
            let what = format!("probe objects in {}", source.address);
            drop(self.bucket.cleanup.spawn(what, async move {
                for key in &keys {
                    remove(source.store.as_ref(), &source.address, key).await;
                }
            }));
        }
    }
}

/// Removes a probe object; that it can't be removed is no reason to refuse a store.
async fn remove(store: &dyn ObjectStore, address: &str, key: &Path) {
    match store.delete(key).await.map_err(|error| fault_of(&error)) {
        Ok(()) | Err(Fault::NoSuchObject) => {}
        Err(fault) => tracing::warn!(bucket = address, object = %key, %fault, "left a probe object"),
    }
}

//! Objects that go in one request.

use std::sync::Arc;
use std::time::SystemTime;

use object_store::path::Path;
use object_store::{Attribute, Attributes, PutMode, PutOptions};

use super::large::sum_all;
use super::settle::{MAX_VANISHED, Settled, contended, is_final};
use super::{SideObject, upload};
use crate::bucket::OpenBucket;
use crate::creation_id::CreationId;
use crate::dir::AheadFile;
use crate::error::Fault;
use crate::fault_of::fault_of;
use crate::object_info::{Checksums, ObjectInfo};
use crate::payload::Payload;
use crate::source::Provider;
use crate::sums::{BlockSums, Creation, METADATA_KEY, SumsPlace};

impl OpenBucket {
    /// Creates the object `name` at `key`: in one request if it is no larger than `most`, else in parts.
    pub(crate) async fn create(
        self: &Arc<Self>,
        name: &str,
        key: &Path,
        data: Payload,
        most: u64,
    ) -> Result<ObjectInfo, Fault> {
        if data.len() > most {
            return self.create_large(name, key, data).await;
        }
        let sums = sum_all(&data).await?;
        self.create_small(name, key, data, &sums, None).await
    }

    /// Creates the object `name` at `key` in one request; `ahead` has the first bytes of `data`, if any are there already.
    pub(super) async fn create_small(
        self: &Arc<Self>,
        name: &str,
        key: &Path,
        data: Payload,
        sums: &BlockSums,
        mut ahead: Option<AheadFile>,
    ) -> Result<ObjectInfo, Fault> {
        let id = CreationId::random(self.options.entropy.as_ref());
        let creation = Creation::of(id, sums);
        let mut side = match creation.place {
            SumsPlace::Inline(_) => None,
            SumsPlace::Side(_) => Some(SideObject::write(self, key, id, sums).await?),
        };
        let mut attempt = 0;
        let (etag, created) = loop {
            if let Some(side) = &mut side {
                side.committing();
            }
            let mut options =
                PutOptions { mode: PutMode::Create, attributes: attributes(&creation), ..PutOptions::default() };
            // Once: what becomes of it then is not known here, and all of the bytes are.
            if let Some(ahead) = ahead.take() {
                options.extensions.insert(ahead);
            }
            let fault = match self.source.store.put_opts(key, data.clone().into(), options).await {
                Ok(put) => {
                    self.answered();
                    break (put.e_tag.unwrap_or_default(), self.options.clock.wall());
                }
                Err(error) => fault_of(&error),
            };
            match self.settle(key, id, fault).await {
                Settled::Mine(found) => {
                    upload::check_size(name, &found, sums)?;
                    break (found.meta.e_tag.unwrap_or_default(), found.meta.last_modified.into());
                }
                Settled::Taken => {
                    if let Some(side) = side {
                        side.discard().await;
                    }
                    return Err(Fault::ObjectExists);
                }
                // Blocks that a killed upload left keep a plain create from an Azure blob's name, for a week; not so a list of blocks.
                Settled::Vanished if attempt > 0 && self.source.provider == Provider::Azure => {
                    if let Some(side) = side {
                        side.discard().await;
                    }
                    return self.create_large(name, key, data).await;
                }
                Settled::Vanished if attempt < MAX_VANISHED => self.pause(attempt).await,
                Settled::Vanished => return Err(contended()),
                Settled::Failed(fault) => {
                    if let Some(side) = side.as_mut().filter(|_| is_final(&fault)) {
                        side.refused();
                    }
                    return Err(fault);
                }
            }
            attempt += 1;
        };
        if let Some(side) = side {
            side.keep();
        }
        Ok(info(name, &creation, sums, etag, created))
    }
}

/// The attributes of an object with this creation.
pub(super) fn attributes(creation: &Creation) -> Attributes {
    Attributes::from_iter([(Attribute::Metadata(METADATA_KEY.into()), creation.encode())])
}

/// What is known about an object that was just created.
pub(super) fn info(name: &str, creation: &Creation, sums: &BlockSums, etag: String, created: SystemTime) -> ObjectInfo {
    let checksums = Checksums::Blocks { block: creation.block, crc32c: creation.crc };
    ObjectInfo { name: name.to_owned(), size: sums.size(), etag, created, checksums }
}

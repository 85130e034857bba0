//! Multipart uploads (<https://cloud.google.com/storage/docs/multipart-uploads>): parts lie beside the object and become it in
//! one step, under a precondition where the completing request has one.

use std::collections::BTreeMap;
use std::time::SystemTime;

use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use serde::Deserialize;

use super::answer::Refusal;
use super::digest::Digests;
use super::object::Object;
use super::table::{NewObject, Table};

/// Parts other than the last hold at least this much, bytes: <https://cloud.google.com/storage/quotas#requests>.
const MIN_PART: usize = 5 << 20;
/// Part numbers go from 1 to this.
const MAX_PARTS: u32 = 10_000;

/// An upload that has begun.
#[derive(Debug)]
pub(super) struct Upload {
    pub(super) bucket: String,
    pub(super) name: String,
    pub(super) metadata: Vec<(HeaderName, HeaderValue)>,
    parts: BTreeMap<u32, Part>,
}

#[derive(Debug)]
struct Part {
    data: Bytes,
    etag: String,
    crc32c: u32,
}

/// The body of the completing request.
#[derive(Debug, Deserialize)]
pub(super) struct Completion {
    #[serde(rename = "Part", default)]
    parts: Vec<CompletedPart>,
}

#[derive(Debug, Deserialize)]
struct CompletedPart {
    #[serde(rename = "PartNumber")]
    number: u32,
    #[serde(rename = "ETag")]
    etag: String,
}

impl Completion {
    pub(super) fn parse(body: &[u8]) -> Result<Self, Refusal> {
        quick_xml::de::from_reader(body).map_err(|_| Refusal::INVALID_ARGUMENT)
    }
}

impl Table {
    /// Begins an upload and says its id.
    pub(super) fn begin_upload(
        &mut self,
        bucket: &str,
        name: &str,
        metadata: Vec<(HeaderName, HeaderValue)>,
    ) -> Result<String, Refusal> {
        self.bucket(bucket)?;
        let id = format!("upload-{:x}", self.next_generation());
        let upload = Upload { bucket: bucket.into(), name: name.into(), metadata, parts: BTreeMap::new() };
        self.uploads.insert(id.clone(), upload);
        Ok(id)
    }

    /// Keeps one part, replacing an earlier one of the same number, and says its etag.
    pub(super) fn put_part(
        &mut self,
        id: &str,
        number: u32,
        data: Bytes,
        digests: &Digests,
    ) -> Result<String, Refusal> {
        if !(1..=MAX_PARTS).contains(&number) {
            return Err(Refusal::INVALID_ARGUMENT);
        }
        let upload = self.uploads.get(id).ok_or(Refusal::NO_SUCH_UPLOAD)?;
        let freed = upload.parts.get(&number).map_or(0, |part| part.data.len() as u64);
        self.account(data.len() as u64, freed)?;
        let etag = format!("\"{number:x}-{:08x}\"", digests.crc32c);
        let part = Part { data, etag: etag.clone(), crc32c: digests.crc32c };
        if let Some(upload) = self.uploads.get_mut(id) {
            upload.parts.insert(number, part);
        }
        Ok(etag)
    }

    /// Makes the object out of the parts that `completion` names. An upload that is refused stays.
    pub(super) fn complete_upload(
        &mut self,
        id: &str,
        completion: &Completion,
        wanted: Option<u64>,
        created: SystemTime,
    ) -> Result<&Object, Refusal> {
        let upload = self.uploads.get(id).ok_or(Refusal::NO_SUCH_UPLOAD)?;
        let mut chosen = Vec::with_capacity(completion.parts.len());
        let mut last = 0;
        for named in &completion.parts {
            let part = upload.parts.get(&named.number).ok_or(Refusal::INVALID_PART)?;
            let same = part.etag.trim_matches('"') == named.etag.trim_matches('"');
            if !same || named.number <= last {
                return Err(Refusal::INVALID_PART);
            }
            last = named.number;
            chosen.push(part);
        }
        let Some((_, all_but_last)) = chosen.split_last() else { return Err(Refusal::INVALID_ARGUMENT) };
        if all_but_last.iter().any(|part| part.data.len() < MIN_PART) {
            return Err(Refusal::ENTITY_TOO_SMALL);
        }
        let (bucket, name) = (upload.bucket.clone(), upload.name.clone());
        self.check_generation(&bucket, &name, wanted)?;
        let mut data = Vec::with_capacity(chosen.iter().map(|part| part.data.len()).sum());
        let mut crc32c = 0;
        for part in chosen {
            crc32c = crc32c::crc32c_combine(crc32c, part.crc32c, part.data.len());
            data.extend_from_slice(&part.data);
        }
        let metadata = upload.metadata.clone();
        let digests = Digests { crc32c, md5: None };
        self.abort_upload(id)?;
        self.put(&bucket, &name, NewObject { data: data.into(), digests, metadata, created }, wanted)
    }

    /// Forgets an upload and its parts.
    pub(super) fn abort_upload(&mut self, id: &str) -> Result<(), Refusal> {
        let upload = self.uploads.remove(id).ok_or(Refusal::NO_SUCH_UPLOAD)?;
        self.account(0, upload.parts.values().map(|part| part.data.len() as u64).sum())
    }
}

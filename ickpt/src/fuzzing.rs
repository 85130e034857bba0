//! Entry points of the fuzz targets; not part of the interface.

use aws_lc_rs::digest::{SHA256, digest};

use crate::checkpoint_store::{BLOCK_BYTES, EntryWriter, Frame, Generation, Header, Record, replay};
use crate::conf::{ConfFile, Settings};
use crate::storage_url::StorageUrl;
use crate::value::{CheckPoint, InstanceId, Members, Stamp};

/// A configuration file: it is read or refused, and settings too.
pub fn conf(text: &str) {
    if let Ok(mut conf) = ConfFile::parse(text) {
        drop(Settings::from_conf(&conf));
        drop(conf.set(text));
    }
}

/// A URL and the texts of headers: what is read has one form only.
pub fn texts(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return true };
    let url = StorageUrl::parse(text).map_or(true, |url| {
        StorageUrl::parse(&url.to_string()).as_ref() == Ok(&url) && url.key().ends_with(url.path())
    });
    let one_form = |again: Option<String>| again.is_none_or(|again| again == text);
    url && one_form(Stamp::parse(text).map(|found| found.to_string()))
        && one_form(Members::parse(text).map(|found| found.to_string()))
        && one_form(CheckPoint::parse(bytes).map(|found| found.to_string()))
}

/// A record, as it is and with a checksum that is right: what decodes encodes to the very same bytes.
pub fn record(bytes: &[u8]) -> bool {
    let one_form = |bytes: &[u8]| Record::decode(b"key", bytes).map_or(true, |record| record.encode(b"key") == bytes);
    let front = bytes.get(..bytes.len().saturating_sub(4)).unwrap_or_default();
    let sum = crc32c::crc32c_append(crc32c::crc32c(b"key"), front);
    one_form(bytes) && one_form(&[front, &sum.to_le_bytes()].concat())
}

/// Any bytes as a server's answer: it is read or refused, and the same in one piece as in two.
pub fn answer(bytes: &[u8]) -> bool {
    let cut = bytes.first().map_or(0, |first| usize::from(*first) * bytes.len() / 256);
    let (front, back) = bytes.split_at(cut.min(bytes.len()));
    let (whole, cut) = (crate::wire::answer_in(bytes, &[]), crate::wire::answer_in(front, back));
    whole.is_some() && whole == cut
}

/// Any bytes as the journal's two files, as they are and with checksums that are right: read or refused, and what was read is written to the same bytes.
pub fn journal(bytes: &[u8]) -> bool {
    const GENERATION: Generation = Generation(7);
    let header = |bytes: &[u8]| Header::decode(bytes).map_or(true, |header| bytes.starts_with(&header.encode()));
    let entry = |bytes: &[u8]| {
        let Some(frame) = Frame::at(bytes, 0, GENERATION) else { return true };
        let Ok(records) = frame.records() else { return true };
        let mut writer = EntryWriter::new(frame.len());
        records.iter().all(|(key, record)| writer.push(key, record))
            && bytes.starts_with(writer.finish(GENERATION, frame.sequence))
    };
    // In whole blocks; as it is, and made to look like one entry, and like a header.
    let mut plain = bytes.to_vec();
    plain.resize(bytes.len().max(1).next_multiple_of(BLOCK_BYTES), 0);
    let (mut one, mut first) = (plain.clone(), plain.clone());
    let length = (plain.len() as u32).to_le_bytes();
    put(&mut one, 0, EntryWriter::new(BLOCK_BYTES).finish(GENERATION, 0).get(..24).unwrap_or_default());
    put(&mut one, 32, &length);
    sum(&mut one, 40);
    let end = one.len() - 32;
    let hash = digest(&SHA256, one.get(..end).unwrap_or_default());
    put(&mut one, end, hash.as_ref());
    let any = Header { identity: InstanceId(1), generation: GENERATION, number: 0, file_bytes: 0 };
    put(&mut first, 0, any.encode().get(..10).unwrap_or_default());
    sum(&mut first, BLOCK_BYTES - 4);
    let rising = |images: [&[u8]; 2]| {
        replay(images, GENERATION, 0, 1)
            .map_or(true, |found| found.iter().zip(2..).all(|(place, sequence)| place.frame.sequence == sequence))
    };
    let (front, back) = plain.split_at(plain.len() / 2);
    let behind = [first.as_slice(), one.as_slice()].concat();
    [&plain, &one, &first].iter().all(|bytes| header(bytes) && entry(bytes))
        && rising([front, back])
        && rising([&plain, &behind])
}

fn put(bytes: &mut [u8], at: usize, new: &[u8]) {
    for (byte, new) in bytes.iter_mut().skip(at).zip(new) {
        *byte = *new;
    }
}

/// The checksum of all that is in front of it.
fn sum(bytes: &mut [u8], at: usize) {
    let sum = crc32c::crc32c(bytes.get(..at).unwrap_or_default());
    put(bytes, at, &sum.to_le_bytes());
}

//! Entry points of the fuzz targets; not part of the interface.

use crate::checkpoint_store::Record;
use crate::conf::{ConfFile, Settings};
use crate::storage_url::StorageUrl;
use crate::value::{CheckPoint, Members, Stamp};

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

//! Entry points of the fuzz targets; not part of the interface.
//!
//! Each takes any bytes and says whether they decode and, if so, encode to the very same bytes again, which the target asserts.

use bytes::Bytes;

use crate::{CheckpointString, Pin, Turtle, TurtleObject, TurtlePage};

/// A turtle object, as it is and with a checksum that is right; and a turtle.
pub fn turtle(bytes: &[u8]) -> Option<bool> {
    let object = |bytes: &[u8]| {
        let bytes = Bytes::copy_from_slice(bytes);
        let (object, version) = TurtleObject::decode(&bytes).ok()?;
        let inside = object.content.as_ref().and_then(content).unwrap_or(true);
        Some(inside && object.encode().ok() == Some((bytes, version)))
    };
    fn content(bytes: &Bytes) -> Option<bool> {
        let turtle = Turtle::decode(bytes).ok()?;
        Some(turtle.encode().ok().as_ref() == Some(bytes))
    }
    let (body, _) = bytes.split_at(bytes.len().saturating_sub(4));
    let summed = [body, &crc32c::crc32c(body).to_le_bytes()].concat();
    let results = [object(bytes), object(&summed), content(&Bytes::copy_from_slice(bytes))];
    results.iter().any(Option::is_some).then(|| !results.contains(&Some(false)))
}

/// The text of a turtle page, and a checkpoint string: what is printed reads back.
pub fn turtle_text(bytes: &[u8]) -> Option<bool> {
    let text = std::str::from_utf8(bytes).ok()?;
    let page = TurtlePage::parse(text).ok().map(|page| TurtlePage::parse(&page.to_string()).ok() == Some(page));
    let string = CheckpointString::parse(text)
        .ok()
        .map(|string| CheckpointString::parse(&string.to_string()).ok() == Some(string));
    (page.is_some() || string.is_some()).then(|| page != Some(false) && string != Some(false))
}

/// A pin, as it is and with a checksum that is right.
pub fn pin(bytes: &[u8]) -> Option<bool> {
    let pin = |bytes: Bytes| Some(Pin::decode(&bytes).ok()?.encode().ok() == Some(bytes));
    let (body, _) = bytes.split_at(bytes.len().saturating_sub(4));
    let summed = [body, &crc32c::crc32c(body).to_le_bytes()].concat();
    let results = [pin(Bytes::copy_from_slice(bytes)), pin(summed.into())];
    results.iter().any(Option::is_some).then(|| !results.contains(&Some(false)))
}

/// A register's value, as it is and with a checksum that is right.
pub fn envelope(bytes: &[u8]) -> Option<bool> {
    let one_form = |bytes: &[u8]| {
        let bytes = Bytes::copy_from_slice(bytes);
        let found = crate::register::Envelope::decode(&bytes).ok()?;
        let again = crate::register::Envelope::encode(&found.turtle, &found.leaders).ok()?;
        Some(again == (bytes, found.version))
    };
    let front = bytes.get(..bytes.len().saturating_sub(4)).unwrap_or_default();
    let summed = [front, &crc32c::crc32c(front).to_le_bytes()].concat();
    match (one_form(bytes), one_form(&summed)) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (found, summed) => found.or(summed),
    }
}

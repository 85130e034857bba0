//! The head of an answer, and how long its body is (RFC 9112, section 6.3).
//!
//! What has two readings is refused, for the next answer on the same connection would begin at different places for either.

use std::mem::MaybeUninit;

use http::header::{CONNECTION, CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING};

/// Headers of an answer.
const MAX_HEADERS: usize = 100;

/// Where a body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// After so many bytes.
    Length(u64),
    /// After the chunk without bytes.
    Chunked,
    /// With the connection.
    UntilClosed,
}

/// The head of an answer.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) framing: Framing,
    /// Whether the connection may be used again after the body.
    pub(super) keeps: bool,
}

/// Where the head in `bytes` ends, if all of it is there; the first `known` bytes were looked at before.
pub(super) fn end_of_head(bytes: &[u8], known: usize) -> Option<usize> {
    // The end may have begun in what is known.
    let from = known.saturating_sub(3);
    let mut rest = bytes.get(from..)?.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
    rest.find_map(|(at, _)| match bytes.get(from + at + 1..)? {
        [b'\n', ..] => Some(from + at + 2),
        [b'\r', b'\n', ..] => Some(from + at + 3),
        _ => None,
    })
}

impl Head {
    /// Reads a whole head.
    ///
    /// # Errors
    /// What is wrong, for people.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let mut space = [const { MaybeUninit::uninit() }; MAX_HEADERS];
        let mut head = httparse::Response::new(&mut []);
        let config = httparse::ParserConfig::default();
        let parsed = config.parse_response_with_uninit_headers(&mut head, bytes, &mut space);
        if parsed.map_err(|error| error.to_string())? != httparse::Status::Complete(bytes.len()) {
            return Err("its head ends too early".to_owned());
        }
        let (Some(version), Some(status)) = (head.version, head.code) else {
            return Err("it has no status".to_owned());
        };
        let mut headers = HeaderMap::with_capacity(head.headers.len());
        for header in head.headers.iter() {
            let name = HeaderName::from_bytes(header.name.as_bytes()).map_err(|error| error.to_string())?;
            let value = HeaderValue::from_bytes(header.value).map_err(|error| error.to_string())?;
            headers.append(name, value);
        }
        let framing = framing(version, status, &headers)?;
        let has = |word: &str| {
            let values = headers.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
            values.flat_map(|value| value.split(',')).any(|found| found.trim().eq_ignore_ascii_case(word))
        };
        let keeps = framing != Framing::UntilClosed && !has("close") && (version == 1 || has("keep-alive"));
        Ok(Self { status, headers, framing, keeps })
    }
}

fn framing(version: u8, status: u16, headers: &HeaderMap) -> Result<Framing, String> {
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    let length = lengths.next();
    if lengths.next().is_some() {
        return Err("it has more than one Content-Length".to_owned());
    }
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    let coding = codings.next();
    if coding.is_some() && (length.is_some() || version == 0 || codings.next().is_some()) {
        return Err("it says in two ways where its body ends".to_owned());
    }
    if (100..200).contains(&status) || matches!(status, 204 | 304) {
        return Ok(Framing::Length(0));
    }
    match (coding, length) {
        (Some(coding), _) if coding.as_bytes().eq_ignore_ascii_case(b"chunked") => Ok(Framing::Chunked),
        (Some(_), _) => Err("its Transfer-Encoding is not 'chunked'".to_owned()),
        (None, Some(length)) => {
            let digits = length.to_str().ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
            let length = digits.and_then(|digits| digits.parse().ok());
            length.map(Framing::Length).ok_or_else(|| "its Content-Length is no number".to_owned())
        }
        (None, None) => Ok(Framing::UntilClosed),
    }
}

#[cfg(test)]
mod test {
    use super::*;

    fn parse(text: &str) -> Result<(u16, Framing, bool), String> {
        let head = Head::parse(text.as_bytes())?;
        Ok((head.status, head.framing, head.keeps))
    }

    #[test]
    fn where_bodies_end() {
        for (text, expected) in [
            ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", (200, Framing::Length(5), true)),
            ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\nConnection: x, Close\r\n\r\n", (200, Framing::Length(5), false)),
            ("HTTP/1.1 200\r\nTransfer-Encoding: Chunked\r\n\r\n", (200, Framing::Chunked, true)),
            ("HTTP/1.1 204 No Content\r\n\r\n", (204, Framing::Length(0), true)),
            ("HTTP/1.1 100 Continue\r\n\r\n", (100, Framing::Length(0), true)),
            ("HTTP/1.1 412 \r\n\r\n", (412, Framing::UntilClosed, false)),
            ("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", (200, Framing::Length(0), false)),
            ("HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n", (200, Framing::Length(0), true)),
        ] {
            assert_eq!(parse(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_has_two_readings_is_refused() {
        for text in [
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: \r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551616\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
            "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\nX : y\r\n\r\n",
            "HTTP/1.1 200 OK\r\nX: y\r\n z\r\n\r\n",
            "HTTP/2 200 OK\r\n\r\n",
            "HTTP/1.1 20 OK\r\n\r\n",
            "HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
            "\r\n\r\n",
            "",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
        let headers = "X: y\r\n".repeat(MAX_HEADERS + 1);
        assert!(parse(&format!("HTTP/1.1 200 OK\r\n{headers}\r\n")).is_err());
    }

    #[test]
    fn the_end_of_a_head_is_found_however_it_is_cut() {
        for text in ["HTTP/1.1 200 OK\r\nX: y\r\n\r\nbody", "HTTP/1.1 200 OK\nX: y\n\nbody"] {
            let end = text.len() - "body".len();
            for known in 0..end {
                assert_eq!(end_of_head(text.as_bytes(), known), Some(end), "{known}");
                assert_eq!(end_of_head(&text.as_bytes()[..known], known / 2), None, "{known}");
            }
        }
    }
}

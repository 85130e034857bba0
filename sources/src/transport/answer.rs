//! A complete answer: its body read to the end, in memory, and of the length it should have.
//!
//! Whatever is asked for is bounded (a range of an object, a page of a listing), so answers are gathered whole before anybody sees
//! them: a connection that breaks in the middle is then a failed attempt like any other, and not an error in somebody's stream.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt;
use http::header::{CONTENT_LENGTH, CONTENT_RANGE};
use http::response::Parts;
use http::{HeaderMap, StatusCode};
use object_store::client::{HttpError, HttpResponse};

use crate::buffers::{Buffer, Buffers};
use crate::stats::RequestKind;

/// An answer with its whole body.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) parts: Parts,
    pub(super) body: Bytes,
}

/// Why an answer could not be read.
#[derive(Debug)]
pub(super) enum Unreadable {
    /// The connection broke.
    Broken(HttpError),
    /// It is shorter or longer than it says or should be: another attempt may get it whole.
    WrongLength(String),
    /// It is longer than anything that is asked for.
    TooLong(u64),
    /// A part of an object was asked for, and the whole came.
    RangeIgnored,
}

impl Answer {
    /// Reads `response`, the answer to a request of `kind` for `range` of an object, into one of `buffers`. More than `limit` bytes
    /// are not taken.
    pub(super) async fn read(
        kind: RequestKind,
        range: Option<&Range<u64>>,
        limit: u64,
        buffers: &Arc<Buffers>,
        response: HttpResponse,
    ) -> Result<Self, Unreadable> {
        let (parts, body) = response.into_parts();
        let has_no_body = kind == RequestKind::Head
            || matches!(parts.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
            || parts.status.is_informational();
        if has_no_body {
            return Ok(Self { parts, body: Bytes::new() });
        }
        if kind == RequestKind::Get && range.is_some() && parts.status == StatusCode::OK {
            return Err(Unreadable::RangeIgnored);
        }
        let announced = number(&parts.headers, CONTENT_LENGTH.as_str());
        if let Some(length) = announced.filter(|length| *length > limit) {
            return Err(Unreadable::TooLong(length));
        }
        let mut gathered = Gathered::new(announced.unwrap_or(0), buffers);
        let mut stream = body.bytes_stream();
        while let Some(piece) = stream.next().await {
            gathered = gathered.with(piece.map_err(Unreadable::Broken)?);
            if gathered.len() > limit {
                return Err(Unreadable::TooLong(gathered.len()));
            }
        }
        let answer = Self { body: gathered.finish(), parts };
        let expected = if answer.parts.status == StatusCode::PARTIAL_CONTENT {
            announced_range(&answer.parts.headers)
        } else {
            None
        };
        for (length, name) in [(announced, "Content-Length"), (expected, "Content-Range")] {
            if let Some(length) = length.filter(|length| *length != answer.body.len() as u64) {
                let message = format!("the answer has {} bytes, its {name} says {length}", answer.body.len());
                return Err(Unreadable::WrongLength(message));
            }
        }
        Ok(answer)
    }

    /// The answer for `object_store`.
    pub(super) fn into_response(self) -> HttpResponse {
        HttpResponse::from_parts(self.parts, self.body.into())
    }
}

/// The size of the object in `Content-Range: bytes */size`, as 416 says it.
pub(super) fn size_of_object(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_RANGE)?.to_str().ok()?.rsplit_once('/')?.1.parse().ok()
}

/// The length that `Content-Range: bytes first-last/size` announces.
fn announced_range(headers: &HeaderMap) -> Option<u64> {
    let text = headers.get(CONTENT_RANGE)?.to_str().ok()?;
    let (first, last) = text.trim().strip_prefix("bytes ")?.split_once('/')?.0.split_once('-')?;
    last.trim().parse::<u64>().ok()?.checked_sub(first.trim().parse().ok()?)?.checked_add(1)
}

fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

/// A body as it comes. A single piece is kept as it is; more are copied together while the next ones are on their way, so that
/// `object_store`, which wants one piece in the end, has nothing left to copy.
enum Gathered<'a> {
    Nothing { announced: u64, buffers: &'a Arc<Buffers> },
    One { piece: Bytes, announced: u64, buffers: &'a Arc<Buffers> },
    More(Buffer),
}

impl<'a> Gathered<'a> {
    fn new(announced: u64, buffers: &'a Arc<Buffers>) -> Self {
        Self::Nothing { announced, buffers }
    }

    fn with(self, piece: Bytes) -> Self {
        match self {
            Self::Nothing { announced, buffers } => Self::One { piece, announced, buffers },
            Self::One { piece: first, announced, buffers } => {
                // The announced length is at most the limit, and only addressed, not used, until bytes come.
                let announced = usize::try_from(announced).unwrap_or(0);
                let mut all = buffers.take(announced.max(first.len() + piece.len()));
                all.bytes.extend_from_slice(&first);
                all.bytes.extend_from_slice(&piece);
                Self::More(all)
            }
            Self::More(mut all) => {
                all.bytes.extend_from_slice(&piece);
                Self::More(all)
            }
        }
    }

    fn len(&self) -> u64 {
        match self {
            Self::Nothing { .. } => 0,
            Self::One { piece, .. } => piece.len() as u64,
            Self::More(all) => all.bytes.len() as u64,
        }
    }

    fn finish(self) -> Bytes {
        match self {
            Self::Nothing { .. } => Bytes::new(),
            Self::One { piece, .. } => piece,
            Self::More(all) => all.freeze(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::stream;
    use http_body::Frame;
    use object_store::client::HttpResponseBody;
    use proptest::prelude::*;
    use std::pin::Pin;
    use std::sync::Mutex;
    use std::task::{Context, Poll};

    type Pieces = stream::Iter<std::vec::IntoIter<Bytes>>;

    /// A body in pieces.
    struct Streamed(Mutex<Pieces>);

    impl http_body::Body for Streamed {
        type Data = Bytes;
        type Error = HttpError;

        fn poll_frame(
            self: Pin<&mut Self>,
            context: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
            self.0.lock().unwrap().poll_next_unpin(context).map(|piece| piece.map(|piece| Ok(Frame::data(piece))))
        }
    }

    fn response(status: u16, headers: &[(&str, &str)], pieces: Vec<Bytes>) -> HttpResponse {
        let mut response = http::Response::builder().status(status);
        for (name, value) in headers {
            response = response.header(*name, *value);
        }
        response.body(HttpResponseBody::new(Streamed(Mutex::new(stream::iter(pieces))))).unwrap()
    }

    fn hello() -> Vec<Bytes> {
        vec![Bytes::from_static(b"hel"), Bytes::new(), Bytes::from_static(b"lo")]
    }

    async fn read(kind: RequestKind, range: Option<Range<u64>>, response: HttpResponse) -> Result<Bytes, Unreadable> {
        Answer::read(kind, range.as_ref(), 10, &Arc::default(), response).await.map(|answer| answer.body)
    }

    #[tokio::test]
    async fn whole_answers() {
        use RequestKind::{Get, Head, List};
        assert_eq!(read(Get, None, response(200, &[("content-length", "5")], hello())).await.unwrap(), "hello");
        assert_eq!(read(List, None, response(200, &[], hello())).await.unwrap(), "hello");
        let headers = [("content-range", "bytes 3-7/100"), ("content-length", "5")];
        assert_eq!(read(Get, Some(3..8), response(206, &headers, hello())).await.unwrap(), "hello");
        assert_eq!(read(Head, None, response(200, &[("content-length", "5")], vec![])).await.unwrap(), "");
        assert_eq!(read(Head, None, response(404, &[("content-length", "5")], vec![])).await.unwrap(), "");
    }

    #[tokio::test]
    async fn answers_that_are_cut_off_or_too_long() {
        use RequestKind::Get;
        let cut = read(Get, None, response(200, &[("content-length", "6")], hello())).await;
        assert!(matches!(cut, Err(Unreadable::WrongLength(_))));
        let cut = read(Get, Some(0..6), response(206, &[("content-range", "bytes 0-5/100")], hello())).await;
        assert!(matches!(cut, Err(Unreadable::WrongLength(_))));
        let announced = read(Get, None, response(200, &[("content-length", "11")], vec![])).await;
        assert!(matches!(announced, Err(Unreadable::TooLong(11))));
        let long = read(Get, None, response(200, &[], vec![Bytes::from_static(b"0123456789a")])).await;
        assert!(matches!(long, Err(Unreadable::TooLong(11))));
        let whole = read(Get, Some(0..2), response(200, &[("content-length", "5")], hello())).await;
        assert!(matches!(whole, Err(Unreadable::RangeIgnored)));
    }

    #[test]
    fn sizes_in_content_range() {
        let headers = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_RANGE, http::HeaderValue::from_static(value));
            headers
        };
        assert_eq!(size_of_object(&headers("bytes */77")), Some(77));
        assert_eq!(size_of_object(&headers("bytes */*")), None);
        assert_eq!(announced_range(&headers("bytes 0-0/1")), Some(1));
        assert_eq!(announced_range(&headers("bytes 5-3/9")), None);
        assert_eq!(announced_range(&headers("bytes 0-18446744073709551615/9")), None);
        assert_eq!(announced_range(&headers("lines 1-2/3")), None);
    }

    proptest! {
        #[test]
        fn gathering_is_concatenation(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 0..10), announced in 0_u64..100) {
            let buffers = Arc::default();
            let mut gathered = Gathered::new(announced, &buffers);
            for piece in &pieces {
                gathered = gathered.with(Bytes::from(piece.clone()));
            }
            prop_assert_eq!(gathered.len(), pieces.concat().len() as u64);
            prop_assert_eq!(gathered.finish(), pieces.concat());
        }
    }
}

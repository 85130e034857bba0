use tokio::io::duplex;

use super::*;

const LIMIT: usize = 16;

/// What is made of these bytes as an answer, with the connection closed behind them; they come in pieces of `piece` bytes.
async fn answer(bytes: &[u8], piece: usize) -> (Result<Answer, Failure>, bool) {
    let (ours, mut theirs) = duplex(1 << 17);
    let bytes = bytes.to_vec();
    let store = async move {
        let mut request = BytesMut::new();
        while end_of_head(&request, 0).is_none() {
            theirs.read_buf(&mut request).await.unwrap();
        }
        for piece in bytes.chunks(piece) {
            // Whoever has heard enough hangs up.
            if theirs.write_all(piece).await.is_err() {
                break;
            }
            tokio::task::yield_now().await;
        }
        theirs.shutdown().await.is_ok()
    };
    let mut connection = Connection::new(Box::new(ours));
    let origin = Origin::parse("http://s:8080").unwrap();
    let request = Request::get("/a").header("x-auth-token", "t").body(Bytes::new()).unwrap();
    // It is dropped at the end, which is how the other side knows that nobody listens.
    let (_, answer) = tokio::join!(store, async move {
        let answer = connection.exchange(&origin, &request, LIMIT).await;
        (answer, connection.is_clean())
    });
    answer
}

#[tokio::test]
async fn answers_end_where_they_say() {
    for (text, status, body, clean) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, "hello", true),
        ("HTTP/1.1 412 No\r\nContent-Length: 0\r\n\r\n", 412, "", true),
        ("HTTP/1.1 204 No Content\r\n\r\n", 204, "", true),
        ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, "hello", true),
        ("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello", 200, "hello", false),
        ("HTTP/1.1 200 OK\r\n\r\nhello", 200, "hello", false),
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloHTTP/1.1 200 OK\r\n", 200, "hello", false),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\n\r\n",
            200,
            "hello",
            true,
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n00A\r\n0123456789\r\n0\r\nX: y\r\n\r\n",
            200,
            "0123456789",
            true,
        ),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 200, "", true),
        ("HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n0123456789abcdef", 200, "0123456789abcdef", true),
    ] {
        for piece in [1, 7, usize::MAX] {
            let (answer, is_clean) = answer(text.as_bytes(), piece).await;
            let answer = answer.unwrap_or_else(|failure| panic!("{text}: {failure:?}"));
            assert_eq!((answer.status, &*answer.body), (status, body.as_bytes()), "{text}");
            // What comes later than the end is seen by whoever wants to use the connection again.
            assert!(is_clean == clean || (piece == 1 && is_clean && text.contains("helloHTTP")), "{text} by {piece}");
        }
    }
}

#[tokio::test]
async fn what_is_no_answer_or_too_long_a_one_is_refused() {
    let long = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "y".repeat(MAX_HEAD_BYTES));
    let trailers =
        format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n{}", "X: y\r\n".repeat(MAX_HEAD_BYTES));
    let extension =
        format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;{}", "x".repeat(MAX_HEAD_BYTES + 99));
    let interim = "HTTP/1.1 100 Continue\r\n\r\n".repeat(MAX_INTERIM as usize + 1);
    for (text, said) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", "within the body"),
        ("HTTP/1.1 200 OK\r\nContent-Le", "within the headers"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n", "within the body"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhello\r\n0\r\n\r\n", "does not end where it says"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-3\r\nhel\r\n0\r\n\r\n", "is no number"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\nhel\r\n0\r\n\r\n", "is no number"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\nhel\r\n0\r\n\r\n", "as lines do"),
        ("HTTP/1.1 101 Switching Protocols\r\n\r\n", "another protocol"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello", "more than one"),
        (&interim, "again and again"),
        (&long, "headers have more than"),
        (&trailers, "are too long"),
        (&extension, "are too long"),
        ("SSH-2.0\n\n", "invalid"),
    ] {
        let (answer, is_clean) = answer(text.as_bytes(), 1000).await;
        let Err(Failure::Wire(WireError::Broken(what))) = answer else { panic!("{said}: {answer:?}") };
        assert!(what.contains(said) && !is_clean, "{said}: {what}");
    }
    for text in [
        "HTTP/1.1 200 OK\r\nContent-Length: 17\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551615\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\r\n0123456789abcdefg",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n11\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n01234567\r\n9\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
    ] {
        let (answer, is_clean) = answer(text.as_bytes(), 1000).await;
        assert!(matches!(answer, Err(Failure::Wire(WireError::TooLarge(LIMIT)))) && !is_clean, "{text}: {answer:?}");
    }
    assert!(matches!(answer(b"", 1).await, (Err(Failure::Closed(_)), false)));
}

#[tokio::test]
async fn a_connection_on_which_something_came_unasked_is_not_used_again() {
    let origin = Origin::parse("http://s").unwrap();
    let request = Request::put("/a?b").header("x-auth-token", "t").body(Bytes::from_static(b"body")).unwrap();
    for unasked in [&b""[..], b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"] {
        let (ours, mut theirs) = duplex(1 << 12);
        let mut connection = Connection::new(Box::new(ours));
        theirs.write_all(b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n").await.unwrap();
        assert_eq!(connection.exchange(&origin, &request, LIMIT).await.unwrap().status, 201);
        let mut sent = BytesMut::with_capacity(4096);
        theirs.read_buf(&mut sent).await.unwrap();
        let expected = "PUT /a?b HTTP/1.1\r\nhost: s\r\nx-auth-token: t\r\ncontent-length: 4\r\n\r\nbody";
        assert_eq!(sent, expected);
        assert!(connection.outgoing.is_empty(), "no token is left");
        assert!(connection.is_ready());
        if unasked.is_empty() {
            drop(theirs);
        } else {
            theirs.write_all(unasked).await.unwrap();
        }
        assert!(!connection.is_ready());
    }
}

#[tokio::test]
async fn who_goes_away_in_the_middle_leaves_nothing_to_use() {
    let (ours, theirs) = duplex(1 << 12);
    let mut connection = Connection::new(Box::new(ours));
    let origin = Origin::parse("http://s").unwrap();
    let request = Request::get("/a").body(Bytes::new()).unwrap();
    assert!(connection.exchange(&origin, &request, LIMIT).now_or_never().is_none());
    assert!(!connection.is_clean() && !connection.is_ready());
    drop(theirs);
}

use http::Method;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;
use crate::wire::client_config;

/// A server that answers the first request of its first connection, hears the second and goes away without a word, and answers one on the next connection. Gives what
/// it has heard.
async fn serve(listener: TcpListener) -> usize {
    let mut heard = 0;
    for answers in [[true, false], [true, true]] {
        let Ok((mut stream, _)) = listener.accept().await else { break };
        let mut bytes = [0; 1024];
        for answers in answers {
            match stream.read(&mut bytes).await {
                Ok(0) | Err(_) => return heard,
                Ok(_) => heard += 1,
            }
            if !answers {
                break;
            }
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await.unwrap();
        }
    }
    heard
}

#[tokio::test]
async fn what_must_not_be_done_twice_is_not_sent_twice() {
    for (method, told) in [(Method::GET, true), (Method::PUT, true), (Method::POST, false)] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = Origin::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        let server = tokio::spawn(serve(listener));
        let client = HttpClient::new(HttpClientOptions::new(client_config(None).unwrap()));
        let request = Request::builder().method(method.clone()).uri("/a").body(Bytes::new()).unwrap();
        assert_eq!(client.send(&origin, request.clone(), 0).await.unwrap().status, 200);
        let second = client.send(&origin, request, 0).await;
        match (&second, told) {
            (Ok(_), true) | (Err(WireError::Broken(_)), false) => {}
            _ => panic!("{method}: {second:?}"),
        }
        if told {
            drop(client);
            assert_eq!(server.await.unwrap(), 3, "{method}");
        } else {
            // It waits for a connection that nobody makes.
            assert!(!server.is_finished(), "{method}");
            server.abort();
        }
    }
}

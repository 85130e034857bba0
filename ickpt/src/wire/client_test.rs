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

/// What became of the first calls to a server that speaks HTTP/2, and how many it has heard: it hangs up when it has heard `deaf` calls, and answers from then on.
async fn hung_up(method: Method, deaf: usize) -> (Result<Answer, WireError>, usize) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = Origin::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    let heard = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let hears = Arc::clone(&heard);
    let server = tokio::spawn(async move {
        loop {
            let Ok((stream, _)) = listener.accept().await else { break };
            let mut connection = h2::server::handshake(stream).await.unwrap();
            while let Some(Ok((_, mut respond))) = connection.accept().await {
                if hears.fetch_add(1, std::sync::atomic::Ordering::SeqCst) < deaf {
                    break;
                }
                respond.send_response(http::Response::new(()), true).unwrap();
            }
        }
    });
    let mut options = HttpClientOptions::new(client_config(None).unwrap());
    options.share_after = Some(0);
    let request = Request::builder().method(method).uri("/a").body(Bytes::from_static(b"v")).unwrap();
    let answer = HttpClient::new(options).send(&origin, request, 64).await;
    server.abort();
    (answer, heard.load(std::sync::atomic::Ordering::SeqCst))
}

#[tokio::test]
async fn what_broke_off_in_the_middle_is_not_sent_again_if_it_must_not_be() {
    for (method, deaf, heard) in [(Method::POST, 1, 1), (Method::PATCH, 1, 1), (Method::PUT, 2, 2), (Method::GET, 9, 2)]
    {
        let (answer, told) = hung_up(method.clone(), deaf).await;
        assert!(matches!(answer, Err(WireError::Broken(_))), "{method}: {answer:?}");
        assert_eq!(told, heard, "{method}");
    }
    for method in [Method::PUT, Method::GET, Method::DELETE] {
        let (answer, told) = hung_up(method.clone(), 1).await;
        assert_eq!((answer.unwrap().version, told), (http::Version::HTTP_2, 2), "{method}");
    }
    assert_eq!(hung_up(Method::POST, 0).await.0.unwrap().status, 200);
}

/// A clock on which every wait is over at once.
#[derive(Debug)]
struct Hurried;

impl Clock for Hurried {
    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }

    fn wall(&self) -> std::time::SystemTime {
        std::time::UNIX_EPOCH
    }

    fn sleep(&self, _: Duration) -> plastron_sources::clock::Sleep {
        Box::pin(tokio::task::yield_now())
    }
}

#[tokio::test]
async fn who_says_nothing_to_the_greeting_is_asked_by_http_1() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = Origin::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    let server = tokio::spawn(async move {
        let (silent, _) = listener.accept().await.unwrap();
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut bytes = vec![0; 1024];
        let length = stream.read(&mut bytes).await.unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await.unwrap();
        // What was asked on the first connection: nothing, but the greeting.
        let (mut silent, mut all) = (silent, Vec::new());
        silent.read_to_end(&mut all).await.unwrap_or_default();
        (all, bytes[..length].to_vec())
    });
    let mut options = HttpClientOptions::new(client_config(None).unwrap());
    options.share_after = Some(0);
    options.clock = Arc::new(Hurried);
    let client = HttpClient::new(options);
    let request = Request::post("/secret").body(Bytes::new()).unwrap();
    assert_eq!(client.send(&origin, request, 64).await.unwrap().version, http::Version::HTTP_11);
    let (greeting, asked) = server.await.unwrap();
    assert!(!greeting.windows(6).any(|text| text == b"secret"), "{greeting:?}");
    assert!(asked.starts_with(b"POST /secret HTTP/1.1\r\n"));
}

//! A server that tells everything it was sent, in whatever shape of error it is asked for.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// How it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    /// Lists an empty bucket, so that it can be opened, and refuses the rest as [`Mood::Refuse`] with 404.
    Good,
    /// This status, with all that was sent in a provider's error document.
    Refuse(&'static str, &'static str),
    /// 200 with a document that breaks off, and all that was sent in it.
    Malformed,
    /// 200 with a `Location` and headers that repeat what was sent.
    Redirect,
    /// No HTTP at all, but all that was sent.
    Garbage,
    /// The connection ends.
    Silent,
}

impl Mood {
    pub(crate) const BAD: [Self; 11] = [
        Self::Refuse("403 Forbidden", "SignatureDoesNotMatch"),
        Self::Refuse("403 Forbidden", "AuthenticationFailed"),
        Self::Refuse("403 Forbidden", "InvalidAccessKeyId"),
        Self::Refuse("401 Unauthorized", "ExpiredToken"),
        Self::Refuse("400 Bad Request", "AuthorizationHeaderMalformed"),
        Self::Refuse("404 Not Found", "NoSuchBucket"),
        Self::Refuse("503 Service Unavailable", "SlowDown"),
        Self::Malformed,
        Self::Redirect,
        Self::Garbage,
        Self::Silent,
    ];
}

/// The server; its threads end with the process.
pub(crate) struct Server {
    pub(crate) address: String,
    mood: Arc<Mutex<Mood>>,
    sent: Arc<Mutex<Vec<String>>>,
}

impl Server {
    pub(crate) fn start(mood: Mood) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let server = Self { address, mood: Arc::new(Mutex::new(mood)), sent: Arc::default() };
        let (mood, sent) = (Arc::clone(&server.mood), Arc::clone(&server.sent));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (mood, sent) = (Arc::clone(&mood), Arc::clone(&sent));
                std::thread::spawn(move || while serve(&stream, &mood, &sent).is_some() {});
            }
        });
        server
    }

    pub(crate) fn set(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    /// The authorizations and signatures it was sent.
    pub(crate) fn sent(&self) -> Vec<String> {
        self.sent.lock().unwrap().clone()
    }
}

/// What in a request is good for another: whoever reads it in a log could use it.
fn note(head: &str, sent: &Mutex<Vec<String>>) {
    let keep = |text: &str| {
        let mut sent = sent.lock().unwrap();
        if text.len() >= 12 && !sent.iter().any(|known| known == text) {
            sent.push(text.to_owned());
        }
    };
    for line in head.lines() {
        let lower = line.to_ascii_lowercase();
        if let Some(at) = lower.find("signature=") {
            keep(line[at + 10..].trim());
        } else if lower.starts_with("authorization:") {
            keep(line.rsplit([' ', ':']).next().unwrap());
        } else if lower.starts_with("x-amz-security-token:") {
            keep(line[21..].trim());
        } else if let Some((_, signature)) = line.split_once("sig=") {
            keep(signature.split(['&', ' ']).next().unwrap());
        }
    }
}

/// Answers one request; none when the connection is over.
fn serve(stream: &TcpStream, mood: &Mutex<Mood>, sent: &Mutex<Vec<String>>) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if line == "\r\n" {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        head += &line;
    }
    let mut body = Vec::new();
    (&mut reader).take(length).read_to_end(&mut body).ok()?;
    note(&head, sent);
    body.truncate(4096);
    let flat = format!("{}{}", head.replace("\r\n", " | "), String::from_utf8_lossy(&body).replace(['\r', '\n'], " "));
    let escaped = flat.replace('&', "&amp;").replace('<', "&lt;");
    let answer = |status: &str, headers: &str, body: &str| {
        let body = if head.starts_with("HEAD") { "" } else { body };
        format!("HTTP/1.1 {status}\r\n{headers}content-length: {}\r\n\r\n{body}", body.len())
    };
    let refusal = |status: &str, code: &str| {
        let body = format!(
            "<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>No: {escaped}</Message>\
             <StringToSign>{escaped}</StringToSign><Resource>{escaped}</Resource>\
             <AuthenticationErrorDetail>{escaped}</AuthenticationErrorDetail></Error>"
        );
        let headers =
            format!("content-type: application/xml\r\nx-ms-error-code: {code}\r\nx-amz-request-id: {flat}\r\n");
        answer(status, &headers, &body)
    };
    let mood = *mood.lock().unwrap();
    let text = match mood {
        Mood::Good if head.contains("comp=list") => answer(
            "200 OK",
            "content-type: application/xml\r\n",
            "<?xml version=\"1.0\"?><EnumerationResults><Blobs/><NextMarker/></EnumerationResults>",
        ),
        Mood::Good if head.contains("list-type=2") => answer(
            "200 OK",
            "content-type: application/xml\r\n",
            "<?xml version=\"1.0\"?><ListBucketResult><Name>pages</Name><IsTruncated>false</IsTruncated></ListBucketResult>",
        ),
        Mood::Good => refusal("404 Not Found", "NoSuchKey"),
        Mood::Refuse(status, code) => refusal(status, code),
        Mood::Malformed => answer(
            "200 OK",
            "content-type: application/xml\r\netag: \"e\"\r\n",
            &format!("<?xml version=\"1.0\"?><ListBucketResult><Contents>{escaped}<Key"),
        ),
        Mood::Redirect => refusal("301 Moved Permanently", "PermanentRedirect").replacen(
            "content-length",
            &format!("location: http://127.0.0.1:9/{}\r\ncontent-length", flat.replace(' ', "+")),
            1,
        ),
        Mood::Garbage => format!("no HTTP: {flat}\r\n\r\n"),
        Mood::Silent => String::new(),
    };
    let mut stream = stream;
    stream.write_all(text.as_bytes()).ok()?;
    if matches!(mood, Mood::Garbage | Mood::Silent) {
        let _ = stream.shutdown(std::net::Shutdown::Both);
        return None;
    }
    Some(())
}

//! A server that gives every HTTP request the same answer, on a free loopback port: enough to see how the command treats it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

/// Answers by `answer`, from method and path to status line, headers (each ended by CRLF) and body.
pub(crate) struct Server {
    pub(crate) address: String,
}

pub(crate) struct Answer {
    pub(crate) status: &'static str,
    pub(crate) headers: String,
    pub(crate) body: String,
}

impl Server {
    pub(crate) fn start(answer: impl Fn(&str, &str) -> Answer + Send + Sync + Clone + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        // The thread ends with the test process.
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let answer = answer.clone();
                thread::spawn(move || serve(&stream, &answer));
            }
        });
        Self { address }
    }

    /// A store string for it, with settings that give up soon: after two attempts, however long this machine takes for them.
    pub(crate) fn store(&self) -> String {
        format!(
            "source=s3_store,bucket=\"pages;us-east-1\",auth_token=\"AKPLANTEDKEY;planted-secret\",endpoint=\"{}\",hedge=(enabled=false),\
             retry=(deadline=10min,attempts=2,initial=1ms),timeout=(connect=2min,request=2min)",
            self.address
        )
    }
}

fn serve(stream: &TcpStream, answer: &impl Fn(&str, &str) -> Answer) {
    let mut reader = BufReader::new(stream);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        let mut words = line.split_whitespace();
        let (method, path) = (words.next().unwrap_or("").to_owned(), words.next().unwrap_or("").to_owned());
        let mut length = 0;
        loop {
            let mut header = String::new();
            if reader.read_line(&mut header).unwrap_or(0) == 0 {
                return;
            }
            if header == "\r\n" {
                break;
            }
            if let Some(value) = header.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap_or(0);
            }
        }
        if std::io::copy(&mut (&mut reader).take(length), &mut std::io::sink()).is_err() {
            return;
        }
        let Answer { status, headers, body } = answer(&method, &path);
        let declared = if headers.contains("Content-Length") {
            String::new()
        } else {
            format!("Content-Length: {}\r\n", body.len())
        };
        let body = if method == "HEAD" { "" } else { &body };
        let text = format!("HTTP/1.1 {status}\r\n{headers}{declared}\r\n{body}");
        let mut stream = stream;
        if stream.write_all(text.as_bytes()).is_err() {
            return;
        }
    }
}

/// An S3 error document.
pub(crate) fn s3_error(status: &'static str, code: &str) -> Answer {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>{code}</Code><Message>No. AKPLANTEDKEY</Message></Error>"
    );
    Answer { status, headers: "Content-Type: application/xml\r\n".to_owned(), body }
}

/// A page of a listing that holds these keys.
pub(crate) fn s3_list(keys: &[&str]) -> Answer {
    let mut body = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><ListBucketResult>\
         <Name>pages</Name><IsTruncated>false</IsTruncated>"
        .to_owned();
    for key in keys {
        let time = "2026-01-02T03:04:05.000Z";
        body += &format!(
            "<Contents><Key>{key}</Key><LastModified>{time}</LastModified><ETag>&quot;e1&quot;</ETag><Size>4</Size></Contents>"
        );
    }
    body += "</ListBucketResult>";
    Answer { status: "200 OK", headers: "Content-Type: application/xml\r\n".to_owned(), body }
}

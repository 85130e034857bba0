//! A watch: what happens to keys, message by message.

use bytes::{Buf as _, BytesMut};
use serde_json::Value;

use super::error::EtcdError;
use super::pair::{EtcdPair, etcd_number};
use crate::wire::HttpStream;

/// What a message of a watch says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EtcdEvent {
    /// etcd's revision when it was sent.
    pub revision: u64,
    /// What was put, in the order of revisions; nothing of what was deleted.
    pub put: Vec<EtcdPair>,
}

/// An open watch. Dropping it closes its connection.
#[derive(Debug)]
pub struct EtcdWatch {
    stream: HttpStream,
    buffer: BytesMut,
    /// Bytes at the front of the buffer that have no end of line in them.
    searched: usize,
    most: usize,
}

impl EtcdWatch {
    pub(super) fn new(stream: HttpStream, most: usize) -> Self {
        Self { stream, buffer: BytesMut::new(), searched: 0, most }
    }

    /// The next message. It waits for as long as it takes; dropping the future loses nothing.
    ///
    /// # Errors
    /// `Compacted`; `Lost` if the watch is over, whyever: open another.
    pub async fn next(&mut self) -> Result<EtcdEvent, EtcdError> {
        loop {
            if let Some(found) = self.buffer.iter().skip(self.searched).position(|byte| *byte == b'\n') {
                let line = self.buffer.split_to(self.searched + found);
                self.buffer.advance(1);
                self.searched = 0;
                return read(&line);
            }
            self.searched = self.buffer.len();
            let lost = |what: String| EtcdError::Lost(format!("a watch: {what}"));
            let data = self.stream.next().await.map_err(|error| lost(error.to_string()))?;
            let data = data.ok_or_else(|| lost("it ended".to_owned()))?;
            if self.buffer.len() + data.len() > self.most {
                return Err(lost(format!("a message is longer than {} bytes", self.most)));
            }
            self.buffer.extend_from_slice(&data);
        }
    }
}

fn read(line: &[u8]) -> Result<EtcdEvent, EtcdError> {
    let message: Value = serde_json::from_slice(line).map_err(|_| EtcdError::Wrong("JSON"))?;
    let Some(result) = message.get("result") else {
        let why = message.pointer("/error/message").and_then(Value::as_str).unwrap_or("an error");
        return Err(EtcdError::Lost(format!("a watch: {}", why.chars().take(300).collect::<String>())));
    };
    match etcd_number(result, "compact_revision")? {
        0 => {}
        compacted => return Err(EtcdError::Compacted(compacted)),
    }
    if result.get("canceled").and_then(Value::as_bool) == Some(true) {
        return Err(EtcdError::Lost("a watch: etcd cancelled it".to_owned()));
    }
    let revision = etcd_number(result.get("header").unwrap_or(&Value::Null), "revision")?;
    let events = result.get("events").and_then(Value::as_array);
    let put = events.into_iter().flatten().filter(|event| event.get("type").is_none_or(|sort| sort == "PUT"));
    let put = put.map(|event| EtcdPair::read(event.get("kv").unwrap_or(&Value::Null))).collect::<Result<_, _>>()?;
    Ok(EtcdEvent { revision, put })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_say_what_was_put_or_why_it_is_over() {
        let line = br#"{"result":{"header":{"revision":"9"},"events":[{"type":"DELETE","kv":{"key":"YQ==","mod_revision":"8"}},{"kv":{"key":"Yg==","value":"Yw==","create_revision":"9","mod_revision":"9","version":"1"}}]}}"#;
        let event = read(line).unwrap();
        assert_eq!((event.revision, event.put.len()), (9, 1));
        assert_eq!(
            (&event.put[0].key[..], &event.put[0].value[..], event.put[0].create_revision),
            (&b"b"[..], &b"c"[..], 9)
        );
        assert!(read(br#"{"result":{"header":{"revision":"3"},"created":true}}"#).unwrap().put.is_empty());
        let compacted = read(br#"{"result":{"header":{},"canceled":true,"compact_revision":"7"}}"#);
        assert!(matches!(compacted, Err(EtcdError::Compacted(7))), "{compacted:?}");
        for over in [&br#"{"result":{"header":{},"canceled":true}}"#[..], br#"{"error":{"message":"no leader"}}"#] {
            assert!(matches!(read(over), Err(EtcdError::Lost(_))));
        }
        for wrong in [&b"{"[..], br#"{"result":{"events":[{}]}}"#, br#"{"result":{"compact_revision":"x"}}"#] {
            assert!(matches!(read(wrong), Err(EtcdError::Wrong(_))));
        }
    }
}

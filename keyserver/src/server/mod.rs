//! A replica's interface over HTTP/1.1.
//!
//! | | body | answer |
//! | --- | --- | --- |
//! | `POST /v1/lookup` | lookup request | lookup answer |
//! | `POST /v1/update` | update | the epoch, as digits, when it is ratified |
//! | `POST /v1/ratify` | log entry with a head's signature | nothing |
//! | `POST /v1/policy` | policy change | nothing |
//! | `GET /v1/stream?epoch=&change=` | – | page of the verifiers' stream; waits for up to 20 s if there is nothing new |
//! | `GET /v1/history?name=&from=` | – | page of the name's history |
//! | `GET /status` | – | JSON |
//! | `GET /lb` | – | 200 if the replica is in rotation, else 503 |
//!
//! Bodies are framed messages and bounded; so are the time a request takes and the number of requests at once. Errors are text, with a status by their
//! kind. Nothing is encrypted: other addresses than loopback are refused unless that is said to be wanted.

mod http;

pub use http::{Server, ServerOptions};

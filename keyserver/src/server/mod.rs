//! A replica's interface over HTTP, and on the same port by gRPC, with the feature `grpc`: see [`grpc`](crate::grpc).
//!
//! | | body | answer |
//! | --- | --- | --- |
//! | `POST /v1/lookup` | lookup request | lookup answer |
//! | `POST /v1/update` | update | the epoch, as digits, when it is ratified |
//! | `POST /v1/register` | registration | as of an update |
//! | `POST /v1/register/certificate` | registration by a certificate | as of an update |
//! | `POST /v1/issuers` | change of issuers | the newest epoch, as digits, when it is done |
//! | `GET /v1/issuers` | – | list of issuers |
//! | `POST /v1/authorities` | change of authorities | as of issuers |
//! | `GET /v1/authorities` | – | list of authorities |
//! | `POST /v1/ratify` | log entry with a head's signature | nothing |
//! | `POST /v1/policy` | policy change | nothing |
//! | `GET /v1/stream?epoch=&change=` | – | page of the verifiers' stream; waits for up to 20 s if there is nothing new |
//! | `GET /v1/history?name=&from=` | – | page of the name's history |
//! | `GET /status` | – | JSON |
//! | `GET /lb` | – | 200 if the replica is in rotation, else 503 |
//! | `GET /metrics` | – | Prometheus' text |
//! | `GET /pks/lookup?op=get&search=` | – | an OpenPGP key in ASCII armor, of a name or an address |
//!
//! Bodies are framed messages and bounded; so are the number of connections, the time that a client and a request take, the number of requests at once, and those of one
//! address in a second. Errors are text, with a status by their kind. Without TLS, other addresses than loopback are refused unless they are said to be wanted. With TLS and an authority for clients, the stream,
//! ratifications and what operators do need a client certificate.

mod entrance;
mod failed;
#[cfg(feature = "grpc")]
mod grpc;
mod hkp;
mod http;
mod metrics;
mod options;
mod rate_limit;
mod registering;

pub use http::Server;
pub use options::ServerOptions;

//! An HTTP proxy that breaks traffic on request.
//!
//! It stands before one server and passes requests on as they are, `Host` included, so that signatures stay valid: a client
//! signs for the proxy's address, and the server checks against the `Host` it is sent. Bodies stream through in both
//! directions. Each client connection has one upstream connection of its own, so the proxy adds no pooling, no retries and no
//! timing of its own to what is tested.
//!
//! Every request is given a [`Plan`](plan::Plan) before anything is sent: the rules are asked in their order, and each that matches draws
//! from a generator seeded by (seed, request number, rule number), so the same requests in the same order meet the same fate.
//!
//! | file | what |
//! | --- | --- |
//! | `rule.rs` | [`Rule`], [`Match`], [`Fault`]: what to break, when, how often; as a builder and as JSON |
//! | `plan.rs` | what becomes of one request |
//! | `body.rs` | a body on its way through: corrupted, cut, stopped, slowed |
//! | `pacer.rs` | bandwidth |
//! | `forward.rs` | one request through the proxy |
//! | `upstream.rs` | the connection to the server |
//! | `downstream.rs` | the client's connection, which can be reset |
//! | `ledger.rs` | what was asked and what was done about it |
//! | `server.rs` | [`FaultProxy`]: accepts connections, starts, stops |

mod body;
mod downstream;
mod forward;
mod ledger;
mod pacer;
mod plan;
mod rule;
mod server;
mod upstream;

pub use ledger::{Record, Requests};
pub use rule::{Fault, Match, Point, Rule, Rules};
pub use server::{FaultProxy, FaultProxyBuilder};

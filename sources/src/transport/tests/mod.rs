//! The transport as a whole: over a scripted server under a stopped clock, and once over real loopback HTTP.

mod bounds;
mod course;
mod loopback;
mod reads;
mod server;
mod uploads;
mod verdicts;

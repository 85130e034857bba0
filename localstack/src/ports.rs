//! Loopback ports that are free when asked.
//!
//! Servers cannot be handed a listening socket, so a port is found, released and named to the server. Numbers come from below
//! the range that the kernel gives to outgoing connections, so that no client takes one in between; two launchers that draw
//! the same number at the same moment are told apart by the second server failing to bind, which is retried.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Mutex;

use plastron_sources::clock::{Entropy as _, SystemEntropy};

use crate::error::{Error, Result};

/// Below 32768, where Linux starts to give ports to outgoing connections (`net.ipv4.ip_local_port_range`).
const FIRST: u16 = 20_000;
const COUNT: u16 = 12_000;

static HANDED_OUT: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());

/// A port nobody listens on and that this process has not handed out before.
pub(crate) fn free_port() -> Result<u16> {
    let start = SystemEntropy::default().next_u64();
    let mut handed_out = HANDED_OUT.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    for step in 0..u64::from(COUNT) {
        let offset = u16::try_from(start.wrapping_add(step) % u64::from(COUNT)).unwrap_or_default();
        let port = FIRST + offset;
        if !handed_out.contains(&port) && TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            handed_out.insert(port);
            return Ok(port);
        }
    }
    Err(Error::unavailable(format!("no free port between {FIRST} and {}", FIRST + COUNT)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_differ_and_are_free() {
        let ports: BTreeSet<u16> = (0..50).map(|_| free_port().unwrap()).collect();
        assert_eq!(ports.len(), 50);
        for port in ports {
            TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
        }
    }
}

//! Loopback ports that are free when asked.
//!
//! Servers cannot be handed a listening socket, so a port is found, released and named to the server. Numbers come from below
//! the range that the kernel gives to outgoing connections, so that no client takes one in between; two launchers that draw
//! the same number at the same moment are told apart by the second server failing to bind, which is retried.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Mutex, PoisonError};

use plastron_sources::clock::{Entropy as _, SystemEntropy};

use crate::error::{Error, Result};

/// Below 32768, where Linux starts to give ports to outgoing connections (`net.ipv4.ip_local_port_range`).
const FIRST: u16 = 20_000;
const COUNT: u16 = 12_000;

static HANDED_OUT: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());

/// A port nobody listens on and that this process has not handed out before.
pub(crate) fn free_port() -> Result<u16> {
    free_ports(1)
}

/// The first of `count` such ports in a row.
pub(crate) fn free_ports(count: u16) -> Result<u16> {
    let start = SystemEntropy::default().next_u64();
    let mut handed_out = HANDED_OUT.lock().unwrap_or_else(PoisonError::into_inner);
    let span = u64::from(COUNT.saturating_sub(count).max(1));
    for step in 0..span {
        let offset = u16::try_from(start.wrapping_add(step) % span).unwrap_or_default();
        let ports = FIRST + offset..FIRST + offset + count;
        let free = |port| !handed_out.contains(&port) && TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
        if ports.clone().all(free) {
            handed_out.extend(ports.clone());
            return Ok(ports.start);
        }
    }
    Err(Error::unavailable(format!("no {count} free ports in a row between {FIRST} and {}", FIRST + COUNT)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_differ_and_are_free() {
        let ports: BTreeSet<u16> = (0..50).map(|_| free_port().unwrap()).collect();
        assert_eq!(ports.len(), 50);
        let pair = free_ports(2).unwrap();
        assert!(!ports.contains(&pair) && !ports.contains(&(pair + 1)));
        for port in ports.into_iter().chain([pair, pair + 1]) {
            TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
        }
    }
}

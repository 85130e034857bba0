//! The names that the module looks up.

use crate::{Error, Result};

/// The most bytes of a cluster's or node's id.
pub const MAX_ID_BYTES: usize = 64;

/// Checks an id: 1 to [`MAX_ID_BYTES`] letters, digits, `-`, `_` or `.`, so that no id reaches into another part of a name.
///
/// # Errors
/// `Invalid`.
pub fn check_id(what: &'static str, id: &str) -> Result<()> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if id.is_empty() || id.len() > MAX_ID_BYTES || !id.bytes().all(fits) {
        let why = format!("it is 1 to {MAX_ID_BYTES} letters, digits, '-', '_' or '.'");
        return Err(Error::Invalid { what, why });
    }
    Ok(())
}

/// The name of a node.
pub fn node_name(cluster: &str, id: &str) -> String {
    format!("node/{cluster}/{id}")
}

/// The name that has the list of a cluster's readers.
pub fn readers_name(cluster: &str) -> String {
    format!("cluster/{cluster}/readers")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_stays_in_its_place() {
        for id in ["a", "db-1.example_x", &"x".repeat(64)] {
            check_id("node", id).unwrap();
        }
        for id in ["", "a/b", "a b", "é", "a\n", &"x".repeat(65)] {
            assert!(check_id("node", id).is_err(), "{id:?}");
        }
    }
}

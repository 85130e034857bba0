//! What attackers do, over HTTP/2: the same tests, whose client shares connections. (What they send byte for byte stays HTTP/1.1.)

#[path = "attacks.rs"]
mod attacks;

//! The transport as a whole, over a scripted server.

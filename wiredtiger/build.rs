//! How the shared library is linked.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // WiredTiger closes the library when a connection ends, while threads of ours may still be on their way out: it stays loaded.
    println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
    // Libraries beneath mark functions for C; a program that loads an extension must not see them. Only our entry point is left.
    println!("cargo::rustc-cdylib-link-arg=-Wl,--exclude-libs,ALL");
}

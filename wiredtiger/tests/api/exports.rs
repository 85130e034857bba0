//! What the shared library shows to the program that loads it.

use std::process::Command;

#[test]
fn the_library_exports_its_entry_point_and_nothing_else() {
    let library = std::env::current_exe().unwrap().parent().unwrap().join("libplastron_wiredtiger.so");
    let output = Command::new("nm").args(["-D", "--defined-only", "--format=posix"]).arg(library).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let names: Vec<&str> = text.lines().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(names, ["wiredtiger_extension_init"]);
}

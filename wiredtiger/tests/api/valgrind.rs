//! All the other tests of this program once more, under valgrind.

use std::path::Path;
use std::process::Command;

/// Set in the run under valgrind, which must not start another one.
const INSIDE: &str = "PLASTRON_TEST_UNDER_VALGRIND";

/// Wrong reads and writes, uninitialised memory, double frees and lost memory: none of them anywhere in the other tests.
#[test]
fn valgrind_reports_nothing() {
    if std::env::var_os(INSIDE).is_some() {
        return;
    }
    let setup = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/setup");
    assert!(Command::new(setup).arg("valgrind").status().unwrap().success(), "no valgrind, see above");
    let output = Command::new("valgrind")
        .args(["--quiet", "--error-exitcode=99", "--num-callers=30"])
        .args(["--leak-check=full", "--show-leak-kinds=definite", "--errors-for-leak-kinds=definite"])
        .arg(std::env::current_exe().unwrap())
        .args(["--test-threads=1", "tables::"])
        .env(INSIDE, "1")
        .output()
        .unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}\n{text}", output.status);
    assert!(text.contains("test result: ok"), "{text}");
    assert!(!text.contains("=="), "{text}");
}

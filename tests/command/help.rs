//! What the command says about itself.

use crate::run::Place;

#[test]
fn help_has_examples_and_exit_codes() {
    let place = Place::with_store(None);
    let help = place.ok(&["--help"]);
    assert!(help.text().contains("Examples:") && help.text().contains("Exit codes:"), "{help:?}");
    for command in ["put", "get", "cat", "ls", "stat", "rm", "probe", "demo", "completions"] {
        assert!(help.text().contains(&format!("\n  {command} ")), "{command}");
        assert!(place.ok(&[command, "--help"]).text().contains("Examples:"), "{command}");
    }
    assert!(place.ok(&["bench", "fs", "--help"]).text().contains("Examples:"));
    assert!(place.ok(&["--version"]).text().starts_with("plastron "));
}

#[test]
fn help_never_shows_the_store() {
    let place = Place::with_store(Some("source=s3,bucket=b,auth_token=\"AK;hunter2\""));
    assert!(!place.ok(&["ls", "--help"]).text().contains("hunter2"));
    assert!(!place.ok(&["--help"]).text().contains("hunter2"));
}

#[test]
fn completions_are_scripts() {
    let place = Place::with_store(None);
    for (shell, word) in [("bash", "complete -F"), ("zsh", "#compdef plastron"), ("fish", "complete -c plastron")] {
        let script = place.ok(&["completions", shell]);
        assert!(script.text().contains(word) && script.text().contains("skip-existing"), "{shell}");
    }
    assert_eq!(place.run(&["completions", "tcl"]).code, 2);
}

//! The grammar and the settings.

use std::path::Path;
use std::time::Duration;

use super::*;
use crate::ErrorKind;

/// The sample of ProxyFS's `ickptpkg`, byte for byte.
const SAMPLE: &str = include_str!("../../tests/fixtures/ickpt.conf");

fn settings(text: &str) -> crate::Result<Settings> {
    Settings::from_conf(&ConfFile::parse(text)?)
}

fn message(text: &str) -> String {
    let error = settings(text).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    error.to_string()
}

#[test]
fn the_sample_is_read_as_it_stands() {
    let found = settings(SAMPLE).unwrap();
    assert_eq!((found.ip_addr.as_str(), found.port), ("ickpt", 33123));
    assert_eq!((found.tls, found.data_base_path.as_path()), (None, Path::new("/tmp/ickptDB")));
    assert_eq!((found.swift_timeout, found.swift_connection_pool_size), (Duration::from_secs(600), 128));
    assert_eq!(found.transaction_timeout, Duration::from_secs(10));
    assert!(found.allowed_storage_origins.is_empty(), "without the list every origin is refused");
    assert_eq!((found.max_body_bytes, found.metrics_port), (65_536, None));
}

#[test]
fn the_grammar() {
    let conf = ConfFile::parse(
        "# nothing\n[A]\r\nk: v1, v2\tv3 v4,,v5 ; no more\nempty =\nk2=http://s:1/x:y\n\n; [B]\n[A.b/c-d]\nK = 1\n [A] \nk2 : last\n",
    )
    .unwrap();
    assert_eq!(conf.values("A", "k").unwrap(), ["v1", "v2", "v3", "v4", "v5"]);
    assert_eq!(conf.values("A", "empty").unwrap(), [""; 0]);
    assert_eq!(conf.values("A", "k2").unwrap(), ["last"], "the last one counts");
    assert_eq!(conf.values("A.b/c-d", "K").unwrap(), ["1"]);
    assert_eq!((conf.values("a", "k"), conf.values("A", "K"), conf.values("B", "k")), (None, None, None));
}

#[test]
fn what_is_not_in_it_is_refused_by_line() {
    for (text, expected) in [
        ("k: v", "line 1: 'k' stands before any [Section]"),
        ("[A]\nkey", "line 2: this is no section"),
        ("[A\n", "does not end with ']'"),
        ("[A B]", "'A B' is no name of a section"),
        ("[]", "'' is no name of a section"),
        ("[A]\nk k: v", "'k k' is no name of a setting"),
        ("[A]\n: v", "'' is no name of a setting"),
        ("[A]\nk: \u{1}v", "a control character"),
        ("[A]\n.include", "after .include comes"),
        ("[A]\n.includes x", "after .include comes"),
        (".include x", "a text can't include"),
    ] {
        let error = ConfFile::parse(text).unwrap_err();
        assert!(error.to_string().contains(expected), "{text:?}: {error}");
    }
}

#[test]
fn files_include_files_and_not_themselves() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    std::fs::create_dir(folder.path().join("sub")).unwrap();
    write("main.conf", "[A]\nx: 1\ny: 1\n.include sub/more.conf\ny: 3\n");
    write("sub/more.conf", "[A]\nx: 2\n[B]\n.include last.conf\nz: 2\n");
    write("sub/last.conf", "[B]\nz: 1\nw: 1\n");
    let conf = ConfFile::read(&folder.path().join("main.conf")).unwrap();
    assert_eq!(
        (conf.values("A", "x").unwrap(), conf.values("A", "y").unwrap()),
        (&["2".to_owned()][..], &["3".to_owned()][..])
    );
    assert_eq!(
        (conf.values("B", "z").unwrap(), conf.values("B", "w").unwrap()),
        (&["2".to_owned()][..], &["1".to_owned()][..])
    );
    write("loop.conf", ".include loop.conf\n.include loop.conf\n");
    let error = ConfFile::read(&folder.path().join("loop.conf")).unwrap_err();
    assert!(error.to_string().contains("does one include itself"), "{error}");
    let error = ConfFile::read(&folder.path().join("none.conf")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    std::fs::write(folder.path().join("binary.conf"), [0xff, 0xfe]).unwrap();
    assert_eq!(ConfFile::read(&folder.path().join("binary.conf")).unwrap_err().kind(), ErrorKind::Invalid);
    write("large.conf", &"#".repeat((1 << 20) + 1));
    assert_eq!(ConfFile::read(&folder.path().join("large.conf")).unwrap_err().kind(), ErrorKind::Invalid);
}

#[test]
fn overrides_win() {
    let mut conf = ConfFile::parse(SAMPLE).unwrap();
    conf.set("ICKPT.IPAddr=127.0.0.1").unwrap();
    conf.set("ICKPT.AllowedStorageOrigins=http://s:8080,https://t").unwrap();
    conf.set("ICKPT.Port: 0").unwrap();
    let found = Settings::from_conf(&conf).unwrap();
    assert_eq!((found.ip_addr.as_str(), found.port), ("127.0.0.1", 0));
    assert!(!found.allowed_storage_origins.is_empty());
    for text in ["", "IPAddr=1", "ICKPT.IPAddr", ".Port=1", "ICKPT.=1", "ICKPT.Port=1\n"] {
        assert!(conf.set(text).is_err(), "{text}");
    }
}

#[test]
fn settings_are_checked() {
    let base = "[ICKPT]\nIPAddr: a\nPort: 1\nDataBasePath: /x\n";
    assert!(settings(base).is_ok());
    for (text, expected) in [
        ("[X]\na: 1", "no section [ICKPT]"),
        ("[ICKPT]\nPort: 1\nDataBasePath: /x", "IPAddr is not set"),
        ("[ICKPT]\nIPAddr: a\nDataBasePath: /x", "Port is not set"),
        ("[ICKPT]\nIPAddr: a\nPort: 1", "DataBasePath is not set"),
    ] {
        assert!(message(text).contains(expected), "{text}");
    }
    for (line, expected) in [
        ("Port: 65536", "from 0 to 65535"),
        ("Port: -1", "from 0 to 65535"),
        ("Port: +1", "from 0 to 65535"),
        ("IPAddr: a b", "IPAddr has 2 values"),
        ("Prot: 1", "has no setting 'Prot'"),
        ("port: 1", "has no setting 'port'"),
        ("CertFilePath: /c", "all be set, or none"),
        ("CertFilePath: /c\nKeyFilePath: /k", "all be set, or none"),
        ("ClientCACertFilePath: /c", "ClientCACertFilePath needs"),
        ("SwiftTimeout: 10", "not a duration"),
        ("SwiftTimeout: 0", "SwiftTimeout is zero"),
        ("TransactionTimeout: -1s", "negative"),
        ("SwiftConnectionPoolSize: 0", "from 1"),
        ("MaxBodyBytes: 65537", "from 1 to 65536"),
        ("AllowedStorageOrigins: s", "http:// or https://"),
        ("SwiftRetryExpBackoff: 0.5", "1 to 100"),
        ("SwiftRetryExpBackoff: NaN", "1 to 100"),
        ("MetricsPort: x", "from 0 to 65535"),
    ] {
        let found = message(&format!("{base}{line}\n"));
        assert!(found.contains(expected), "{line}: {found}");
    }
}

#[test]
fn keys_of_older_files_are_known() {
    let found = settings("[ICKPT]\nIPAddr=a\nPort=1\nDataBasePath=/x\nSwiftRetryDelay=1s\nSwiftRetryExpBackoff=1.4\nSwiftRetryLimit=11\nCertFilePath=/c\nKeyFilePath=/k\nCACertFilePath=/a\nClientCACertFilePath=/z\nMetricsPort=0\n").unwrap();
    assert_eq!(
        (found.swift_retry_delay, found.swift_retry_exp_backoff_percent, found.swift_retry_limit),
        (Duration::from_secs(1), 140, 11)
    );
    let tls = found.tls.unwrap();
    assert_eq!((tls.authority.as_path(), tls.client_authority.as_deref()), (Path::new("/a"), Some(Path::new("/z"))));
    assert_eq!(found.metrics_port, Some(0));
}

//! The command: the five lines of the documentation, and what follows them.
#![cfg(feature = "command")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a test")]

#[path = "support/process.rs"]
mod process;

use process::{free_address, run, start, text, until_done};

/// Puts `scheme` before the replica's address.
fn ask_by(directory: &std::path::Path, scheme: &str) {
    let address = std::fs::read_to_string(directory.join("address")).unwrap();
    std::fs::write(directory.join("address"), format!("{scheme}{address}")).unwrap();
}

#[test]
fn from_nothing_to_a_verified_lookup() {
    to_a_verified_lookup("");
}

#[test]
fn from_nothing_to_a_verified_lookup_by_grpc() {
    to_a_verified_lookup("grpc://");
}

/// All of it, with `scheme` before the replica's address.
fn to_a_verified_lookup(scheme: &str) {
    let place = tempfile::tempdir().unwrap();
    let directory = &place.path().join("realm");
    let made = run(directory, &format!("init --address {}", free_address()));
    assert!(made.status.success() && text(&made).contains("next: plastron-keyserver serve"), "{}", text(&made));
    ask_by(directory, scheme);
    let again = run(directory, "init");
    assert!(!again.status.success() && text(&again).contains("nothing is overwritten"), "{}", text(&again));
    let nobody = run(directory, "status");
    assert!(!nobody.status.success() && text(&nobody).contains("plastron-keyserver: status at 127.0.0.1"));
    let replica = start(directory, "serve --min-epoch-ms 50");
    let verifier = start(directory, "verify");
    // At once, as the five lines are pasted: the replica is not up yet.
    let registered = until_done(directory, "register node/a/1 --key hpke=00ff --key ssh=11");
    assert!(registered.starts_with("node/a/1 has version 0 with epoch "), "{registered}");
    let found = until_done(directory, "lookup node/a/1 --json");
    let found: serde_json::Value = serde_json::from_str(&found).unwrap();
    assert_eq!((&found["found"]["version"], &found["found"]["keys"]["hpke"]), (&0.into(), &"00ff".into()), "{found}");
    let twice = run(directory, "register node/a/1 --key hpke=00ff");
    assert!(!twice.status.success() && text(&twice).contains("use update"), "{}", text(&twice));
    let updated = run(directory, "update node/a/1 --key hpke=11ee");
    assert!(updated.status.success(), "{}", text(&updated));
    assert!(until_done(directory, "lookup node/a/1").contains("version 1"));
    let history = text(&run(directory, "history node/a/1 --quorum replicas"));
    assert!(history.contains("2 entries") && !history.contains("NOT SIGNED"), "{history}");
    assert!(text(&run(directory, "lookup node/a/2")).contains("is not registered, which epoch"));
    for (arguments, why) in [
        ("register node/b --key hpke=xx", "is not APPLICATION=HEX"),
        ("update node/b --key hpke=00", "use register"),
        ("lookup node/a/1 --epoch 999999 --wait-s 0", "is not among"),
        ("audit realm", "is not there"),
    ] {
        let output = run(directory, arguments);
        assert!(!output.status.success() && text(&output).contains(why), "{arguments}: {}", text(&output));
    }
    // Killed, and all of it is there again; the client would see if it were not.
    drop((replica, verifier));
    let _replica = start(directory, "serve --min-epoch-ms 50");
    let _verifier = start(directory, "verify");
    let again = until_done(directory, "lookup node/a/1 --quorum replicas");
    assert!(again.contains("version 1") && again.contains("hpke=11ee"), "{again}");
    let another = run(directory, "register node/a/3 --key hpke=22");
    assert!(another.status.success(), "{}", text(&another));
    assert!(until_done(directory, "lookup node/a/3").contains("hpke=22"));
    let status: serde_json::Value = serde_json::from_str(&text(&run(directory, "status --json"))).unwrap();
    assert_eq!(status["failure"], serde_json::Value::Null);
    // No secret key is readable by others, or damaged without being noticed.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let keys = ["operator.key", "replica/signing.key", "replica/index.key", "verifier/signing.key"];
        for file in keys.into_iter().map(str::to_owned).chain(["owners/node%2Fa%2F1.key".to_owned()]) {
            let mode = std::fs::metadata(directory.join(&file)).unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0, "{file}");
        }
    }
    let path = directory.join("operator.key");
    let mut key = std::fs::read(&path).unwrap();
    key[40] = if key[40] == b'0' { b'1' } else { b'0' };
    std::fs::write(&path, &key).unwrap();
    let damaged = text(&run(directory, "register node/a/4 --key hpke=22"));
    assert!(damaged.contains("operator.key is no signing-key, or is damaged"), "{damaged}");
}

#[test]
fn issuers_are_named_by_operators_and_tokens_are_asked_for() {
    issuers("");
}

#[test]
fn issuers_are_named_by_operators_and_tokens_are_asked_for_by_grpc() {
    issuers("grpc://");
}

fn issuers(scheme: &str) {
    let place = tempfile::tempdir().unwrap();
    let directory = &place.path().join("realm");
    let made = run(directory, &format!("init --identity-tokens --address {}", free_address()));
    assert!(made.status.success(), "{}", text(&made));
    ask_by(directory, scheme);
    let _replica = start(directory, "serve --min-epoch-ms 50");
    until_done(directory, "lookup person/a@example.com --quorum replicas");
    let jwks = place.path().join("jwks");
    std::fs::write(
        &jwks,
        r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"a","x":"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE"}]}"#,
    )
    .unwrap();
    let name = |jwks: &str| run(directory, &format!("issuer https://accounts.example --audience plastron{jwks}"));
    let named = name(&format!(" --jwks {}", jwks.display()));
    assert!(
        named.status.success() && text(&named).contains("1 issuers are believed, by generation 1"),
        "{}",
        text(&named)
    );
    // A file that is too large is not cut off.
    let large = place.path().join("large");
    std::fs::File::create(&large).unwrap().set_len((8 << 20) + 1).unwrap();
    let large = text(&name(&format!(" --jwks {}", large.display())));
    assert!(large.contains("has more than 8388608 bytes"), "{large}");
    let refused = run(directory, "register person/a@example.com --key pgp=00 --token-command id");
    assert!(
        text(&refused).contains("the identity token is not accepted: it is no JSON Web Token"),
        "{}",
        text(&refused)
    );
    let failed = run(directory, "register person/b@example.com --key pgp=00 --token-command false");
    assert!(text(&failed).contains("token command: it ended with"), "{}", text(&failed));
    let none = name("");
    assert!(
        none.status.success() && text(&none).contains("0 issuers are believed, by generation 2"),
        "{}",
        text(&none)
    );
    // Operators admit names as ever.
    let admitted = run(directory, "register node/a/1 --key hpke=00");
    assert!(admitted.status.success(), "{}", text(&admitted));
}

#[test]
fn names_are_registered_by_client_certificates() {
    by_certificates("");
}

#[test]
fn names_are_registered_by_client_certificates_by_grpc() {
    by_certificates("grpc://");
}

fn by_certificates(scheme: &str) {
    use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
    let place = tempfile::tempdir().unwrap();
    let directory = &place.path().join("realm");
    let path = |name: &str| place.path().join(name).display().to_string();
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new([]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    std::fs::write(path("ca.pem"), params.self_signed(&key).unwrap().pem()).unwrap();
    let ca = Issuer::new(params, key);
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(["a.example.com".to_owned()]).unwrap();
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    std::fs::write(path("a.pem"), params.signed_by(&key, &ca).unwrap().pem()).unwrap();
    std::fs::write(path("a.key"), key.serialize_pem()).unwrap();

    let made = run(directory, &format!("init --client-certificates --address {}", free_address()));
    assert!(made.status.success(), "{}", text(&made));
    ask_by(directory, scheme);
    let _replica = start(directory, "serve --min-epoch-ms 50");
    until_done(directory, "lookup host/a.example.com --quorum replicas");
    let certified = |name: &str| {
        run(
            directory,
            &format!(
                "register {name} --key ssh=00 --certificate {} --certificate-key {}",
                path("a.pem"),
                path("a.key")
            ),
        )
    };
    let early = text(&certified("host/a.example.com"));
    assert!(early.contains("none of the authorities that are known here"), "{early}");
    let named = run(directory, &format!("authority site --certificate {}", path("ca.pem")));
    assert!(text(&named).contains("certificates of 1 authorities are taken, by generation 1"), "{}", text(&named));
    let other = text(&certified("host/b.example.com"));
    assert!(other.contains("none of its DNS names or URIs"), "{other}");
    let registered = certified("host/a.example.com");
    assert!(registered.status.success() && text(&registered).contains("has version 0"), "{}", text(&registered));
    assert!(until_done(directory, "lookup host/a.example.com --quorum replicas").contains("ssh=00"));
    // Its owner's key, which was made, changes it; the certificate is not asked for any more.
    assert!(run(directory, "update host/a.example.com --key ssh=01").status.success());
    let none = run(directory, "authority site");
    assert!(text(&none).contains("certificates of 0 authorities are taken, by generation 2"), "{}", text(&none));
    let alone = text(&run(directory, &format!("register host/c --key ssh=00 --certificate {}", path("a.pem"))));
    assert!(alone.contains("--certificate-key"), "{alone}");
}

#[test]
fn nodes_are_registered_listed_and_revoked() {
    use plastron_keyserver::key_module::{Kem, NodeKey, NodePublic};

    let place = tempfile::tempdir().unwrap();
    let directory = &place.path().join("realm");
    let path = |name: &str| place.path().join(name).display().to_string();
    assert!(run(directory, &format!("init --address {}", free_address())).status.success());
    let _replica = start(directory, "serve --min-epoch-ms 50");
    let _verifier = start(directory, "verify");
    for (node, kem) in [("a", Kem::X25519), ("b", Kem::XWing)] {
        let made = run(directory, &format!("node-key {} --kem {}", path(node), kem.name()));
        assert!(made.status.success(), "{}", text(&made));
        let public: NodePublic = String::from_utf8(made.stdout.clone()).unwrap().parse().unwrap();
        let key = NodeKey::read(place.path().join(node).as_path()).unwrap();
        assert_eq!((key.public(), public.kem), (&public, kem));
        // The file's secrets are nowhere in what is said.
        let line = std::fs::read_to_string(path(node)).unwrap();
        let secrets: Vec<&str> = line.split(' ').skip(4).take(2).collect();
        assert!(secrets.iter().all(|secret| secret.len() == 64 && !text(&made).contains(secret)));
        std::fs::write(path(&format!("{node}.pub")), made.stdout).unwrap();
        let registered = run(
            directory,
            &format!("register-node db {node} --public {} --json --wait-s 600", path(&format!("{node}.pub"))),
        );
        let registered: serde_json::Value = serde_json::from_str(&text(&registered)).unwrap();
        assert_eq!((&registered["version"], &registered["name"]), (&0.into(), &format!("node/db/{node}").into()));
        assert_eq!(registered["key"], public.key_hash().to_string());
    }
    let again = run(directory, &format!("node-key {}", path("a")));
    assert!(!again.status.success() && text(&again).contains("nothing is overwritten"), "{}", text(&again));
    let listed = text(&run(directory, "readers db --add a --add b --wait-s 600"));
    assert!(listed.contains("cluster/db/readers has version 0") && listed.contains("readers: a, b"), "{listed}");
    let revoked = run(directory, "revoke db b --json --wait-s 600");
    let revoked: serde_json::Value = serde_json::from_str(&text(&revoked)).unwrap();
    assert_eq!((&revoked["version"], &revoked["readers"]), (&1.into(), &serde_json::json!(["a"])));
    assert_eq!(revoked["ratified"], true, "{revoked}");
    let shown: serde_json::Value =
        serde_json::from_str(&text(&run(directory, "readers db --json --wait-s 600"))).unwrap();
    assert_eq!((&shown["version"], &shown["readers"]), (&1.into(), &serde_json::json!(["a"])), "{shown}");
    for (arguments, why) in [
        ("revoke db b".to_owned(), "'b' is not on the list"),
        ("readers db --add a/b".to_owned(), "letters, digits"),
        (format!("register-node db c --public {}", path("missing")), "is not there"),
        (format!("register-node db c --public {}", directory.join("realm").display()), "they are one line"),
        (
            format!("readers db --add c --operator {}", directory.join("replica/signing.key").display()),
            "signatures do not meet",
        ),
    ] {
        let output = run(directory, &arguments);
        assert!(!output.status.success() && text(&output).contains(why), "{arguments}: {}", text(&output));
    }
}

//! Connection strings, good and bad, with the exact messages.

use super::{ConnectionString, Key};
use crate::error::Fault;
use crate::secret::Secret;

/// Nothing that is wrong may show this.
const PLANTED: &str = "hunter2";

fn parse(text: &str) -> Result<ConnectionString, Fault> {
    let parsed = ConnectionString::parse("auth_token", text);
    assert!(!format!("{parsed:?}").contains(PLANTED), "{parsed:?}");
    parsed
}

#[test]
fn good_ones() {
    let (key, sas) = (|text: &str| Key::Account(Secret::new(text)), |text: &str| Key::Sas(Secret::new(text)));
    let public = "https://acc1.blob.core.windows.net";
    let emulator = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
    for (text, account, expected, endpoint) in [
        (
            "DefaultEndpointsProtocol=https;AccountName=acc1;AccountKey=aHVudGVyMg==;EndpointSuffix=core.windows.net",
            Some("acc1"),
            key("aHVudGVyMg=="),
            public,
        ),
        ("AccountName=acc1;AccountKey=aHVudGVyMg==", Some("acc1"), key("aHVudGVyMg=="), public),
        ("accountname=acc1;ACCOUNTKEY=aHVudGVyMg==", Some("acc1"), key("aHVudGVyMg=="), public),
        (" AccountName = acc1 ; AccountKey = aHVudGVyMg== ; ", Some("acc1"), key("aHVudGVyMg=="), public),
        (";;AccountName=acc1;;AccountKey=aHVudGVyMg==;;", Some("acc1"), key("aHVudGVyMg=="), public),
        (
            "AccountName=acc1;AccountKey=aHVudGVyMg==;EndpointSuffix=core.chinacloudapi.cn",
            Some("acc1"),
            key("aHVudGVyMg=="),
            "https://acc1.blob.core.chinacloudapi.cn",
        ),
        (
            "AccountName=acc1;AccountKey=aHVudGVyMg==;DefaultEndpointsProtocol=HTTP;EndpointSuffix=localhost:1234",
            Some("acc1"),
            key("aHVudGVyMg=="),
            "http://acc1.blob.localhost:1234",
        ),
        (
            "AccountName=acc1;AccountKey=aHVudGVyMg==;BlobEndpoint=http://127.0.0.1:10000/acc1/",
            Some("acc1"),
            key("aHVudGVyMg=="),
            "http://127.0.0.1:10000/acc1",
        ),
        (
            "AccountName=acc1;AccountKey=aHVudGVyMg==;QueueEndpoint=hunter2;TableEndpoint=hunter2;FileEndpoint=x;BlobSecondaryEndpoint=x",
            Some("acc1"),
            key("aHVudGVyMg=="),
            public,
        ),
        (
            "BlobEndpoint=https://acc1.blob.core.windows.net/;SharedAccessSignature=sv=2023&sig=hunter2%2B%3D",
            None,
            sas("sv=2023&sig=hunter2%2B%3D"),
            public,
        ),
        (
            "AccountName=acc1;SharedAccessSignature=?sv=2023&sig=hunter2",
            Some("acc1"),
            sas("?sv=2023&sig=hunter2"),
            public,
        ),
        (
            "UseDevelopmentStorage=true",
            Some("devstoreaccount1"),
            key(emulator),
            "http://127.0.0.1:10000/devstoreaccount1",
        ),
        (
            "usedevelopmentstorage=TRUE;",
            Some("devstoreaccount1"),
            key(emulator),
            "http://127.0.0.1:10000/devstoreaccount1",
        ),
    ] {
        let found = parse(text).expect(text);
        assert_eq!(
            (found.account.as_deref(), &found.key, found.endpoint.as_str()),
            (account, &expected, endpoint),
            "{text}"
        );
    }
}

#[test]
fn bad_ones_name_the_key_and_never_the_value() {
    let shape = "write it like https://storage.example.com or http://127.0.0.1:9000";
    let known = "AccountName, AccountKey, SharedAccessSignature, BlobEndpoint, EndpointSuffix, DefaultEndpointsProtocol, UseDevelopmentStorage, DevelopmentStorageProxyUri";
    let bare = "this is a bare shared access signature; write it as BlobEndpoint=https://…;SharedAccessSignature=…";
    let part =
        |n: usize| format!("part {n} is not Key=Value; a connection string looks like AccountName=…;AccountKey=…");
    let neither = "neither AccountKey nor SharedAccessSignature is given; to use an identity, leave the connection string out and set endpoint=https://ACCOUNT.blob.core.windows.net";
    for (text, why) in [
        ("hunter2", part(1)),
        ("AccountName=acc1;hunter2", part(2)),
        // A key pasted alone: what stands before its padding is the key.
        ("Eby8vdM02hunter2/K7+x==", part(1)),
        ("hunter2==", part(1)),
        ("=hunter2", part(1)),
        ("?sv=2023&sig=hunter2", bare.to_owned()),
        ("sv=2023-01-01&se=2030&sig=hunter2", bare.to_owned()),
        ("sig=hunter2", bare.to_owned()),
        ("AcountName=hunter2", format!("the key AcountName is not known; known are {known}")),
        ("AccountName=acc1;AccountKey=aHVudGVyMg==;Hunter=hunter2", format!("the key Hunter is not known; known are {known}")),
        ("AccountName=acc1;AccountName=hunter2;AccountKey=eA==", "AccountName is given twice; keep one".to_owned()),
        ("AccountName=acc1;AccountKey=eA==;accountkey=hunter2", "AccountKey is given twice; keep one".to_owned()),
        ("AccountName=;AccountKey=eA==", "AccountName is empty".to_owned()),
        ("AccountName=acc1;AccountKey=", "AccountKey is empty".to_owned()),
        ("AccountName=acc1;AccountKey= ;", "AccountKey is empty".to_owned()),
        ("AccountName=acc1;SharedAccessSignature=", "SharedAccessSignature is empty".to_owned()),
        ("AccountName=acc1;AccountKey=eA==;BlobEndpoint=", "BlobEndpoint is empty".to_owned()),
        ("AccountName=acc1;AccountKey=hunter2", "AccountKey: the key is not base64; copy all of it, `==` included".to_owned()),
        ("AccountName=acc1;AccountKey=not base64 hunter2", "AccountKey: the key is not base64; copy all of it, `==` included".to_owned()),
        ("AccountName=acc.hunter2/x;AccountKey=eA==", "AccountName: not a storage account's name, which has letters and digits only".to_owned()),
        ("AccountKey=eA==", "AccountKey needs AccountName".to_owned()),
        ("AccountKey=eA==;BlobEndpoint=https://acc1.blob.core.windows.net", "AccountKey needs AccountName".to_owned()),
        ("AccountName=acc1", neither.to_owned()),
        ("", neither.to_owned()),
        (";", neither.to_owned()),
        ("BlobEndpoint=https://acc1.blob.core.windows.net", neither.to_owned()),
        ("AccountName=acc1;AccountKey=eA==;SharedAccessSignature=sig=hunter2", "AccountKey and SharedAccessSignature are both given; keep one".to_owned()),
        ("SharedAccessSignature=sv=1&sig=hunter2", "neither AccountName nor BlobEndpoint is given, so there is nowhere to connect to".to_owned()),
        ("AccountName=acc1;SharedAccessSignature=hunter2", "SharedAccessSignature: not a shared access signature: it has no sig=…".to_owned()),
        ("AccountName=acc1;SharedAccessSignature=sv=hunter2&sig=", "SharedAccessSignature: not a shared access signature: it has no sig=…".to_owned()),
        ("AccountName=acc1;AccountKey=eA==;BlobEndpoint=hunter2", format!("BlobEndpoint: not a URL (relative URL without a base); {shape}")),
        ("AccountName=acc1;AccountKey=eA==;BlobEndpoint=https://a.b/?sig=hunter2", "BlobEndpoint: it must end with the host, port or path: nothing after a ? or # is used".to_owned()),
        ("AccountName=acc1;AccountKey=eA==;DefaultEndpointsProtocol=hunter2", "DefaultEndpointsProtocol must be https or http".to_owned()),
        ("AccountName=acc1;AccountKey=eA==;EndpointSuffix=hunter2/x", "EndpointSuffix must be a host name such as core.windows.net".to_owned()),
        ("AccountName=acc1;AccountKey=eA==;EndpointSuffix=a:b:c", format!("EndpointSuffix: not a URL (invalid port number); {shape}")),
        ("UseDevelopmentStorage=false", "UseDevelopmentStorage can only be true; leave it out otherwise".to_owned()),
        ("UseDevelopmentStorage=hunter2", "UseDevelopmentStorage can only be true; leave it out otherwise".to_owned()),
        ("UseDevelopmentStorage=true;AccountKey=hunter2", "UseDevelopmentStorage stands alone: it is the local emulator with its own account and key".to_owned()),
        (
            "UseDevelopmentStorage=true;DevelopmentStorageProxyUri=http://hunter2",
            "DevelopmentStorageProxyUri is not supported; name the emulator's own address: BlobEndpoint=http://host:port/account with AccountName and AccountKey".to_owned(),
        ),
    ] {
        let fault = parse(text).expect_err(text);
        assert!(matches!(fault, Fault::Config(_)));
        let message = fault.to_string();
        let message = message.strip_prefix("auth_token: ").expect("the origin comes first");
        assert_eq!(message, why, "{text}");
        assert!(!message.contains(PLANTED), "{message}");
    }
}

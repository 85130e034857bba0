//! Stores from strings.

use plastron::{ErrorKind, Provider, Store, StoreOptions};

#[test]
fn the_schema_is_sound_and_whole() {
    let schema = Store::schema();
    schema.validate().unwrap();
    let paths: Vec<String> = schema.paths().into_iter().map(|(path, _)| path).collect();
    for path in [
        "source",
        "bucket",
        "bucket_prefix",
        "auth_token",
        "endpoint",
        "region",
        "path_style",
        "readonly",
        "part_size",
        "part_concurrency",
        "probe",
        "checksums",
        "retry.deadline",
        "timeout.connect",
        "limits.requests",
        "hedge.enabled",
        "cache.directory",
        "cache.size",
        "cache.memory",
        "cache.enabled",
        "cache.write_through",
    ] {
        assert!(paths.iter().any(|found| found == path), "{path} in {paths:?}");
    }
}

#[test]
fn every_part_gets_its_settings() {
    let text = "source=s3_store,bucket=\"pages;ap-southeast-2\",bucket_prefix=db1/,auth_token=\"AK;SK\",\
                cache=(directory=/var/cache/plastron,size=10GB,memory=512MB,write_through=false)";
    let options = StoreOptions::parse(text).unwrap();
    assert_eq!((options.bucket.provider, options.bucket.prefix.as_str()), (Provider::S3, "db1/"));
    let cache = options.cache.clone().unwrap();
    assert_eq!((cache.size, cache.memory), (10 << 30, 512 << 20));
    assert!(!options.write_through);
    assert!(!format!("{options:?}").contains("SK"), "{options:?}");
    assert!(StoreOptions::parse("source=memory,bucket=b,cache=(enabled=false)").unwrap().cache.is_none());
    assert!(StoreOptions::parse("source=memory,bucket=b").unwrap().write_through);
    let url = StoreOptions::parse("s3://pages/db1?region=eu-west-1&cache.size=1GB&cache.write_through=false").unwrap();
    assert_eq!(url.cache.unwrap().size, 1 << 30);
}

#[test]
fn mistakes_anywhere_are_found_with_a_suggestion() {
    for (text, words) in [
        ("source=memory_store,bucket=b,buket_prefix=x", "'bucket_prefix'"),
        ("source=memory_store,bucket=b,cache=(memroy=1MB)", "'memory'"),
        ("source=memory_store,bucket=b,cache=(write_thru=true)", "'write_through'"),
        ("source=memory_store,bucket=b,cache=(enabled=perhaps)", "enabled"),
        ("source=memory_store,bucket=b,retry=(deadlin=1s)", "'deadline'"),
        ("source=memory_store,bucket=b,cache=7", "cache"),
        ("source=memory_store,bucket=b,part_size=-1", "part_size"),
    ] {
        let error = StoreOptions::parse(text).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains(words), "{text}: {error}");
    }
}

#[tokio::test]
async fn opening_says_what_failed() {
    let error = Store::open("source=dir_store,bucket=/no/such/directory").await.unwrap_err();
    assert!(error.kind() == ErrorKind::Invalid && error.to_string().contains("no such bucket"), "{error}");
    let file = tempfile::NamedTempFile::new().unwrap();
    let store = format!("source=memory_store,bucket=b,cache=(directory=\"{}/x\")", file.path().display());
    let error = Store::open(&store).await.unwrap_err();
    assert!(error.to_string().contains("cache directory"), "{error}");
    let error = Store::open("source=memory_store,bucket=b,cache=(memory=1)").await.unwrap_err();
    assert!(error.kind() == ErrorKind::Invalid && error.to_string().contains("cache.memory"), "{error}");
}

#[tokio::test]
async fn clones_are_one_store() {
    let store = Store::open("source=memory_store,bucket=b").await.unwrap();
    let clone = store.clone();
    store.file_system().put("a", "a").await.unwrap();
    assert!(clone.file_system().exists("a").await.unwrap());
    assert_eq!(store.stats().bucket.requests_total(), clone.stats().bucket.requests_total());
    assert!(format!("{store:?}").contains("memory"));
}

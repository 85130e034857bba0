//! Names: what may be in one is kept exactly, what may not is refused before any request.

use plastron_sources::ErrorKind;

use crate::backend::{Backend, Place, names, read_whole};

pub(crate) async fn names_with_spaces_unicode_and_signs(place: Place) {
    let bucket = place.open().await;
    let mut wanted = vec![
        "plain",
        "with space",
        " leading and trailing ",
        "per%cent",
        "per%25cent",
        "%2F",
        "pl+us",
        "ha#sh",
        "quest?ion=1&and=2",
        "Schildkröte",
        "甲羅/海龜",
        "🐢",
        "e\u{301}", // decomposed é, which is not é
        "\u{e9}",
        "quo\"te'd",
        "<tag>&amp;",
        "a:b;c,d=e",
        "[brackets](and){braces}",
        "~tilde!$^*`|",
        "..dots..",
        "...",
        ".hidden",
        "trailing.",
        "a/b/c/d/e/f",
        "a/.b/..c",
        "CASE",
        "case",
    ];
    // Azure drops dots at the end of a segment; Azurite doesn't, but the bucket refuses them all the same.
    if place.backend == Backend::Azurite {
        let changed = |name: &str| name.split('/').any(|segment| segment.ends_with('.'));
        for name in wanted.extract_if(.., |name| changed(name)) {
            let error = bucket.put(name, "x").await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid, "{name}: {error}");
        }
    }
    for name in &wanted {
        bucket.put(name, format!("I am {name}")).await.unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    wanted.sort_unstable();
    assert_eq!(names(&bucket, "").await, wanted);
    for name in &wanted {
        assert_eq!(read_whole(&bucket, name).await, format!("I am {name}").as_bytes(), "{name}");
        assert_eq!(names(&bucket, name).await.first().map(String::as_str), Some(*name));
    }
    for name in &wanted {
        bucket.delete(name).await.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(!bucket.exists(name).await.unwrap(), "{name} is still there");
    }
}

pub(crate) async fn names_of_every_length(place: Place) {
    let bucket = place.open().await;
    // With the prefix in front a name has at most 1,024 bytes.
    let longest = 1024 - if place.endpoint.is_some() { place.prefix.len() } else { 0 };
    for length in [1, 2, 100, 199, 200, 202, 254, 255, 256, 400, 800, longest] {
        for sign in ["n", "ü"] {
            // Odd lengths of two-byte letters end in a one-byte one.
            let name = sign.repeat(length / sign.len()) + if length % sign.len() == 0 { "" } else { "n" };
            // SeaweedFS keeps segments as files, of which a name has 255 bytes; and n is there already.
            let too_long_a_segment = place.backend == Backend::SeaweedFs && length > 255;
            if too_long_a_segment || bucket.exists(&name).await.unwrap() {
                continue;
            }
            bucket.put(&name, name.clone()).await.unwrap_or_else(|error| panic!("{length} bytes: {error}"));
            assert_eq!(read_whole(&bucket, &name).await, name.as_bytes());
            assert_eq!(names(&bucket, &name).await.first(), Some(&name));
        }
    }
    let segments = "segment/".repeat(longest / 8 - 1) + "end";
    bucket.put(&segments, "deep").await.unwrap();
    assert_eq!(read_whole(&bucket, &segments).await, b"deep");
    let error = bucket.put(&"n".repeat(longest + 1), "x").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    assert!(error.to_string().contains("1024") || error.to_string().contains("1,024"), "{error}");
}

pub(crate) async fn bad_names_are_refused_before_any_request(place: Place) {
    let bucket = place.open().await;
    let before = bucket.stats().requests_total();
    for name in [
        "",
        "/",
        ".",
        "..",
        "/absolute",
        "trailing/",
        "a//b",
        "a/./b",
        "a/../b",
        "../escape",
        "./here",
        "a/..",
        "nul\0",
        "line\nbreak",
        "tab\t",
        "del\u{7f}",
        "\u{85}",
        "back\\slash",
        "_plastron",
        "_plastron/turtle/1",
    ] {
        for error in [
            bucket.put(name, "x").await.unwrap_err(),
            bucket.head(name).await.unwrap_err(),
            bucket.exists(name).await.unwrap_err(),
            bucket.open_object(name).await.err().unwrap(),
            bucket.delete(name).await.unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::Invalid, "{name:?}: {error}");
        }
    }
    assert_eq!(bucket.stats().requests_total(), before, "a bad name was sent to the store");
}

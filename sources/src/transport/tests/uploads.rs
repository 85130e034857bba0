//! Checksums of uploads, and answers that were lost.

use bytes::Bytes;
use object_store::client::HttpErrorKind;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutPayload};

use super::server::{Bed, Step, TestSigner, answer, error};
use crate::error::Fault;
use crate::source::Provider;
use crate::stats::{Event, Outcome};
use crate::transport::fault_of;

const SHA256: &str = "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=";
const CREATED: &str = "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>";
const COMPLETED: &str =
    "<CompleteMultipartUploadResult><Key>k</Key><ETag>\"e-1\"</ETag></CompleteMultipartUploadResult>";

async fn put(bed: &Bed) -> Result<(), Fault> {
    bed.send("PUT", "http://host/bucket/key", &[("if-none-match", "*")], b"hello").await.map(drop)
}

#[tokio::test(start_paused = true)]
async fn s3_gets_the_checksum_that_is_signed() {
    let bed = Bed::new(Provider::S3, [answer(200, "").with("x-amz-checksum-sha256", SHA256)]);
    put(&bed).await.unwrap();
    let seen = &bed.seen()[0];
    assert_eq!(seen.header("x-amz-checksum-sha256"), Some(SHA256));
    assert_eq!(seen.header("if-none-match"), Some("*"));
    assert!(seen.header("authorization").unwrap().ends_with("hashed"));
}

#[tokio::test(start_paused = true)]
async fn a_damaged_upload_is_replaced_by_a_good_one() {
    let damaged = answer(200, "").with("x-amz-checksum-sha256", "AAAA").with("etag", "\"bad\"");
    let bed = Bed::new(Provider::S3, [damaged, answer(200, "").with("x-amz-checksum-sha256", SHA256)]);
    put(&bed).await.unwrap();
    let seen = bed.seen();
    // The second one replaces the damaged object, and nothing else.
    assert_eq!((seen[1].header("if-match"), seen[1].header("if-none-match")), (Some("\"bad\""), None));
    assert_eq!(bed.stats().event(Event::UploadCorrupt), 1);
}

#[tokio::test(start_paused = true)]
async fn damage_that_stays_is_reported() {
    let damaged = answer(200, "").with("x-amz-checksum-sha256", "AAAA");
    let bed = Bed::new(Provider::S3, [damaged.clone()]);
    let fault = put(&bed).await.expect_err("it is damaged");
    assert_eq!(bed.attempts(), 1, "which object would the second one replace?");
    let Fault::Corrupt { end: 5, check, .. } = fault else { panic!("{fault}") };
    assert_eq!(check, format!("SHA-256 sent {SHA256}, stored AAAA"));
    let bed = Bed::with(
        Provider::S3,
        [damaged.with("etag", "\"bad\"")],
        |options| options.retry.attempts = 3,
        TestSigner::default(),
    );
    assert!(matches!(put(&bed).await, Err(Fault::Corrupt { .. })));
    assert_eq!((bed.attempts(), bed.stats().outcome(Outcome::Broken)), (3, 3));
}

#[tokio::test(start_paused = true)]
async fn damage_that_the_provider_notices_is_sent_again() {
    for (provider, status, code) in [
        (Provider::S3, 400, "BadDigest"),
        (Provider::S3, 400, "XAmzContentSHA256Mismatch"),
        (Provider::Azure, 400, "Md5Mismatch"),
    ] {
        let bed = Bed::new(provider, [error(status, code), answer(201, "")]);
        put(&bed).await.unwrap();
        let seen = bed.seen();
        assert_eq!((seen.len(), seen[1].header("if-none-match")), (2, Some("*")), "nothing was stored");
        assert_eq!(bed.stats().event(Event::UploadCorrupt), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn google_and_azure_get_and_give_back_their_own_checksums() {
    let bed = Bed::new(
        Provider::Gcp,
        [answer(200, "").with("x-goog-hash", "crc32c=AAAAAA==,md5=x").with("x-goog-generation", "77"), answer(200, "")],
    );
    bed.send("PUT", "http://host/bucket/key", &[("x-goog-if-generation-match", "0")], b"hello").await.unwrap();
    let seen = bed.seen();
    assert_eq!(seen[0].header("x-goog-hash"), Some("crc32c=mnG7TA=="));
    assert_eq!(
        (seen[0].header("x-goog-if-generation-match"), seen[1].header("x-goog-if-generation-match")),
        (Some("0"), Some("77"))
    );

    let azurite = error(500, "FeatureNotSupported");
    let bed = Bed::new(Provider::Azure, [azurite, answer(201, "")]);
    for _ in 0..2 {
        put(&bed).await.unwrap();
    }
    let seen = bed.seen();
    assert_eq!(seen.len(), 3, "one request more, once");
    assert!(seen[0].header("x-ms-content-crc64").is_some());
    for later in &seen[1..] {
        assert_eq!(
            (later.header("x-ms-content-crc64"), later.header("content-md5")),
            (None, Some("XUFAKrxLKna5cZ2REBfFkg=="))
        );
    }
    assert_eq!(bed.stats().retries(), 0);
}

/// An upload of one part through `object_store`, and what its end came to.
async fn upload(bed: &Bed, name: &str) -> Result<String, Fault> {
    let store = bed.store();
    let mut upload = store.put_multipart(&Path::from(name)).await.map_err(|error| fault_of(&error))?;
    upload.put_part(PutPayload::from_static(b"hello")).await.map_err(|error| fault_of(&error))?;
    let result = upload.complete().await.map_err(|error| fault_of(&error))?;
    Ok(result.e_tag.unwrap())
}

/// The requests before the one that completes the upload.
fn before_complete(provider: Provider) -> Vec<Step> {
    match provider {
        Provider::Azure => vec![answer(201, "")],
        _ => vec![answer(200, CREATED), answer(200, "").with("etag", "\"part\"")],
    }
}

fn completed(provider: Provider) -> Step {
    match provider {
        Provider::Azure => answer(201, "").with("etag", "\"e-1\""),
        _ => answer(200, COMPLETED),
    }
}

const CLOUDS: [Provider; 3] = [Provider::S3, Provider::Azure, Provider::Gcp];

#[tokio::test(start_paused = true)]
async fn the_end_of_an_upload_creates_only() {
    for provider in CLOUDS {
        let bed = Bed::new(provider, before_complete(provider).into_iter().chain([completed(provider)]));
        assert_eq!(upload(&bed, "k").await.unwrap(), "\"e-1\"");
        let last = bed.seen().pop().unwrap();
        let condition = if provider == Provider::Gcp { "x-goog-if-generation-match" } else { "if-none-match" };
        assert!(last.header(condition).is_some(), "{provider}: {last:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_name_is_taken_in_every_dialect() {
    let taken = [
        (Provider::S3, error(412, "PreconditionFailed")),
        (Provider::S3, answer(200, "<?xml version=\"1.0\"?>\n<Error><Code>PreconditionFailed</Code></Error>")),
        (Provider::Azure, error(409, "BlobAlreadyExists")),
        (Provider::Azure, error(412, "ConditionNotMet")),
        // Whoever creates a blob throws the blocks away that others have sent.
        (Provider::Azure, error(400, "InvalidBlockList")),
        (Provider::Gcp, error(412, "PreconditionFailed")),
    ];
    for (provider, step) in taken {
        let bed = Bed::new(provider, before_complete(provider).into_iter().chain([step.clone()]));
        assert!(matches!(upload(&bed, "k").await, Err(Fault::ObjectExists)), "{provider} {step:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_upload_that_was_completed_by_an_attempt_whose_answer_was_lost() {
    let gone = [
        (Provider::S3, error(404, "NoSuchUpload")),
        (Provider::S3, error(412, "PreconditionFailed")),
        (Provider::Azure, error(400, "InvalidBlockList")),
        (Provider::Azure, error(409, "BlobAlreadyExists")),
        (Provider::Gcp, error(404, "NoSuchUpload")),
    ];
    for (provider, step) in gone {
        let lost = Step::Fail(HttpErrorKind::Interrupted);
        let bed = Bed::new(provider, before_complete(provider).into_iter().chain([lost, step.clone()]));
        assert!(matches!(upload(&bed, "k").await, Err(Fault::ObjectExists)), "{provider} {step:?}");
    }
    // Without a lost answer it is a plain error.
    let bed = Bed::new(Provider::S3, before_complete(Provider::S3).into_iter().chain([error(404, "NoSuchUpload")]));
    assert!(matches!(upload(&bed, "k").await, Err(Fault::Provider { status: 404, .. })));
}

#[tokio::test(start_paused = true)]
async fn failures_that_come_as_successes_are_tried_again() {
    let failed = answer(200, "<?xml version=\"1.0\"?>\n<Error><Code>InternalError</Code><Message>x</Message></Error>");
    let bed =
        Bed::new(Provider::S3, before_complete(Provider::S3).into_iter().chain([failed, completed(Provider::S3)]));
    assert_eq!(upload(&bed, "k").await.unwrap(), "\"e-1\"");
    assert_eq!(bed.stats().retries(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_name_is_not_taken_for_a_failure() {
    let named = answer(200, &COMPLETED.replace(">k<", ">InternalError SlowDown<"));
    let bed = Bed::new(Provider::S3, before_complete(Provider::S3).into_iter().chain([named]));
    assert_eq!(upload(&bed, "InternalError SlowDown").await.unwrap(), "\"e-1\"");
}

#[tokio::test(start_paused = true)]
async fn what_an_earlier_attempt_has_removed_is_removed() {
    for provider in CLOUDS {
        let lost = Step::Fail(HttpErrorKind::Interrupted);
        let bed = Bed::new(provider, [lost, error(404, "NoSuchKey")]);
        bed.send("DELETE", "http://host/bucket/key", &[], b"").await.unwrap();
        let bed = Bed::new(provider, [error(404, "NoSuchKey")]);
        assert_eq!(bed.send("DELETE", "http://host/bucket/key", &[], b"").await.unwrap().status(), 404);
    }
}

#[tokio::test(start_paused = true)]
async fn a_create_that_lost_a_race_says_so() {
    for (provider, step) in [
        (Provider::S3, error(412, "PreconditionFailed")),
        (Provider::Azure, error(409, "BlobAlreadyExists")),
        (Provider::Gcp, error(412, "x")),
    ] {
        let bed = Bed::new(provider, [step]);
        let options = PutMode::Create.into();
        let error =
            bed.store().put_opts(&Path::from("k"), Bytes::from_static(b"hello").into(), options).await.unwrap_err();
        assert!(matches!(fault_of(&error), Fault::ObjectExists), "{error:?}");
        assert_eq!(bed.stats().outcome(Outcome::Conflict), 1);
    }
    // Two creators at the same instant: S3 asks one of them to try again.
    let bed = Bed::new(Provider::S3, [error(409, "ConditionalRequestConflict"), answer(200, "").with("etag", "\"e\"")]);
    bed.store().put_opts(&Path::from("k"), Bytes::new().into(), PutMode::Create.into()).await.unwrap();
}

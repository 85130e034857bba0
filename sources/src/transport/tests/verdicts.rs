//! Refusals, renewed credentials, and what may be said about them.

use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};

use super::server::{Bed, Step, TestSigner, answer, error};
use crate::error::{Error, Fault};
use crate::source::Provider;
use crate::stats::{Event, RequestKind};
use crate::transport::fault_of;

async fn head(bed: &Bed) -> Fault {
    fault_of(&bed.store().head(&Path::from("k")).await.unwrap_err())
}

async fn list(bed: &Bed) -> Fault {
    fault_of(&bed.store().list(None).try_collect::<Vec<_>>().await.unwrap_err())
}

async fn put(bed: &Bed) -> Fault {
    fault_of(&bed.store().put(&Path::from("k"), "hello".into()).await.unwrap_err())
}

#[tokio::test(start_paused = true)]
async fn every_refusal_has_its_own_fault() {
    let malformed = answer(
        400,
        "<Error><Code>AuthorizationHeaderMalformed</Code><Message>the region 'us-east-1' is wrong</Message><Region>eu-west-1</Region></Error>",
    );
    let sas = answer(
        403,
        "<Error><Code>AuthenticationFailed</Code><Message>No.</Message><AuthenticationErrorDetail>Signature not valid in the specified time frame</AuthenticationErrorDetail></Error>",
    );
    let azurite = answer(
        403,
        "<Error><Code>AuthorizationFailure</Code><Message>Server failed to authenticate the request.</Message></Error>",
    );
    let cases: [(Provider, Step, &str); 20] = [
        (Provider::S3, error(404, "NoSuchBucket"), "no such bucket;"),
        (Provider::Azure, error(404, "ContainerNotFound"), "no such bucket;"),
        (Provider::Azure, error(409, "ContainerBeingDeleted"), "no such bucket;"),
        (Provider::Gcp, error(404, "NoSuchBucket"), "no such bucket;"),
        (Provider::S3, error(403, "InvalidAccessKeyId"), "unknown access key or account (InvalidAccessKeyId)"),
        (Provider::S3, error(403, "SignatureDoesNotMatch"), "wrong secret (SignatureDoesNotMatch)"),
        (Provider::Azure, error(403, "AuthenticationFailed"), "wrong secret (AuthenticationFailed)"),
        (Provider::Azure, azurite, "wrong secret (AuthorizationFailure)"),
        (Provider::Azure, error(403, "AuthorizationFailure"), "permission denied (AuthorizationFailure)"),
        (
            Provider::Azure,
            error(403, "AuthorizationPermissionMismatch"),
            "permission denied (AuthorizationPermissionMismatch)",
        ),
        (Provider::S3, error(403, "AccessDenied"), "permission denied (AccessDenied)"),
        (Provider::Gcp, error(403, "AccessDenied"), "permission denied (AccessDenied)"),
        (Provider::S3, error(400, "ExpiredToken"), "expired credentials (ExpiredToken)"),
        (Provider::Azure, sas, "expired credentials (AuthenticationFailed)"),
        (Provider::Gcp, answer(401, ""), "expired credentials (401)"),
        (Provider::Azure, error(401, "InvalidAuthenticationInfo"), "wrong secret (InvalidAuthenticationInfo)"),
        (
            Provider::S3,
            malformed,
            "wrong region or endpoint (AuthorizationHeaderMalformed): the bucket is in eu-west-1: set region=eu-west-1",
        ),
        (
            Provider::S3,
            answer(301, "<Error><Code>PermanentRedirect</Code></Error>").with("x-amz-bucket-region", "eu-west-1"),
            "wrong region or endpoint (PermanentRedirect): the bucket is in eu-west-1: set region=eu-west-1",
        ),
        (Provider::S3, error(400, "EntityTooLarge"), "the provider answers 400 EntityTooLarge: A message."),
        (Provider::S3, answer(418, "short and stout"), "the provider answers 418 418: short and stout"),
    ];
    for (provider, step, expected) in cases {
        for fault in [list(&Bed::new(provider, [step.clone()])).await, put(&Bed::new(provider, [step.clone()])).await] {
            assert!(fault.to_string().starts_with(expected), "{provider} {step:?}: {fault}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn heads_have_no_body_to_explain_themselves() {
    let cases: [(Provider, Step, &str); 7] = [
        (Provider::S3, answer(404, ""), "no such object"),
        (Provider::Azure, answer(404, "").with("x-ms-error-code", "BlobNotFound"), "no such object"),
        (Provider::Azure, answer(404, "").with("x-ms-error-code", "ContainerNotFound"), "no such bucket;"),
        (Provider::S3, answer(403, ""), "permission denied (403)"),
        (
            Provider::S3,
            answer(301, "").with("x-amz-bucket-region", "eu-west-1"),
            "wrong region or endpoint (301): the bucket is in eu-west-1",
        ),
        (
            Provider::S3,
            answer(400, "").with("x-amz-bucket-region", "eu-west-1"),
            "wrong region or endpoint (400): the bucket is in eu-west-1",
        ),
        (Provider::S3, answer(400, ""), "the provider answers 400 400: (an answer to HEAD has no message)"),
    ];
    for (provider, step, expected) in cases {
        let fault = head(&Bed::new(provider, [step.clone()])).await;
        assert!(fault.to_string().starts_with(expected), "{provider} {step:?}: {fault}");
    }
    // A listing of a bucket that isn't there, without a word.
    assert!(matches!(list(&Bed::new(Provider::S3, [answer(404, "")])).await, Fault::NoSuchBucket));
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_off_is_named() {
    // It is 2026-01-01 00:00 here.
    let skewed = error(403, "RequestTimeTooSkewed").with("date", "Thu, 01 Jan 2026 00:21:00 GMT");
    let fault = list(&Bed::new(Provider::S3, [skewed])).await;
    assert!(
        fault.to_string().starts_with(
            "wrong secret (RequestTimeTooSkewed; this machine's clock is 21 min behind the provider's: set it)"
        ),
        "{fault}"
    );
    let fine = error(403, "SignatureDoesNotMatch").with("date", "Thu, 01 Jan 2026 00:01:00 GMT");
    let fault = list(&Bed::new(Provider::S3, [fine])).await;
    assert!(fault.to_string().starts_with("wrong secret (SignatureDoesNotMatch);"), "{fault}");
}

#[tokio::test(start_paused = true)]
async fn credentials_are_renewed_once() {
    let expired = [
        (Provider::S3, error(400, "ExpiredToken")),
        (Provider::S3, error(403, "TokenRefreshRequired")),
        (Provider::Azure, error(401, "InvalidAuthenticationInfo")),
        (Provider::Gcp, answer(401, "")),
    ];
    for (provider, step) in expired {
        let renewable = || TestSigner { renewable: true, ..TestSigner::default() };
        let bed = Bed::with(provider, [step.clone(), answer(204, "")], |_| {}, renewable());
        bed.send("DELETE", "http://host/bucket/key", &[], b"").await.unwrap();
        let stats = bed.stats();
        assert_eq!((bed.attempts(), stats.event(Event::Renewal), stats.retries()), (2, 1, 0));
        // Once, and then it is the verdict.
        let bed = Bed::with(provider, [step.clone()], |_| {}, renewable());
        bed.send("DELETE", "http://host/bucket/key", &[], b"").await.expect_err("it stays expired");
        assert_eq!((bed.attempts(), bed.signer.renewals.load(std::sync::atomic::Ordering::SeqCst)), (2, 1));
        // Where nothing can be renewed, nothing is sent again.
        let bed = Bed::new(provider, [step]);
        bed.send("DELETE", "http://host/bucket/key", &[], b"").await.expect_err("it stays expired");
        assert_eq!(bed.attempts(), 1);
    }
    // A HEAD with a token that has run out is a bare 400.
    let bed = Bed::with(
        Provider::S3,
        [answer(400, ""), answer(200, "")],
        |_| {},
        TestSigner { renewable: true, ..TestSigner::default() },
    );
    bed.send("HEAD", "http://host/bucket/key", &[], b"").await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn tokens_that_are_not_given_out() {
    let aad =
        |code: &str, text: &str| answer(401, &format!("{{\"error\":\"{code}\",\"error_description\":\"{text}\"}}"));
    let cases = [
        (
            aad("invalid_client", "AADSTS7000215: Invalid client secret provided."),
            "wrong secret (invalid_client: AADSTS7000215: Invalid client secret",
        ),
        (aad("invalid_client", "AADSTS7000222: expired."), "expired credentials (AADSTS7000222)"),
        (
            aad("unauthorized_client", "AADSTS700016: no such application"),
            "unknown access key or account (unauthorized_client",
        ),
        (
            aad("invalid_scope", "no"),
            "no usable credentials: asked for a token, the provider answers 401 Unauthorized invalid_scope: no",
        ),
    ];
    for (step, expected) in cases {
        let bed = Bed::new(Provider::Azure, [step]);
        let fault = bed
            .send("POST", "http://login/t/oauth2/v2.0/token", &[], b"client_secret=hush")
            .await
            .expect_err("refused");
        assert!(fault.to_string().starts_with(expected), "{fault}");
        assert_eq!(bed.stats().requests_of(RequestKind::Token), 1);
    }
}

/// A server that gives back everything it was sent, and more.
#[tokio::test(start_paused = true)]
async fn no_secret_comes_back() {
    const AZURE_KEY: &str = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
    let leaky = |code: &str| {
        format!(
            "<Error><Code>{code}</Code><Message>You sent AWS4-HMAC-SHA256 Credential=PLANTEDKEY000001/x, Signature=plantedsignature0, and \
             Bearer plantedbearertoken, from https://h/c/b?sv=1&amp;sig=plantedsas%3D, with AccountKey={AZURE_KEY};</Message>\
             <StringToSign>plantedstringtosign</StringToSign><CanonicalRequest>plantedrequest</CanonicalRequest>\
             <AuthenticationErrorDetail>plantedmac</AuthenticationErrorDetail><AWSAccessKeyId>plantedid</AWSAccessKeyId></Error>"
        )
    };
    for provider in [Provider::S3, Provider::Azure, Provider::Gcp] {
        for (status, code) in [
            (400, "Weird"),
            (403, "SignatureDoesNotMatch"),
            (403, "AccessDenied"),
            (404, "NoSuchKey"),
            (409, "x"),
            (412, "x"),
            (500, "InternalError"),
            (503, "x"),
        ] {
            let bed = Bed::with(
                provider,
                [answer(status, &leaky(code))],
                |options| options.retry.attempts = 2,
                TestSigner::default(),
            );
            let store = bed.store();
            let path = Path::from("k");
            let errors = [
                store.head(&path).await.unwrap_err(),
                store.get_range(&path, 0..5).await.unwrap_err(),
                store.put(&path, "hello".into()).await.unwrap_err(),
                store.list(None).try_collect::<Vec<_>>().await.unwrap_err(),
                store.put_multipart(&path).await.err().unwrap_or(object_store::Error::NotImplemented {
                    operation: String::new(),
                    implementer: String::new(),
                }),
            ];
            for error in errors {
                let fault = fault_of(&error);
                let ours = Error::new("get", "k", fault.clone());
                for text in [
                    error.to_string(),
                    format!("{error:?}"),
                    fault.to_string(),
                    format!("{fault:?}"),
                    ours.to_string(),
                    format!("{ours:?}"),
                ] {
                    for secret in ["planted", "PLANTED", AZURE_KEY, "K1SZFPTOtr"] {
                        assert!(!text.contains(secret), "{provider} {status} {code}: {text}");
                    }
                }
            }
        }
    }
}

//! What an answer means: success, a verdict that `object_store` understands, one that only we do, or a reason to try again.
//!
//! Sources: [S3's error codes](https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html),
//! [Azure's common](https://learn.microsoft.com/rest/api/storageservices/common-rest-api-error-codes) and
//! [blob ones](https://learn.microsoft.com/rest/api/storageservices/blob-service-error-codes),
//! [Google's XML ones](https://cloud.google.com/storage/docs/xml-api/reference-status), and what the test servers say.

use std::ops::Range;
use std::time::{Duration, SystemTime};

use http::{HeaderMap, StatusCode};

use super::answer::size_of_object;
use super::backoff::retry_after;
use super::failure::{Cause, Failure};
use super::http_date;
use super::said::Said;
use super::scrub::Carried;
use super::upload_checks::is_damage;
use crate::error::Fault;
use crate::source::Provider;
use crate::stats::{Outcome, RequestKind};

/// A clock that is off by more than this is worth a word: S3 and Azure allow 15 minutes.
const NOTABLE_SKEW: Duration = Duration::from_secs(5 * 60);

/// What an answer means.
#[derive(Debug)]
pub(super) enum Meaning {
    /// It is handed on as it is (without the body, if it is none of success).
    Answer(Outcome),
    /// The thing to be removed is gone already, by an earlier attempt whose answer was lost.
    AlreadyGone,
    /// A final verdict.
    Refused(Outcome, Fault),
    /// The credentials may have run out; the verdict if they cannot be renewed.
    Expired(Fault),
    /// Try again.
    Again(Failure),
}

/// What there is to know about a request whose answer is judged.
pub(super) struct Asked<'a> {
    pub(super) provider: Provider,
    pub(super) kind: RequestKind,
    pub(super) range: Option<&'a Range<u64>>,
    /// Bytes of its body.
    pub(super) length: u64,
    /// Whether an earlier attempt may have been carried out.
    pub(super) repeated: bool,
    pub(super) carried: &'a Carried,
    /// The calendar's time here.
    pub(super) now: SystemTime,
}

impl Asked<'_> {
    /// What `status`, with what the provider `said`, means.
    pub(super) fn meaning(&self, status: StatusCode, headers: &HeaderMap, said: &Said) -> Meaning {
        if status.is_success() {
            return Meaning::Answer(Outcome::Ok);
        }
        if let Some(failure) = self.passing(status, headers, said) {
            return Meaning::Again(failure);
        }
        if let Some(verdict) = self.by_code(status, headers, said) {
            return verdict;
        }
        if self.kind == RequestKind::Token {
            return Meaning::Refused(Outcome::Denied, self.no_token(status, said));
        }
        match status {
            StatusCode::NOT_MODIFIED => Meaning::Answer(Outcome::Conflict),
            StatusCode::PRECONDITION_FAILED | StatusCode::CONFLICT => self.conflict(status, said),
            StatusCode::NOT_FOUND => self.not_found(status, said),
            StatusCode::RANGE_NOT_SATISFIABLE => match (self.range, size_of_object(headers)) {
                (Some(Range { start, end }), Some(size)) => {
                    Meaning::Refused(Outcome::Refused, Fault::Range { start: *start, end: *end, size })
                }
                _ => self.anything_else(status, said),
            },
            StatusCode::UNAUTHORIZED => {
                let code = said.code_or(status);
                Meaning::Expired(if said.says_expired || self.provider == Provider::Gcp {
                    Fault::Expired { code }
                } else {
                    self.wrong_secret(code, headers)
                })
            }
            StatusCode::FORBIDDEN => Meaning::Refused(Outcome::Denied, Fault::Forbidden { code: said.code_or(status) }),
            _ if status.is_redirection() => Meaning::Refused(Outcome::Refused, self.wrong_region(status, said)),
            _ => self.anything_else(status, said),
        }
    }

    /// Failures that pass.
    fn passing(&self, status: StatusCode, headers: &HeaderMap, said: &Said) -> Option<Failure> {
        let code = said.code.as_str();
        let text = if said.message.is_empty() {
            status.canonical_reason().unwrap_or("no message").to_owned()
        } else {
            self.carried.scrub(&said.message)
        };
        if is_damage(said) {
            let length = self.length;
            return Some(Failure {
                cause: Cause::Damaged { length },
                text: format!("{code}: {text}"),
                retry_after: None,
            });
        }
        // `OperationAborted` and `ConditionalRequestConflict` are 409: somebody else's request on the same name is under way.
        let by_code = matches!(
            code,
            "SlowDown"
                | "Throttling"
                | "ThrottlingException"
                | "TooManyRequests"
                | "RequestLimitExceeded"
                | "BandwidthLimitExceeded"
                | "ServerBusy"
                | "ServiceUnavailable"
                | "RequestTimeout"
                | "RequestTimeoutException"
                | "OperationTimedOut"
                | "InternalError"
                | "OperationAborted"
                | "ConditionalRequestConflict"
                | "temporarily_unavailable"
        );
        let by_status = matches!(status.as_u16(), 408 | 425 | 429 | 500 | 502 | 503 | 504 | 509 | 520..=527);
        let never = matches!(code, "FeatureNotSupported" | "NotImplemented");
        if never || !(by_code || by_status) {
            return None;
        }
        let throttled = matches!(status.as_u16(), 429 | 503 | 509) || code == "SlowDown" || code.contains("Throttl");
        let cause = Cause::Busy { status: status.as_u16(), code: said.code_or(status), throttled };
        Some(Failure { cause, text, retry_after: retry_after(headers, self.now) })
    }

    /// Codes that mean the same whatever the status and the request.
    fn by_code(&self, status: StatusCode, headers: &HeaderMap, said: &Said) -> Option<Meaning> {
        let code = || said.code.clone();
        let denied = |fault| Some(Meaning::Refused(Outcome::Denied, fault));
        match said.code.as_str() {
            "NoSuchBucket" | "ContainerNotFound" | "ContainerBeingDeleted" | "ContainerDisabled" => {
                Some(Meaning::Refused(Outcome::NotFound, Fault::NoSuchBucket))
            }
            "InvalidAccessKeyId" | "InvalidClientTokenId" | "UnrecognizedClientException" | "NotSignedUp" => {
                denied(Fault::UnknownKey { code: code() })
            }
            "ExpiredToken" | "ExpiredTokenException" | "TokenRefreshRequired" | "InvalidToken" | "RequestExpired" => {
                Some(Meaning::Expired(Fault::Expired { code: code() }))
            }
            _ if said.says_expired => Some(Meaning::Expired(Fault::Expired { code: said.code_or(status) })),
            "SignatureDoesNotMatch" | "AuthenticationFailed" | "RequestTimeTooSkewed" => {
                denied(self.wrong_secret(code(), headers))
            }
            // Azurite says of a wrong key what Azure says of a firewall.
            "AuthorizationFailure" if said.message.contains("failed to authenticate") => {
                denied(self.wrong_secret(code(), headers))
            }
            "AccessDenied"
            | "AllAccessDisabled"
            | "AccountProblem"
            | "AccountIsDisabled"
            | "InsufficientAccountPermissions" => denied(Fault::Forbidden { code: code() }),
            "PermanentRedirect" | "TemporaryRedirect" | "IllegalLocationConstraintException" => {
                Some(Meaning::Refused(Outcome::Refused, self.wrong_region(status, said)))
            }
            "AuthorizationHeaderMalformed" if said.region.is_some() || said.message.contains("region") => {
                Some(Meaning::Refused(Outcome::Denied, self.wrong_region(status, said)))
            }
            "AuthorizationHeaderMalformed" => denied(Fault::UnknownKey { code: code() }),
            _ => None,
        }
    }

    /// 409 and 412.
    fn conflict(&self, status: StatusCode, said: &Said) -> Meaning {
        match self.kind {
            // `object_store` knows no create-only completion, and would call this anything.
            RequestKind::Complete => Meaning::Refused(Outcome::Conflict, Fault::ObjectExists),
            _ if status == StatusCode::PRECONDITION_FAILED => Meaning::Answer(Outcome::Conflict),
            RequestKind::Put | RequestKind::Copy if !is_about_the_bucket(&said.code) => {
                Meaning::Answer(Outcome::Conflict)
            }
            _ => self.anything_else(status, said),
        }
    }

    /// 404, and not because of the bucket.
    fn not_found(&self, status: StatusCode, said: &Said) -> Meaning {
        match self.kind {
            RequestKind::Delete | RequestKind::Abort if self.repeated => Meaning::AlreadyGone,
            RequestKind::Get | RequestKind::Head | RequestKind::Delete | RequestKind::Copy => {
                Meaning::Answer(Outcome::NotFound)
            }
            // The upload is gone because it is complete, or somebody gave it up. Whose object is there now, a look at it will tell.
            RequestKind::Complete if self.repeated => Meaning::Refused(Outcome::Conflict, Fault::ObjectExists),
            RequestKind::List | RequestKind::Put | RequestKind::CreateMultipart if said.code.is_empty() => {
                Meaning::Refused(Outcome::NotFound, Fault::NoSuchBucket)
            }
            _ => self.anything_else(status, said),
        }
    }

    /// What remains.
    fn anything_else(&self, status: StatusCode, said: &Said) -> Meaning {
        // Parts that are gone: an earlier attempt has used them; or, on Azure, somebody else has created the blob, which throws away
        // what others had ready for it.
        let parts_gone = match said.code.as_str() {
            "InvalidBlockList" => true,
            "InvalidBlobOrBlock" | "InvalidPart" => self.repeated,
            _ => false,
        };
        if self.kind == RequestKind::Complete && parts_gone {
            return Meaning::Refused(Outcome::Conflict, Fault::ObjectExists);
        }
        let code = said.code_or(status);
        let message = if self.kind == RequestKind::Head {
            "(an answer to HEAD has no message)".to_owned()
        } else {
            self.carried.scrub(&said.message)
        };
        if self.kind == RequestKind::Head && status == StatusCode::BAD_REQUEST && said.code.is_empty() {
            // S3 answers a HEAD with a token that has run out, or in the wrong region, with a bare 400.
            return match &said.region {
                Some(_) => Meaning::Refused(Outcome::Refused, self.wrong_region(status, said)),
                None => Meaning::Expired(Fault::Provider { status: status.as_u16(), code, message }),
            };
        }
        Meaning::Refused(Outcome::Refused, Fault::Provider { status: status.as_u16(), code, message })
    }

    /// The answer of an endpoint that gives out tokens.
    fn no_token(&self, status: StatusCode, said: &Said) -> Fault {
        let message = self.carried.scrub(&said.message);
        // Microsoft numbers its reasons: <https://learn.microsoft.com/entra/identity-platform/reference-error-codes>.
        let is = |number: &str| said.message.contains(number);
        let code = said.code_or(status);
        if is("AADSTS7000222") {
            Fault::Expired { code: "AADSTS7000222".to_owned() }
        } else if is("AADSTS700016") || is("AADSTS90002") || said.code == "unauthorized_client" {
            Fault::UnknownKey { code: format!("{code}: {message}") }
        } else if matches!(said.code.as_str(), "invalid_client" | "invalid_grant") {
            Fault::WrongSecret { code: format!("{code}: {message}") }
        } else {
            Fault::NoCredentials {
                reason: format!("asked for a token, the provider answers {status} {code}: {message}"),
            }
        }
    }

    fn wrong_secret(&self, code: String, headers: &HeaderMap) -> Fault {
        let theirs = headers.get(http::header::DATE).and_then(|value| value.to_str().ok()).and_then(http_date::parse);
        let (skew, direction) = match theirs.map(|theirs| self.now.duration_since(theirs)) {
            Some(Ok(ahead)) => (ahead, "ahead of"),
            Some(Err(behind)) => (behind.duration(), "behind"),
            None => (Duration::ZERO, ""),
        };
        if skew < NOTABLE_SKEW {
            return Fault::WrongSecret { code };
        }
        let minutes = skew.as_secs() / 60;
        Fault::WrongSecret {
            code: format!("{code}; this machine's clock is {minutes} min {direction} the provider's: set it"),
        }
    }

    fn wrong_region(&self, status: StatusCode, said: &Said) -> Fault {
        let hint = match &said.region {
            Some(region) => format!("the bucket is in {region}: set region={region}"),
            None if said.message.is_empty() => "check region and endpoint".to_owned(),
            None => format!("{}; check region and endpoint", self.carried.scrub(&said.message)),
        };
        Fault::WrongRegion { code: said.code_or(status), hint }
    }
}

/// Whether a 409 says that the bucket or the account, and not the object, is in a state that forbids the request.
fn is_about_the_bucket(code: &str) -> bool {
    ["Account", "Bucket", "Container", "InvalidBucketState"].iter().any(|start| code.starts_with(start))
}

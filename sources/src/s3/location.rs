//! The bucket string: `name` or `name;region`.

use crate::error::Fault;

/// A bucket's name and, perhaps, its region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Location {
    pub(super) name: String,
    pub(super) region: Option<String>,
}

impl Location {
    /// Reads `name` or `name;region`. Fails with [`Fault::Config`].
    pub(super) fn parse(text: &str) -> Result<Self, Fault> {
        let (name, region) = match text.split_once(';') {
            None => (text, None),
            Some((_, region)) if region.contains(';') => {
                return Err(Fault::Config(
                    "bucket: too many `;`: write it as \"name\" or \"name;region\"; keys go into auth_token".to_owned(),
                ));
            }
            Some((_, "")) => {
                return Err(Fault::Config("bucket: there is no region after the `;`".to_owned()));
            }
            Some((name, region)) => (name, Some(region)),
        };
        check_name(name)?;
        if let Some(region) = region {
            check_region("bucket, behind the `;`", region)?;
        }
        Ok(Self { name: name.to_owned(), region: region.map(str::to_owned) })
    }
}

/// S3's rule is 3 to 63 lower-case letters, digits, dots and hyphens; old buckets and other servers also have upper case and
/// underscores, so those pass and the server decides.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html>
fn check_name(name: &str) -> Result<(), Fault> {
    let wrong = |why: &str| Err(Fault::Config(format!("bucket: {why}")));
    if name.is_empty() {
        return wrong("the name is empty; write it as \"name\" or \"name;region\"");
    }
    if name.starts_with("arn:") {
        return wrong("ARNs are not supported; use the bucket's name or the access point's alias");
    }
    if name.contains('/') {
        return wrong("a bucket name has no `/`; what follows it belongs into bucket_prefix");
    }
    if let Some(bad) = name.chars().find(|c| !c.is_ascii_alphanumeric() && !matches!(c, '.' | '-' | '_')) {
        return wrong(&format!("{bad:?} in a bucket name; letters, digits, `.`, `-` and `_` are possible"));
    }
    if !(3..=63).contains(&name.len()) {
        return wrong(&format!("a bucket name has 3 to 63 characters, this one has {}", name.len()));
    }
    if !name.starts_with(|c: char| c.is_ascii_alphanumeric()) || !name.ends_with(|c: char| c.is_ascii_alphanumeric()) {
        return wrong("a bucket name begins and ends with a letter or digit");
    }
    if name.contains("..") {
        return wrong("a bucket name has no two dots in a row");
    }
    if name.ends_with("--x-s3") {
        return wrong(
            "directory buckets (S3 Express One Zone) are not supported: their listings have no order; use a general purpose bucket",
        );
    }
    Ok(())
}

/// A region stands in host names and in what is signed.
pub(super) fn check_region(origin: &str, region: &str) -> Result<(), Fault> {
    if region.is_empty() {
        return Err(Fault::Config(format!("{origin}: the region is empty")));
    }
    if region.len() > 64 || !region.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')) {
        return Err(Fault::Config(format!("{origin}: not a region; one looks like eu-central-1")));
    }
    Ok(())
}

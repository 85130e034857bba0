//! The bucket string: a container's name.

use crate::error::Fault;

/// Checks a container's name. Fails with [`Fault::Config`].
/// <https://learn.microsoft.com/en-us/rest/api/storageservices/naming-and-referencing-containers--blobs--and-metadata>
pub(super) fn check(name: &str) -> Result<(), Fault> {
    let wrong = |why: &str| Err(Fault::Config(format!("bucket: {why}")));
    if matches!(name, "$root" | "$web" | "$logs") {
        return Ok(());
    }
    if name.is_empty() {
        return wrong("the container's name is empty");
    }
    if name.contains(';') {
        return wrong(
            "a container's name has no `;`: Azure has no region here, and a connection string goes into auth_token",
        );
    }
    if name.contains('/') {
        return wrong("a container's name has no `/`; what follows it belongs into bucket_prefix");
    }
    if let Some(bad) = name.chars().find(|c| !c.is_ascii_lowercase() && !c.is_ascii_digit() && *c != '-') {
        return wrong(&format!("{bad:?} in a container's name; lower-case letters, digits and `-` are possible"));
    }
    if !(3..=63).contains(&name.len()) {
        return wrong(&format!("a container's name has 3 to 63 characters, this one has {}", name.len()));
    }
    if name.starts_with('-') || name.ends_with('-') || name.contains("--") {
        return wrong("a container's name begins and ends with a letter or digit, and has no two hyphens in a row");
    }
    Ok(())
}

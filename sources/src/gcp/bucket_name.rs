//! The bucket string: a bucket's name.

use crate::error::Fault;

/// Checks a bucket's name. Fails with [`Fault::Config`]. <https://cloud.google.com/storage/docs/buckets#naming>
pub(super) fn check(name: &str) -> Result<(), Fault> {
    let wrong = |why: &str| Err(Fault::Config(format!("bucket: {why}")));
    if name.is_empty() {
        return wrong("the name is empty");
    }
    if name.contains(';') {
        return wrong(
            "a bucket name has no `;`: Google's buckets need no region here, and a credential file goes into auth_token",
        );
    }
    if name.contains('/') {
        return wrong("a bucket name has no `/`; what follows it belongs into bucket_prefix");
    }
    let fits = |c: &char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.');
    if let Some(bad) = name.chars().find(|c| !fits(c)) {
        return wrong(&format!("{bad:?} in a bucket name; lower-case letters, digits, `-`, `_` and `.` are possible"));
    }
    let longest = if name.contains('.') { 222 } else { 63 };
    if !(3..=longest).contains(&name.len()) || name.split('.').any(|part| part.len() > 63) {
        return wrong(&format!(
            "a bucket name has 3 to 63 characters (222 with dots, 63 between them), this one has {}",
            name.len()
        ));
    }
    if !name.starts_with(|c: char| c.is_ascii_alphanumeric()) || !name.ends_with(|c: char| c.is_ascii_alphanumeric()) {
        return wrong("a bucket name begins and ends with a letter or digit");
    }
    if name.contains("..") {
        return wrong("a bucket name has no two dots in a row");
    }
    Ok(())
}

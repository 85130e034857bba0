//! What a library answers, made safe: codes to kinds, and its words to one printable line.

use plastron_config::ErrorKind;
use rustix::io::Errno;

use crate::error::Fault;

/// Most bytes of a module's words that are kept.
pub(super) const MOST_SAID: usize = 400;

/// The fault that `code` of `function` stands for.
pub(super) fn fault(function: &'static str, code: i32, said: &[u8]) -> Fault {
    Fault::Module { function, code, kind: kind(code), said: words(said) }
}

/// By the numbers: a code that is no errno must not become one.
fn kind(code: i32) -> ErrorKind {
    let kinds = [
        (Errno::ACCESS, ErrorKind::Unauthorized),
        (Errno::PERM, ErrorKind::Unauthorized),
        (Errno::BADMSG, ErrorKind::Corrupt),
        (Errno::NOTSUP, ErrorKind::Unsupported),
        (Errno::INVAL, ErrorKind::Invalid),
    ];
    let found = kinds.into_iter().find(|(errno, _)| errno.raw_os_error() == code);
    found.map_or(ErrorKind::Unavailable, |(_, kind)| kind)
}

/// One line without control characters.
fn words(said: &[u8]) -> String {
    let text = String::from_utf8_lossy(said.get(..MOST_SAID).unwrap_or(said));
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    match line.trim() {
        "" => "it says nothing about it".to_owned(),
        line => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_kinds_and_words_are_one_line() {
        for (errno, kind) in [
            (Errno::ACCESS, ErrorKind::Unauthorized),
            (Errno::PERM, ErrorKind::Unauthorized),
            (Errno::BADMSG, ErrorKind::Corrupt),
            (Errno::NOTSUP, ErrorKind::Unsupported),
            (Errno::INVAL, ErrorKind::Invalid),
            (Errno::NOMEM, ErrorKind::Unavailable),
        ] {
            let Fault::Module { kind: found, .. } = fault("open", errno.raw_os_error(), b"") else { panic!("{errno}") };
            assert_eq!(found, kind, "{errno}");
        }
        for (code, said, message) in [
            (
                -31_800,
                &b"the HSM\nis\x1b[31m gone\0"[..],
                "the key module's open returned -31800: the HSM is [31m gone",
            ),
            (i32::MIN, b"", "the key module's open returned -2147483648: it says nothing about it"),
            (7, &[0xFF; 3], "the key module's open returned 7: \u{fffd}\u{fffd}\u{fffd}"),
        ] {
            assert_eq!(fault("open", code, said).to_string(), message);
        }
        assert_eq!(words(&[b'a'; 500]).len(), MOST_SAID);
    }
}

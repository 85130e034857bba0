//! `cat --range`.

use crate::run::{Place, bytes};

#[test]
fn ranges_are_exact() {
    let place = Place::new();
    let content = bytes(1_000_000);
    place.write("a", &content);
    place.ok(&["put", "a"]);
    for (range, expected) in [
        ("0-0", &content[..1]),
        ("0-999999", &content[..]),
        ("262143-262144", &content[262_143..262_145]),
        ("999999-", &content[999_999..]),
        ("1000000-", &[][..]),
        ("-5", &content[999_995..]),
    ] {
        assert!(place.ok(&["cat", "a", "--range", range]).stdout == expected, "{range}");
    }
    for range in ["0-1000000", "1000001-", "-1000001", "5-4", "x", ""] {
        let done = place.run(&["cat", "a", "--range", range]);
        assert_eq!((done.code, done.stdout.len()), (2, 0), "{range}: {done:?}");
    }
}

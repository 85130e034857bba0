//! Ranges that a file does not have, by every way of reading.

use plastron::ErrorKind::Invalid;
use plastron::{Error, FileSystem, blocking};

use crate::Table;

/// Start and end in a file of 10 bytes, and what is said about it.
const RANGES: &[(u64, u64, &str)] = &[
    (0, 11, "get ten: range 0..11 is outside the object, which has 10 bytes"),
    (10, 11, "get ten: range 10..11 is outside the object, which has 10 bytes"),
    (11, 11, "get ten: range 11..11 is outside the object, which has 10 bytes"),
    (11, 12, "get ten: range 11..12 is outside the object, which has 10 bytes"),
    (5, 3, "get ten: range 5..3 is outside the object, which has 10 bytes"),
    (10, 0, "get ten: range 10..0 is outside the object, which has 10 bytes"),
    (0, u64::MAX, "get ten: range 0..18446744073709551615 is outside the object, which has 10 bytes"),
    (
        u64::MAX - 1,
        u64::MAX,
        "get ten: range 18446744073709551614..18446744073709551615 is outside the object, which has 10 bytes",
    ),
    (
        u64::MAX,
        u64::MAX,
        "get ten: range 18446744073709551615..18446744073709551615 is outside the object, which has 10 bytes",
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn ranges_that_a_file_does_not_have() {
    let mut table = Table::default();
    for store in ["source=memory_store", "source=memory_store,cache=(enabled=false)"] {
        let files = FileSystem::open(store).await.unwrap();
        files.put("ten", "0123456789").await.unwrap();
        let file = files.open_file("ten").await.unwrap();
        let object = files.bucket().open_object("ten").await.unwrap();
        for (start, end, message) in RANGES {
            let (shown, range) = (format!("{start}..{end} of {store}"), *start..*end);
            let mut row = |result: Result<(), Error>| table.row((&shown, Invalid, message), result, "");
            row(file.read(range.clone()).await.map(drop));
            row(file.read_ranges(&[0..10, range.clone()]).await.map(drop));
            row(object.read(range.clone()).await.map(drop).map_err(Error::from));
            row(object.read_many(&[0..10, range.clone()]).await.map(drop).map_err(Error::from));
            let length = end.checked_sub(*start).and_then(|length| usize::try_from(length).ok());
            if let Some(length) = length.filter(|length| *length < 100) {
                let mut buffer = vec![0; length];
                row(file.read_at(*start, &mut buffer));
                row(file.try_read_at(*start, &mut buffer).map(drop));
            }
        }
        // Past the end of all numbers.
        let mut row = |result: Result<(), Error>| {
            table.row(("past all numbers", Invalid, "get ten: range 18446744073709551615..18446744073709551615 is outside the object, which has 10 bytes"), result, "")
        };
        row(file.read_at(u64::MAX, &mut [0]));
        row(file.try_read_at(u64::MAX, &mut [0]).map(drop));
        // What lies within is no mistake, nothing at all included.
        for (start, end) in [(0, 0), (10, 10), (0, 10), (9, 10)] {
            assert_eq!(file.read(start..end).await.unwrap().len() as u64, end - start);
            assert_eq!(object.read(start..end).await.unwrap().len() as u64, end - start);
        }
    }
    table.finish(80);
}

#[test]
fn the_blocking_file_system_says_the_same() {
    let files = blocking::FileSystem::open("source=memory_store").unwrap();
    files.put("ten", "0123456789").unwrap();
    let file = files.open_file("ten").unwrap();
    let mut table = Table::default();
    for (start, end, message) in RANGES {
        let shown = format!("{start}..{end}");
        table.row((&shown, Invalid, message), file.read(*start..*end), "");
        table.row((&shown, Invalid, message), file.read_ranges(std::slice::from_ref(&(*start..*end))), "");
    }
    table.row(
        ("read_at", Invalid, "get ten: range 8..11 is outside the object, which has 10 bytes"),
        file.read_at(8, &mut [0; 3]),
        "",
    );
    table.finish(2 * RANGES.len() + 1);
}

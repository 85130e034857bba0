//! Every function of the three tables, in both layouts, with good and with every bad argument.

use std::path::Path;

use crate::mock::{self, Layout, Mock, files, handle, source};

const DATA: i32 = 1;
const REGULAR: i32 = 4;

fn both(test: impl Fn(Layout, &Path)) {
    for layout in [Layout::V11, Layout::V12] {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join("bucket")).unwrap();
        test(layout, home.path());
    }
}

fn body(length: usize) -> Vec<u8> {
    (0..length).map(|index| (index * 31 + index / 251) as u8).collect()
}

#[test]
fn the_default_registers_all_stores_in_both_layouts() {
    both(|layout, home| {
        let mock = Mock::load(layout, home, None);
        assert_eq!(mock.loaded, 0, "{:?}", mock.errors());
        assert_eq!(mock.names(), ["azure_store", "dir_store", "gcp_store", "s3_store"]);
    });
}

#[test]
fn stores_can_be_chosen() {
    both(|layout, home| {
        let mock = Mock::load(layout, home, Some("(verbose=1,stores=[dir_store,s3_store])"));
        assert_eq!((mock.loaded, mock.names()), (0, vec!["dir_store".to_owned(), "s3_store".to_owned()]));
    });
}

#[test]
fn bad_load_time_configuration_is_refused_with_a_message() {
    let cases = [
        ("(verbse=1)", "verbse"),
        ("(verbose=9)", "-3 to 5"),
        ("(verbose=loud)", "verbose"),
        ("(stores=[no_store])", "no_store"),
        ("(cache=(sise=1GB))", "sise"),
        ("(cache=(size=big))", "size"),
        ("(retry=(deadline=soon))", "deadline"),
        ("(worm_strict=maybe)", "worm_strict"),
        ("(verbose=1", "("),
    ];
    both(|layout, home| {
        for (config, word) in cases {
            let mock = Mock::load(layout, home, Some(config));
            let errors = mock.errors();
            assert_eq!(mock.loaded, libc::EINVAL, "{config}");
            assert!(errors.iter().any(|error| error.contains(word)), "{config}: {errors:?}");
            assert!(mock.names().is_empty(), "{config} has an effect");
        }
    });
}

#[test]
fn a_refused_registration_is_passed_on() {
    both(|layout, home| {
        let mock = Mock::load_refusing(layout, home, None, Some("gcp_store"));
        assert_eq!(mock.loaded, libc::EBUSY);
    });
}

#[test]
fn a_null_connection_is_refused() {
    let answer = unsafe { plastron_wiredtiger::wiredtiger_extension_init(std::ptr::null_mut(), std::ptr::null()) };
    assert_eq!(answer, libc::EINVAL);
}

#[test]
fn flush_open_read_list_remove() {
    both(|layout, home| {
        let mock = Mock::load(layout, home, None);
        let store = mock.source("dir_store");
        let bucket = source::customize(store, Some("bucket"), Some(""), Some(b"cache_directory=cache")).unwrap();
        let content = body(700_001);
        std::fs::write(home.join("t-0000000001.wtobj"), &content).unwrap();

        assert_eq!(files::exist(bucket, Some("pfx_t-0000000001.wtobj")), Ok(false));
        assert_eq!(source::flush(store, bucket, Some("t-0000000001.wtobj"), Some("pfx_t-0000000001.wtobj")), 0);
        assert_eq!(source::flush_finish(store, bucket, Some("t-0000000001.wtobj"), Some("pfx_t-0000000001.wtobj")), 0);
        assert_eq!(files::exist(bucket, Some("pfx_t-0000000001.wtobj")), Ok(true));
        assert_eq!(files::size(bucket, Some("pfx_t-0000000001.wtobj")), Ok(700_001));
        assert_eq!(
            std::fs::read(home.join("bucket/pfx_t-0000000001.wtobj")).unwrap(),
            content,
            "an object is exactly the bytes"
        );

        for file_type in [DATA, REGULAR] {
            let open = files::open(bucket, Some("./pfx_t-0000000001.wtobj"), file_type, layout.readonly()).unwrap();
            assert_eq!(handle::size(open), Ok(700_001));
            assert_eq!(handle::lock(open), 0);
            for (offset, length) in
                [(0, 0), (0, 1), (0, 28_672), (262_143, 2), (699_999, 2), (0, 700_001), (700_001, 0)]
            {
                assert_eq!(
                    handle::read(open, offset, length).unwrap(),
                    content[offset as usize..][..length],
                    "{offset}+{length}"
                );
            }
            assert_eq!(handle::close(open), 0);
        }

        assert_eq!(files::remove(bucket, Some("pfx_t-0000000001.wtobj")), 0);
        assert_eq!(files::exist(bucket, Some("pfx_t-0000000001.wtobj")), Ok(false));
        assert_eq!(files::remove(bucket, Some("pfx_t-0000000001.wtobj")), libc::ENOENT);
        assert_eq!(files::terminate(bucket), 0);
        assert!(home.join("cache").is_dir(), "cache_directory is relative to the home directory");
    });
}

#[test]
fn flushing_again_is_success_with_the_same_bytes_and_eexist_with_others() {
    both(|layout, home| {
        let mock = Mock::load(layout, home, None);
        let store = mock.source("dir_store");
        let bucket = source::customize(store, Some("bucket"), None, None).unwrap();
        std::fs::write(home.join("same"), body(300_000)).unwrap();
        assert_eq!(source::flush(store, bucket, Some("same"), Some("object")), 0);
        assert_eq!(source::flush(store, bucket, Some("same"), Some("object")), 0);
        std::fs::write(home.join("other"), body(300_001)).unwrap();
        assert_eq!(source::flush(store, bucket, Some("other"), Some("object")), libc::EEXIST);
        let mut changed = body(300_000);
        changed[299_999] ^= 1;
        std::fs::write(home.join("changed"), changed).unwrap();
        assert_eq!(source::flush(store, bucket, Some("changed"), Some("object")), libc::EEXIST);
        assert_eq!(files::size(bucket, Some("object")), Ok(300_000));
    });
}

#[test]
fn listing_takes_directory_and_prefix_as_prefixes() {
    both(|layout, home| {
        let mock = Mock::load(layout, home, None);
        let store = mock.source("dir_store");
        let bucket = source::customize(store, Some("bucket"), None, None).unwrap();
        std::fs::write(home.join("file"), b"x").unwrap();
        for name in ["a_1", "a_2", "b_1", "dir/a_1", "dir/b_2", "dir/sub/a_3"] {
            assert_eq!(source::flush(store, bucket, Some("file"), Some(name)), 0, "{:?}", mock.errors());
        }
        let list = |directory, prefix| files::list(bucket, directory, prefix, false).unwrap();
        assert_eq!(list(None, None), ["a_1", "a_2", "b_1", "dir/a_1", "dir/b_2", "dir/sub/a_3"]);
        assert_eq!(list(Some(""), Some("")), list(None, None));
        assert_eq!(list(Some(""), Some("a_")), ["a_1", "a_2"]);
        assert_eq!(list(Some("dir"), None), ["a_1", "b_2", "sub/a_3"]);
        assert_eq!(list(Some("dir/"), Some("a_")), ["a_1"]);
        assert_eq!(list(Some("nowhere"), None), Vec::<String>::new());
        assert_eq!(files::list(bucket, Some(""), Some("a_"), true).unwrap(), ["a_1"]);
        assert_eq!(files::list(bucket, Some(""), Some("zz"), true).unwrap(), Vec::<String>::new());
    });
}

#[test]
fn bad_arguments_of_a_store() {
    both(|layout, home| {
        let mock = Mock::load(layout, home, None);
        let (dir, s3) = (mock.source("dir_store"), mock.source("s3_store"));
        let expect = |answer: i32, errno: i32, word: &str| {
            let errors = mock.errors();
            assert_eq!(answer, errno, "{word}: {errors:?}");
            assert!(
                word.is_empty() || errors.iter().any(|error| error.contains(word)),
                "{word:?} is not in {errors:?}"
            );
        };
        expect(source::customize(dir, None, None, None).unwrap_err(), libc::EINVAL, "bucket is NULL");
        expect(source::customize(dir, Some(""), None, None).unwrap_err(), libc::EINVAL, "bucket is empty");
        expect(source::customize(dir, Some("no/such/bucket"), None, None).unwrap_err(), libc::EINVAL, "bucket");
        expect(
            source::customize(s3, Some("name;region"), Some("no-semicolon"), None).unwrap_err(),
            libc::EINVAL,
            "auth_token",
        );
        let mut place = std::ptr::null_mut();
        let call = unsafe { (*dir).customize_file_system.unwrap() };
        let null = std::ptr::null();
        expect(
            unsafe { call(std::ptr::null_mut(), mock::SESSION, c"bucket".as_ptr(), null, null, &raw mut place) },
            libc::EINVAL,
            "",
        );
        expect(
            unsafe { call(dir, mock::SESSION, c"bucket".as_ptr(), null, null, std::ptr::null_mut()) },
            libc::EINVAL,
            "no place",
        );
        expect(
            unsafe { call(dir, mock::SESSION, c"\xff\xfe".as_ptr(), null, null, &raw mut place) },
            libc::EINVAL,
            "UTF-8",
        );

        let bucket = source::customize(dir, Some("bucket"), None, None).unwrap();
        std::fs::write(home.join("file"), b"x").unwrap();
        expect(source::flush(dir, bucket, None, Some("object")), libc::EINVAL, "source is NULL");
        expect(source::flush(dir, bucket, Some("file"), None), libc::EINVAL, "object is NULL");
        expect(source::flush(dir, std::ptr::null_mut(), Some("file"), Some("object")), libc::EINVAL, "file system");
        expect(source::flush(s3, bucket, Some("file"), Some("object")), libc::EINVAL, "another storage source");
        expect(source::flush(dir, bucket, Some("missing"), Some("object")), libc::ENOENT, "missing");
        expect(source::flush(dir, bucket, Some("file"), Some("../object")), libc::EINVAL, "name");
        expect(source::flush(dir, bucket, Some("file"), Some("")), libc::EINVAL, "name");
        expect(source::flush(dir, bucket, Some("file"), Some(&"n".repeat(1025))), libc::EINVAL, "name");
        expect(source::flush_finish(dir, bucket, None, Some("object")), libc::EINVAL, "source is NULL");
        expect(
            source::flush_finish(dir, std::ptr::null_mut(), Some("file"), Some("object")),
            libc::EINVAL,
            "file system",
        );
        assert_eq!(
            files::list(bucket, None, None, false).unwrap(),
            Vec::<String>::new(),
            "a refused call has an effect"
        );
    });
}

#[test]
fn bad_arguments_of_a_file_system() {
    both(|layout, home| {
        let mock = Mock::load(layout, home, None);
        let store = mock.source("dir_store");
        let bucket = source::customize(store, Some("bucket"), None, None).unwrap();
        std::fs::write(home.join("file"), b"content").unwrap();
        assert_eq!(source::flush(store, bucket, Some("file"), Some("object")), 0);
        let readonly = layout.readonly();
        let expect = |answer: i32, errno: i32, word: &str| {
            let errors = mock.errors();
            assert_eq!(answer, errno, "{word}: {errors:?}");
            assert!(errors.iter().any(|error| error.contains(word)), "{word:?} is not in {errors:?}");
        };
        expect(files::open(bucket, None, DATA, readonly).unwrap_err(), libc::EINVAL, "name is NULL");
        expect(files::open(bucket, Some("object"), DATA, 0).unwrap_err(), libc::EINVAL, "read-only");
        expect(files::open(bucket, Some("object"), DATA, readonly | 0x4).unwrap_err(), libc::EINVAL, "read-only");
        for file_type in [0, 2, 3, 5, -1] {
            expect(
                files::open(bucket, Some("object"), file_type, readonly).unwrap_err(),
                libc::EINVAL,
                "only data and regular",
            );
        }
        expect(files::open(bucket, Some("missing"), DATA, readonly).unwrap_err(), libc::ENOENT, "missing: No such");
        expect(files::open(bucket, Some("a/../b"), DATA, readonly).unwrap_err(), libc::EINVAL, "name");
        expect(files::size(bucket, Some("missing")).unwrap_err(), libc::ENOENT, "missing: No such");
        expect(files::size(bucket, None).unwrap_err(), libc::EINVAL, "name is NULL");
        expect(files::exist(bucket, None).unwrap_err(), libc::EINVAL, "name is NULL");
        expect(files::exist(bucket, Some("")).unwrap_err(), libc::EINVAL, "name");
        expect(files::remove(bucket, None), libc::EINVAL, "name is NULL");
        expect(
            files::rename(bucket, Some("object"), Some("other")),
            libc::ENOTSUP,
            "object: rename of file not supported",
        );
        expect(files::rename(bucket, None, Some("other")), libc::EINVAL, "name is NULL");
        unsafe {
            expect(
                ((*bucket).exist.unwrap())(bucket, mock::SESSION, c"object".as_ptr(), std::ptr::null_mut()),
                libc::EINVAL,
                "no place",
            );
            expect(
                ((*bucket).size.unwrap())(bucket, mock::SESSION, c"object".as_ptr(), std::ptr::null_mut()),
                libc::EINVAL,
                "no place",
            );
            let list = (*bucket).directory_list.unwrap();
            let (null, mut count) = (std::ptr::null(), 0);
            expect(
                list(bucket, mock::SESSION, null, null, std::ptr::null_mut(), &raw mut count),
                libc::EINVAL,
                "no place",
            );
            assert_eq!(((*bucket).directory_list_free.unwrap())(bucket, mock::SESSION, std::ptr::null_mut(), 3), 0);
        }

        let open = files::open(bucket, Some("object"), DATA, readonly).unwrap();
        expect(handle::read(open, -1, 1).unwrap_err(), libc::EINVAL, "negative");
        expect(handle::read(open, 0, 8).unwrap_err(), libc::EINVAL, "past the end");
        expect(handle::read(open, 8, 0).unwrap_err(), libc::EINVAL, "past the end");
        expect(handle::read(open, i64::MAX, 1).unwrap_err(), libc::EINVAL, "past the end");
        unsafe {
            expect(((*open).read.unwrap())(open, mock::SESSION, 0, 7, std::ptr::null_mut()), libc::EINVAL, "NULL");
            expect(((*open).size.unwrap())(open, mock::SESSION, std::ptr::null_mut()), libc::EINVAL, "no place");
            let (write, truncate) = ((*open).write.unwrap(), (*open).truncate.unwrap());
            expect(write(open, mock::SESSION, 0, 1, c"x".as_ptr().cast()), libc::ENOTSUP, "object: write of file not");
            expect(truncate(open, mock::SESSION, 0), libc::ENOTSUP, "object: truncate of file not supported");
            assert_eq!(write(std::ptr::null_mut(), mock::SESSION, 0, 1, c"x".as_ptr().cast()), libc::EINVAL);
            // What WiredTiger does without where it is not offered.
            let missing = (*open).extend.is_none() && (*open).extend_nolock.is_none() && (*open).advise.is_none();
            assert!(missing && (*open).map.is_none() && (*open).sync.is_none() && (*open).sync_nowait.is_none());
        }
        assert_eq!(handle::close(open), 0);
        assert_eq!(files::terminate(bucket), 0);
    });
}

#[test]
fn what_was_closed_is_refused_not_followed() {
    both(|layout, home| {
        let mock = Mock::load(layout, home, None);
        let store = mock.source("dir_store");
        let bucket = source::customize(store, Some("bucket"), None, None).unwrap();
        let (exist, terminate) = unsafe { ((*bucket).exist.unwrap(), (*bucket).terminate.unwrap()) };
        assert_eq!(files::terminate(bucket), 0);
        let mut answer = false;
        assert_eq!(unsafe { exist(bucket, mock::SESSION, c"name".as_ptr(), &raw mut answer) }, libc::EINVAL);
        assert_eq!(unsafe { terminate(bucket, mock::SESSION) }, libc::EINVAL);
        assert_eq!(source::flush(store, bucket, Some("file"), Some("object")), libc::EINVAL);
    });
}

#[test]
fn references_are_counted() {
    both(|layout, home| {
        let mock = Mock::load(layout, home, Some("(stores=[dir_store])"));
        let store = mock.source("dir_store");
        let (add, terminate) = unsafe { ((*store).add_reference.unwrap(), (*store).terminate.unwrap()) };
        assert_eq!(source::add_reference(store), 0);
        assert_eq!(source::add_reference(store), 0);
        assert_eq!(source::terminate(store), 0);
        assert_eq!(source::terminate(store), 0);
        assert!(source::customize(store, Some("bucket"), None, None).is_ok(), "one reference is left");
        mock.close();
        assert_eq!(unsafe { add(store) }, libc::EINVAL, "a reference to what is gone");
        assert_eq!(unsafe { terminate(store, mock::SESSION) }, libc::EINVAL);
    });
}

#[test]
fn one_handle_for_each_name_with_references() {
    both(|layout, home| {
        let mock = Mock::load(layout, home, None);
        let store = mock.source("dir_store");
        let bucket = source::customize(store, Some("bucket"), None, None).unwrap();
        std::fs::write(home.join("file"), b"content").unwrap();
        assert_eq!(source::flush(store, bucket, Some("file"), Some("object")), 0);
        let first = files::open(bucket, Some("object"), DATA, layout.readonly()).unwrap();
        let second = files::open(bucket, Some("object"), DATA, layout.readonly()).unwrap();
        assert_eq!(first, second);
        assert_eq!(handle::close(first), 0);
        assert_eq!(handle::read(second, 0, 7).unwrap(), b"content");
        let close = unsafe { (*second).close.unwrap() };
        assert_eq!(handle::close(second), 0);
        assert_eq!(unsafe { close(second, mock::SESSION) }, libc::EINVAL);
    });
}

#[test]
fn what_is_left_open_is_closed_at_terminate() {
    both(|layout, home| {
        let mock = Mock::load(layout, home, Some("(verbose=1)"));
        let store = mock.source("dir_store");
        let bucket = source::customize(store, Some("bucket"), None, None).unwrap();
        std::fs::write(home.join("file"), b"content").unwrap();
        assert_eq!(source::flush(store, bucket, Some("file"), Some("object")), 0);
        for _ in 0..3 {
            files::open(bucket, Some("object"), DATA, layout.readonly()).unwrap();
        }
        mock.messages();
        mock.close();
        let messages = mock.messages();
        assert!(
            messages.iter().any(|message| message.contains("requests")),
            "statistics are printed at DEBUG_1: {messages:?}"
        );
    });
}

#[test]
fn nothing_is_said_below_the_level_that_was_asked_for() {
    both(|layout, home| {
        for (level, opened, flushed, ended) in
            [(-3, false, false, false), (0, true, false, false), (1, true, true, true)]
        {
            let mock = Mock::load(layout, home, Some(&format!("(stores=[dir_store],verbose={level})")));
            let store = mock.source("dir_store");
            let bucket = source::customize(store, Some("bucket"), None, None).unwrap();
            std::fs::write(home.join("file"), b"content").unwrap();
            assert_eq!(source::flush(store, bucket, Some("file"), Some(&format!("object{level}"))), 0);
            assert_eq!(files::terminate(bucket), 0);
            let messages = mock.messages();
            let said = |word: &str| messages.iter().any(|message| message.contains(word));
            assert_eq!(
                (said("opened"), said("ss_flush"), said("requests")),
                (opened, flushed, ended),
                "{level}: {messages:?}"
            );
            assert_eq!(mock.errors(), Vec::<String>::new(), "{level}");
        }
    });
}

#[test]
fn strict_worm_refuses_removal() {
    both(|layout, home| {
        let mock = Mock::load(layout, home, Some("(worm_strict=true)"));
        let store = mock.source("dir_store");
        let bucket = source::customize(store, Some("bucket"), None, None).unwrap();
        std::fs::write(home.join("file"), b"x").unwrap();
        assert_eq!(source::flush(store, bucket, Some("file"), Some("object")), 0);
        assert_eq!(files::remove(bucket, Some("object")), libc::ENOTSUP);
        assert!(mock.errors().iter().any(|error| error.contains("remove of file not supported")));
        assert_eq!(files::exist(bucket, Some("object")), Ok(true));
    });
}

#[test]
fn any_text_is_survived_in_the_file_systems_configuration() {
    both(|layout, home| {
        let mock = Mock::load(layout, home, None);
        let store = mock.source("dir_store");
        let stale: [&[u8]; 8] = [
            b"",
            b"cache_directory=",
            b"unknown=1,more=(",
            b"((((((((",
            b"\xff\xfe\x01\x02\x03",
            b"\"unterminated",
            &[b'('; 5000],
            b"cache_directory=\xff\xff",
        ];
        for config in stale {
            let bucket = source::customize(store, Some("bucket"), Some(""), Some(config));
            assert_eq!(
                files::terminate(bucket.unwrap_or_else(|errno| panic!("{config:?}: {errno} {:?}", mock.errors()))),
                0
            );
        }
    });
}

#[test]
fn eight_threads_flush_open_and_read_at_once() {
    both(|layout, home| {
        let mock = Mock::load(layout, home, None);
        let store = mock.source("dir_store");
        let bucket = source::customize(store, Some("bucket"), None, None).unwrap();
        std::fs::write(home.join("file"), body(500_000)).unwrap();
        let (store, bucket) = (store as usize, bucket as usize);
        std::thread::scope(|scope| {
            for thread in 0..8 {
                scope.spawn(move || {
                    let (store, bucket) = (store as *mut _, bucket as *mut _);
                    for round in 0..10 {
                        let name = format!("object-{}", (thread + round) % 5);
                        assert_eq!(source::flush(store, bucket, Some("file"), Some(&name)), 0);
                        let open = files::open(bucket, Some(&name), DATA, layout.readonly()).unwrap();
                        assert_eq!(handle::read(open, 123_456, 4096).unwrap(), body(500_000)[123_456..][..4096]);
                        assert_eq!(handle::close(open), 0);
                    }
                });
            }
        });
        assert_eq!(files::terminate(bucket as *mut _), 0);
    });
}

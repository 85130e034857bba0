//! Listing: order, bounds, and what does not belong.

use std::sync::Arc;

use futures::{StreamExt, TryStreamExt};
use object_store::ObjectStore;
use object_store::list::PaginatedListOptions;
use object_store::path::Path;
use proptest::prelude::*;

use super::list::{Listed, Lister};
use super::pages::Paused;
use super::staging::Staging;
use super::testing::{path, put, store_in, tree_in};
use super::tree::Tree;
use crate::error::Fault;
use crate::fault_of::fault_of;

/// Makes empty objects without the cost of durability.
fn make<'a>(directory: &std::path::Path, names: impl IntoIterator<Item = &'a str>) {
    for name in names {
        let file = directory.join(super::name::locate(&path(name)).unwrap().path());
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, "").unwrap();
    }
}

/// All names, and the most memory that pages took.
fn list(tree: &Arc<Tree>, prefix: &str, after: Option<&str>, budget: usize) -> (Vec<String>, usize) {
    let mut lister =
        Lister::new(Arc::clone(tree), prefix.to_owned(), after.map(str::to_owned), false).with_budget(budget);
    let (mut names, mut most) = (Vec::new(), 0);
    while let Some(listed) = lister.next() {
        let Listed::Object(meta) = listed.unwrap() else { panic!("prefixes were not asked for") };
        names.push(meta.location.to_string());
        most = most.max(lister.bytes());
    }
    (names, most)
}

#[test]
fn a_hundred_thousand_names_come_in_order_in_bounded_memory() {
    const COUNT: usize = 100_000;
    const BUDGET: usize = 1 << 20;
    let directory = tempfile::tempdir().unwrap();
    let tree = tree_in(directory.path(), Staging::Unnamed);
    // Hard links are the cheapest files; ext4 allows 65,000 of one.
    std::fs::create_dir_all(directory.path().join("log/0")).unwrap();
    let name = |index: usize| format!("log/0/{:020}.seg", (index * 48_271) % COUNT);
    for index in 0..COUNT {
        let file = directory.path().join(name(index));
        if index % 50_000 == 0 {
            std::fs::write(file, "").unwrap();
        } else {
            std::fs::hard_link(directory.path().join(name(index / 50_000 * 50_000)), file).unwrap();
        }
    }
    let (names, most) = list(&tree, "", None, BUDGET);
    assert_eq!(names.len(), COUNT);
    assert!(names.iter().enumerate().all(|(index, name)| *name == format!("log/0/{index:020}.seg")));
    assert!(most <= BUDGET, "{most}");
    let middle = format!("log/0/{:020}.seg", COUNT / 2);
    let (rest, _) = list(&tree, "log/0", Some(&middle), BUDGET);
    assert_eq!(rest, names[COUNT / 2 + 1..]);
}

#[test]
fn one_directory_of_any_size_takes_the_budget_and_no_more() {
    let directory = tempfile::tempdir().unwrap();
    let tree = tree_in(directory.path(), Staging::Unnamed);
    let names: Vec<String> =
        (0..3000).map(|index| format!("{:04}-{}", index * 7 % 3000, "x".repeat(index % 190))).collect();
    make(directory.path(), names.iter().map(String::as_str));
    let mut sorted = names;
    sorted.sort();
    for budget in [0, 64 << 10, 100 << 10, 1 << 20] {
        let (found, most) = list(&tree, "", None, budget);
        assert_eq!(found, sorted);
        assert!(most <= budget.max(32 << 10), "{most} of {budget}");
    }
}

#[tokio::test]
async fn the_order_is_that_of_the_bytes_of_whole_names() {
    let directory = tempfile::tempdir().unwrap();
    let store = store_in(directory.path(), Staging::Unnamed);
    let long = "x".repeat(201);
    let continued = |rest: &str| format!("{long}{rest}");
    let mut names = vec![
        "a b",
        "a!",
        "a-",
        "a.",
        "a.b",
        "a/b",
        "a/b.c",
        "a/c/d",
        "a0",
        "aé",
        "b/ ",
        "b/!",
        "b%",
        "b%%/x",
        "b%2",
        "~",
        "🐢/🐢",
        "é",
    ];
    let cut = [
        continued(""),
        continued(" "),
        continued("-"),
        continued("."),
        continued("0"),
        continued("1/1"),
        continued("é"),
        "x".repeat(200),
        "x".repeat(199) + "-",
        "x".repeat(199) + "/-",
        "x".repeat(199) + "y",
        "x".repeat(600) + "/z",
    ];
    names.extend(cut.iter().map(String::as_str));
    for name in &names {
        put(store.as_ref(), name, "").await.unwrap();
    }
    names.sort();
    let found: Vec<_> = store.list(None).map_ok(|meta| meta.location.to_string()).try_collect().await.unwrap();
    assert_eq!(found, names);
    for (index, after) in names.iter().enumerate() {
        let found = store.list_with_offset(None, &path(after)).map_ok(|meta| meta.location.to_string());
        assert_eq!(found.try_collect::<Vec<_>>().await.unwrap(), names[index + 1..], "after {after}");
    }
}

#[tokio::test]
async fn levels_show_what_is_below_but_not_what_is_empty() {
    let directory = tempfile::tempdir().unwrap();
    let store = store_in(directory.path(), Staging::Named);
    let long = "y".repeat(300);
    make(directory.path(), ["a", "b/c", "b/d/e", &long, &format!("{}z/1", &long[..201]), "c/d/e/f"]);
    std::fs::create_dir_all(directory.path().join("empty/inside/still")).unwrap();
    let level = async |prefix: &str| {
        let found = store.list_with_delimiter(Some(&path(prefix))).await.unwrap();
        let names = |paths: Vec<Path>| paths.iter().map(ToString::to_string).collect::<Vec<_>>();
        (names(found.objects.into_iter().map(|meta| meta.location).collect()), names(found.common_prefixes))
    };
    let prefixes = vec!["b".to_owned(), "c".to_owned(), format!("{}z", &long[..201])];
    assert_eq!(level("").await, (vec!["a".to_owned(), long.clone()], prefixes));
    assert_eq!(level("b").await, (vec!["b/c".to_owned()], vec!["b/d".to_owned()]));
    assert_eq!(level("c/d").await, (vec![], vec!["c/d/e".to_owned()]));
    for nothing in ["a", "nowhere", "empty", "empty/inside", "_plastron", "b/c/d"] {
        assert_eq!(level(nothing).await, (vec![], vec![]), "{nothing}");
        assert_eq!(store.list(Some(&path(nothing))).count().await, 0, "{nothing}");
    }
}

#[tokio::test]
async fn what_is_no_object_is_reported_and_the_rest_is_listed() {
    use std::os::unix::ffi::OsStrExt;
    let directory = tempfile::tempdir().unwrap();
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("secret"), "secret").unwrap();
    let store = store_in(directory.path(), Staging::Unnamed);
    make(directory.path(), ["a", "m/n", "z"]);
    let here = |name: &str| directory.path().join(name);
    std::os::unix::fs::symlink(outside.path(), here("link")).unwrap();
    std::os::unix::fs::symlink(outside.path().join("secret"), here("m/file")).unwrap();
    std::fs::write(here("50%"), "").unwrap();
    std::fs::write(directory.path().join(std::ffi::OsStr::from_bytes(b"\xff\xfe")), "").unwrap();
    std::fs::write(here(&"x".repeat(220)), "").unwrap();
    std::fs::create_dir(here("dir%41")).unwrap();
    std::fs::write(here("dir%41/inside"), "").unwrap();
    rustix::fs::mknodat(rustix::fs::CWD, here("pipe"), rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();

    let found: Vec<_> = store.list(None).collect().await;
    let (objects, strangers): (Vec<_>, Vec<_>) = found.into_iter().partition(Result::is_ok);
    let objects: Vec<_> = objects.into_iter().map(|meta| meta.unwrap().location.to_string()).collect();
    assert_eq!(objects, ["a", "m/n", "z"]);
    let strangers: Vec<_> = strangers.into_iter().map(|error| fault_of(&error.unwrap_err()).to_string()).collect();
    let shown = [
        ("50%", "ends in %"),
        ("dir%41", "not written %25"),
        ("link", "symbolic link"),
        ("m/file", "symbolic link"),
        ("pipe", "neither a file nor a directory"),
        (&"x".repeat(220), "was not cut"),
        ("\u{fffd}", "not UTF-8"),
    ];
    assert_eq!(strangers.len(), shown.len(), "{strangers:#?}");
    for (message, (name, reason)) in strangers.iter().zip(shown) {
        assert!(message.contains(name) && message.contains(reason) && message.contains("move it out"), "{message}");
        assert!(message.contains(directory.path().to_str().unwrap()), "{message}");
    }

    // Nor does anything else go through a link, or wait for a pipe.
    for name in ["link", "link/secret", "m/file", "pipe"] {
        let error = store.get_opts(&path(name), Default::default()).await.unwrap_err();
        assert!(matches!(fault_of(&error), Fault::Config(_)), "{name}: {error}");
        assert!(store.get_ranges(&path(name), &[0..1, 0..1]).await.is_err());
    }
    assert!(matches!(fault_of(&put(store.as_ref(), "link/new", "x").await.unwrap_err()), Fault::Config(_)));
    assert!(matches!(fault_of(&put(store.as_ref(), "m/file", "x").await.unwrap_err()), Fault::ObjectExists));
    assert!(store.list(Some(&path("link"))).next().await.unwrap().is_err());
    assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 1);
}

/// Also on kernels where every step has to be walked by hand.
#[test]
fn no_link_is_followed_without_openat2_either() {
    let directory = tempfile::tempdir().unwrap();
    make(directory.path(), ["a/b/c", "d"]);
    std::os::unix::fs::symlink("a", directory.path().join("link")).unwrap();
    std::os::unix::fs::symlink("d", directory.path().join("file")).unwrap();
    for root in [
        super::root::Root::open(directory.path()).unwrap(),
        super::root::Root::open(directory.path()).unwrap().without_openat2(),
    ] {
        use rustix::io::Errno;
        assert!(root.open_file("a/b/c").is_ok() && root.open_file("d").is_ok());
        assert!(root.open_directory("a/b").is_ok() && root.open_directory("").is_ok());
        for way in ["link/b/c", "file"] {
            assert_eq!(root.open_file(way).unwrap_err(), Errno::LOOP, "{way}");
        }
        for way in ["link", "link/b"] {
            assert_eq!(root.open_directory(way).unwrap_err(), Errno::LOOP, "{way}");
        }
        assert_eq!(root.open_file("a/x").unwrap_err(), Errno::NOENT);
        assert_eq!(root.open_file("d/x").unwrap_err(), Errno::NOTDIR);
        assert_eq!(root.open_directory("d").unwrap_err(), Errno::NOTDIR);
    }
}

#[tokio::test]
async fn a_listing_survives_changes() {
    let directory = tempfile::tempdir().unwrap();
    let store = store_in(directory.path(), Staging::Unnamed);
    let names: Vec<String> = (0..3000).map(|index| format!("d{}/{index:05}", index / 100 % 10)).collect();
    make(directory.path(), names.iter().map(String::as_str));
    let mut listing = store.list(None);
    let first = listing.next().await.unwrap().unwrap().location;
    assert_eq!(first.as_ref(), "d0/00000");
    std::fs::remove_dir_all(directory.path().join("d5")).unwrap();
    std::fs::remove_file(directory.path().join("d9/00900")).unwrap();
    std::fs::remove_dir_all(directory.path().join("d7")).unwrap();
    std::fs::write(directory.path().join("d7"), "a file now").unwrap();
    let rest: Vec<_> = listing.map_ok(|meta| meta.location.to_string()).try_collect().await.unwrap();
    let mut stays: Vec<&str> = names.iter().map(String::as_str).collect();
    stays.retain(|name| !name.starts_with("d5") && !name.starts_with("d7") && *name != "d9/00900");
    stays.sort();
    assert_eq!(rest, stays[1..]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Trees of any shape, pages of any size.
    #[test]
    fn lists_what_is_there(
        names in proptest::collection::btree_set("[a.%/-]{0,3}(/[a.%é]{1,3}){0,3}|[ab]{195,205}[.a]{0,3}(/[a-]{1,2})?", 0..60),
        prefix in "[a.%]{0,2}(/[a.%]{0,2})?|[ab]{0,3}|/",
        after in proptest::option::of("[a.%/-]{1,4}|[ab]{195,205}"),
        budget in 0..40_000usize,
        limit in 1..5usize,
        forget: bool,
    ) {
        let directory = tempfile::tempdir().unwrap();
        let tree = tree_in(directory.path(), Staging::Unnamed);
        let names: Vec<String> =
            names.into_iter().filter_map(|name| Path::parse(name).ok()).filter(|name| !name.is_root()).map(String::from).collect();
        let mut names: Vec<String> = names
            .iter()
            .filter(|name| !names.iter().any(|other| other.strip_prefix(name.as_str()).is_some_and(|rest| rest.starts_with('/'))))
            .cloned()
            .collect();
        names.sort();
        names.dedup();
        make(directory.path(), names.iter().map(String::as_str));
        prop_assert_eq!(&list(&tree, "", None, budget).0, &names);
        let expected: Vec<String> = names
            .iter()
            .filter(|name| name.starts_with(&prefix) && after.as_ref().is_none_or(|after| *name > after))
            .cloned()
            .collect();
        prop_assert_eq!(list(&tree, &prefix, after.as_deref(), budget).0, expected);
        let paused = Paused::default();
        for delimiter in [None, Some("/".into())] {
            let mut options =
                PaginatedListOptions { delimiter, offset: after.clone(), max_keys: Some(limit), ..Default::default() };
            let mut found = Vec::new();
            loop {
                if forget {
                    // As if others had listed in between.
                    options.page_token = options.page_token.map(|token| format!("x{token}"));
                }
                let page = paused.page(&tree, Some(&prefix), options.clone()).unwrap();
                let objects = page.result.objects.into_iter().map(|meta| meta.location.to_string());
                let prefixes = page.result.common_prefixes.into_iter().map(|path| format!("{path}/"));
                let mut both: Vec<_> = objects.chain(prefixes).collect();
                both.sort();
                prop_assert!(both.len() <= limit);
                found.extend(both);
                options.page_token = page.page_token;
                if options.page_token.is_none() {
                    break;
                }
            }
            let rolled = |name: &String| match name[prefix.len()..].find('/') {
                Some(slash) if options.delimiter.is_some() => name[..=prefix.len() + slash].to_owned(),
                _ => name.clone(),
            };
            let mut expected: Vec<String> =
                names.iter().filter(|name| name.starts_with(&prefix)).map(rolled).collect();
            expected.dedup();
            expected.retain(|name| after.as_ref().is_none_or(|after| name > after));
            prop_assert_eq!(found, expected);
        }
    }
}

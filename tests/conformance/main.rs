//! One suite that every source must pass, on every back end that a user would have: memory, a directory, SeaweedFS, moto, LocalStack,
//! Azurite and our GCS server.
//!
//! A test is an async function of a [`Backend`]; [`on_every_backend!`] makes one `#[test]` of it per back end, so that a failure
//! names both. Servers come from `localstack run` where it set its environment, and are started (and stopped) by the test
//! process otherwise. A server that cannot start is a failure; one that this machine cannot run at all (LocalStack without Python 3.12) is
//! reported by name.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "this is all test code; clippy.toml exempts only what stands in test functions"
)]

mod backend;
#[path = "../support/bare.rs"]
mod bare;
mod creating;
mod faults;
mod listing;
mod naming;
mod reading;
mod refusals;
mod removing;
mod sizes;

use backend::Backend;

/// Makes a test of each function for each back end.
macro_rules! on_every_backend {
    ($($module:ident :: $test:ident),+ $(,)?) => {
        on_every_backend!(@backend memory Memory, $($module::$test),+);
        on_every_backend!(@backend dir Dir, $($module::$test),+);
        on_every_backend!(@backend seaweedfs SeaweedFs, $($module::$test),+);
        on_every_backend!(@backend moto Moto, $($module::$test),+);
        on_every_backend!(@backend localstack LocalStack, $($module::$test),+);
        on_every_backend!(@backend azurite Azurite, $($module::$test),+);
        on_every_backend!(@backend gcs Gcs, $($module::$test),+);
    };
    (@backend $name:ident $backend:ident, $($module:ident :: $test:ident),+) => {
        mod $name {
            $(
                #[test]
                fn $test() {
                    crate::backend::run(crate::Backend::$backend, crate::$module::$test);
                }
            )+
        }
    };
}

on_every_backend!(
    creating::a_created_object_is_there_and_whole,
    creating::a_create_never_replaces,
    creating::exactly_one_of_24_creators_wins,
    creating::exactly_one_of_24_creators_of_a_large_object_wins,
    creating::a_dropped_upload_leaves_nothing,
    creating::an_aborted_writer_leaves_nothing,
    creating::a_file_is_stored_without_loading_it,
    creating::a_read_only_bucket_is_left_alone,
    sizes::objects_of_every_size_around_the_edges,
    sizes::a_writer_takes_pieces_of_any_size,
    sizes::two_hundred_mebibytes,
    naming::names_with_spaces_unicode_and_signs,
    naming::names_of_every_length,
    naming::bad_names_are_refused_before_any_request,
    reading::ranges_are_exact,
    reading::many_ranges_at_once,
    reading::ranges_outside_are_refused,
    reading::opening_by_reading_a_part_is_verified_too,
    reading::a_foreign_object_is_read_unverified_or_refused,
    reading::a_changed_object_is_noticed,
    listing::names_come_in_bytewise_order,
    listing::prefixes_and_delimiters,
    listing::more_names_than_a_page,
    listing::plastrons_own_names_are_hidden,
    removing::removed_is_gone,
    removing::what_is_not_there_is_not_found,
    refusals::a_missing_bucket,
    refusals::no_network,
    refusals::wrong_key_wrong_secret_expired_token,
    refusals::the_probe_finds_everything_in_order,
    faults::ten_thousand_operations_under_ten_percent_faults,
    faults::a_lost_acknowledgement_is_success,
    faults::flipped_bits_are_healed_or_reported,
    faults::a_hanging_server_meets_the_deadline,
);

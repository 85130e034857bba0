//! Settings whose values cannot be.

use plastron::ErrorKind::Invalid;
use plastron::Store;

use crate::{Row, Table};

/// A store string that lacks nothing.
const S3: &str = "source=s3_store,bucket=pages,region=eu-central-1,auth_token=\"AK;SK\"";

/// Settings behind [`S3`].
const SETTINGS: &[Row<'_>] = &[
    (
        "endpoint=\"not a url\"",
        Invalid,
        "open s3_store: endpoint: not a URL (relative URL without a base); write it like https://storage.example.com or http://127.0.0.1:9000",
    ),
    (
        "endpoint=\"ftp://files.example.com\"",
        Invalid,
        "open s3_store: endpoint: the scheme must be http or https; write it like https://storage.example.com or http://127.0.0.1:9000",
    ),
    (
        "endpoint=\"http://\"",
        Invalid,
        "open s3_store: endpoint: not a URL (empty host); write it like https://storage.example.com or http://127.0.0.1:9000",
    ),
    (
        "endpoint=\"http://user:pass@s3.example.com\"",
        Invalid,
        "open s3_store: endpoint: it must not hold a user name or password; credentials go into auth_token",
    ),
    (
        "endpoint=\"http://s3.example.com?x=1\"",
        Invalid,
        "open s3_store: endpoint: it must end with the host, port or path: nothing after a ? or # is used",
    ),
    (
        "endpoint=\"http://s3.example.com/a b\"",
        Invalid,
        "open s3_store: endpoint: it holds a blank, a control character or a backslash",
    ),
    (
        "endpoint=\"http://127.0.0.1:99999\"",
        Invalid,
        "open s3_store: endpoint: not a URL (invalid port number); write it like https://storage.example.com or http://127.0.0.1:9000",
    ),
    (
        "endpoint=\"http://127.0.0.1:9\",path_style=false",
        Invalid,
        "open s3_store: path_style=false: a bucket can't be put in front of an address, only of a host name; leave path_style out",
    ),
    ("region=\"eu central\"", Invalid, "open s3_store: region: not a region; one looks like eu-central-1"),
    ("path_style=maybe", Invalid, "path_style takes true or false, not 'maybe' (line 1, column 80)"),
    ("part_size=1KB", Invalid, "part_size takes 256KB to 5GB, not '1KB' (line 1, column 79)"),
    (
        "part_size=1MB",
        Invalid,
        "open configuration: part_size=1048576 is out of range: with s3_store, a part has 5242880 to 5368709120 bytes",
    ),
    ("part_size=6GB", Invalid, "part_size takes 256KB to 5GB, not '6GB' (line 1, column 79)"),
    (
        "part_size=8Mb5",
        Invalid,
        "part_size takes a size such as 64MB or 10GB, not '8Mb5' (unknown suffix) (line 1, column 79)",
    ),
    (
        "part_size=-8MB",
        Invalid,
        "part_size takes a size such as 64MB or 10GB, not '-8MB' (it can't be negative) (line 1, column 79)",
    ),
    (
        "part_size=99999999999TB",
        Invalid,
        "part_size takes a size such as 64MB or 10GB, not '99999999999TB' (too large) (line 1, column 79)",
    ),
    ("part_concurrency=0", Invalid, "part_concurrency takes 1 to 1024, not '0' (line 1, column 86)"),
    ("part_concurrency=4096", Invalid, "part_concurrency takes 1 to 1024, not '4096' (line 1, column 86)"),
    ("part_concurrency=many", Invalid, "part_concurrency takes a whole number, not 'many' (line 1, column 86)"),
    (
        "part_concurrency=8.5",
        Invalid,
        "part_concurrency takes a whole number, not '8.5' (fractions are not taken: use a smaller unit) (line 1, column 86)",
    ),
    ("readonly=perhaps", Invalid, "readonly takes true or false, not 'perhaps' (line 1, column 78)"),
    ("probe=never", Invalid, "probe takes one of start, first_write, off, not 'never' (line 1, column 75)"),
    ("checksums=sometimes", Invalid, "checksums takes one of available, required, not 'sometimes' (line 1, column 79)"),
    ("retry=(deadline=0)", Invalid, "retry.deadline takes 1ms to 1h, not '0' (line 1, column 85)"),
    ("retry=(deadline=2h)", Invalid, "retry.deadline takes 1ms to 1h, not '2h' (line 1, column 85)"),
    (
        "retry=(deadline=soon)",
        Invalid,
        "retry.deadline takes a duration such as 500ms, 30s or 2min, not 'soon' (line 1, column 85)",
    ),
    ("retry=(attempts=0)", Invalid, "retry.attempts takes 1 to 1000, not '0' (line 1, column 85)"),
    (
        "retry=(tries=3)",
        Invalid,
        "'tries' is not a setting of retry; its settings are deadline, attempts, initial, max (line 1, column 76)",
    ),
    ("retry=5", Invalid, "retry takes settings in brackets, retry=(…), not '5' (line 1, column 75)"),
    ("retry=(attempts=(1))", Invalid, "retry.attempts takes a whole number, not a list (line 1, column 85)"),
    ("timeout=5", Invalid, "timeout takes settings in brackets, timeout=(…), not '5' (line 1, column 77)"),
    ("timeout=(connect=0)", Invalid, "timeout.connect takes 1ms to 1h, not '0' (line 1, column 86)"),
    (
        "timeout=(request=-1s)",
        Invalid,
        "timeout.request takes a duration such as 500ms, 30s or 2min, not '-1s' (it can't be negative) (line 1, column 86)",
    ),
    ("limits=(requests=0)", Invalid, "limits.requests takes 1 to 100000, not '0' (line 1, column 86)"),
    (
        "limits=(bandwidth=fast)",
        Invalid,
        "limits.bandwidth takes a size such as 64MB or 10GB, not 'fast' (line 1, column 87)",
    ),
    ("hedge=(budget_percent=101)", Invalid, "hedge.budget_percent takes 0 to 100, not '101' (line 1, column 91)"),
    ("hedge=yes", Invalid, "hedge takes settings in brackets, hedge=(…), not 'yes' (line 1, column 75)"),
    (
        "hedge=(floor=1parsec)",
        Invalid,
        "hedge.floor takes a duration such as 500ms, 30s or 2min, not '1parsec' (unknown suffix) (line 1, column 82)",
    ),
    (
        "bucket=(a,b)",
        Invalid,
        "bucket takes a text, not a list (put it in double quotes if the brackets belong to it) (line 1, column 76)",
    ),
    (
        "registry=(name=swift)",
        Invalid,
        "registry.name takes one of bucket, ickpt, etcd, not 'swift' (line 1, column 84)",
    ),
    ("registry=(name=ickpt)", Invalid, "registry=(name=ickpt).urls is missing"),
    (
        "registry=(name=ickpt,urls=[\"http://a:1\"],auth_token=t)",
        Invalid,
        "registry=(name=ickpt).storage_url is missing",
    ),
    (
        "registry=(name=ickpt,urls=[\"http://a:1\"],storage_url=\"http://s/o\")",
        Invalid,
        "registry=(name=ickpt).auth_token is missing",
    ),
    ("registry=(name=etcd)", Invalid, "registry=(name=etcd).endpoints is missing"),
    (
        "registry=(name=etcd,endpoint=\"http://a:1\")",
        Invalid,
        "'endpoint' is not a setting of registry; did you mean 'endpoints'? (line 1, column 89)",
    ),
    (
        "registry=(name=etcd,endpoints=[\"http://a:1\"],urls=[\"http://a:1\"])",
        Invalid,
        "'urls' is not a setting of registry=(name=etcd); its settings are name, poll_least, poll_most, owner, endpoints, key, user, password, cert_file, key_file, ca_file, timeout (line 1, column 114)",
    ),
    (
        "registry=(urls=[\"http://a:1\"])",
        Invalid,
        "'urls' is not a setting of registry=(name=bucket); its settings are name, poll_least, poll_most, owner (line 1, column 79)",
    ),
    (
        "registry=(name=etcd,endpoints=[\"http://a:1\"],timeout=0)",
        Invalid,
        "registry.timeout takes 10ms to 10min, not '0' (line 1, column 122)",
    ),
];

#[tokio::test]
async fn settings_that_cannot_be() {
    let mut table = Table::default();
    for row in SETTINGS {
        table.row(*row, Store::open(&format!("{S3},{}", row.0)).await, "");
    }
    table.finish(48);
}

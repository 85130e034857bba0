//! URLs as short forms, good and bad.

use plastron_config::{Config, Reason};

/// URL, and the error with its place.
const BAD: &[(&str, &str)] = &[
    (
        "/var/lib/db",
        "a path is no store; write file:// and the absolute path, as in file:///var/lib/db (line 1, column 1)",
    ),
    ("./db", "a path is no store; write file:// and the absolute path, as in file:///var/lib/db (line 1, column 1)"),
    ("~/db", "a path is no store; write file:// and the absolute path, as in file:///var/lib/db (line 1, column 1)"),
    ("file://", "a file URL takes an absolute path and no host, as in file:///var/lib/db (line 1, column 8)"),
    ("file://db", "a file URL takes an absolute path and no host, as in file:///var/lib/db (line 1, column 8)"),
    ("file://host/db", "a file URL takes an absolute path and no host, as in file:///var/lib/db (line 1, column 8)"),
    (
        "file:///a%zz",
        "'%' must be followed by two hexadecimal digits; write %25 for a percent sign (line 1, column 10)",
    ),
    ("file:///a%00b", "a URL can't hold control characters, not even as an escape (line 1, column 10)"),
    ("ftp://x", "a store's URL starts with file, memory, s3, az or gs, not with 'ftp' (line 1, column 1)"),
    (
        "s://bucket",
        "a store's URL starts with file, memory, s3, az or gs, not with 's'; did you mean 's3'? (line 1, column 1)",
    ),
    (
        "gss://bucket",
        "a store's URL starts with file, memory, s3, az or gs, not with 'gss'; did you mean 'gs'? (line 1, column 1)",
    ),
    (
        "https://b.s3.amazonaws.com/x",
        "a store's URL starts with file, memory, s3, az or gs, not with 'https'; a server's address goes into endpoint, as in s3://bucket?endpoint=http://host:9000 (line 1, column 1)",
    ),
    (
        "abfss://c@account.dfs.core.windows.net/p",
        "a store's URL starts with file, memory, s3, az or gs, not with 'abfss'; write az://container/prefix (line 1, column 1)",
    ),
    (
        "s3a://b/p",
        "a store's URL starts with file, memory, s3, az or gs, not with 's3a'; write s3://bucket/prefix (line 1, column 1)",
    ),
    ("s3://", "the bucket is missing: s3://bucket/prefix (line 1, column 6)"),
    ("s3:///p", "the bucket is missing: s3://bucket/prefix (line 1, column 6)"),
    ("s3://?region=x", "the bucket is missing: s3://bucket/prefix (line 1, column 6)"),
    (
        "s3://b:9000/p",
        "a bucket has no port; the server's address goes into endpoint, as in ?endpoint=http://host:9000 (line 1, column 7)",
    ),
    (
        "s3://b,region=x",
        "settings follow behind '?' and are joined by '&', as in ?region=r&cache.size=10GB (line 1, column 7)",
    ),
    ("s3://b%20c/p", "a bucket's name holds letters, digits and . _ - only (line 1, column 7)"),
    ("s3://b/p q", "a URL holds no blanks or control characters; write %20 for a blank (line 1, column 9)"),
    (
        "s3://AK:SK@bucket/p",
        "credentials can't stand in a URL, since URLs end up in shell histories and logs; use auth_token in a configuration string, or the provider's environment variables (line 1, column 6)",
    ),
    (
        "s3://AK:S/K+x@bucket/p",
        "credentials can't stand in a URL, since URLs end up in shell histories and logs; use auth_token in a configuration string, or the provider's environment variables (line 1, column 6)",
    ),
    (
        "s3://AKIA@bucket",
        "credentials can't stand in a URL, since URLs end up in shell histories and logs; use auth_token in a configuration string, or the provider's environment variables (line 1, column 6)",
    ),
    ("s3://b//p", "the prefix has an empty part (two slashes in a row) (line 1, column 8)"),
    ("s3://b/p//q", "the prefix has an empty part (two slashes in a row) (line 1, column 8)"),
    ("s3://b/p//", "the prefix has an empty part (two slashes in a row) (line 1, column 8)"),
    ("s3://b/../p", "the prefix can't hold '.' or '..' as a part (line 1, column 8)"),
    ("s3://b/a/./b", "the prefix can't hold '.' or '..' as a part (line 1, column 8)"),
    ("s3://b/p#frag", "a store's URL has no fragment; write %23 if '#' is part of a name (line 1, column 9)"),
    ("s3://b/p%", "'%' must be followed by two hexadecimal digits; write %25 for a percent sign (line 1, column 9)"),
    ("s3://b/%ff", "the percent escapes do not spell UTF-8 (line 1, column 8)"),
    (
        "s3://b?=x",
        "a key is missing or malformed here; settings read key=value or section.key=value (line 1, column 8)",
    ),
    (
        "s3://b?a..b=1",
        "a key is missing or malformed here; settings read key=value or section.key=value (line 1, column 8)",
    ),
    (
        "s3://b?1=2",
        "a key is missing or malformed here; settings read key=value or section.key=value (line 1, column 8)",
    ),
    ("s3://b?region=a%0Ab", "a URL can't hold control characters, not even as an escape (line 1, column 16)"),
    (
        "s3://b?auth_token=AK;SK",
        "auth_token can't stand in a URL, since URLs end up in shell histories and logs; use a configuration string (line 1, column 8)",
    ),
    (
        "s3://b?a%75th_token=AK",
        "auth_token can't stand in a URL, since URLs end up in shell histories and logs; use a configuration string (line 1, column 8)",
    ),
    (
        "s3://b?cache.password=AK&region=x",
        "cache.password can't stand in a URL, since URLs end up in shell histories and logs; use a configuration string (line 1, column 8)",
    ),
    ("s3://b?bucket=c", "bucket is already given by the URL itself (line 1, column 8)"),
    ("s3://b?source=dir_store", "source is already given by the URL itself (line 1, column 8)"),
    ("s3://b/p?bucket_prefix=q", "bucket_prefix is already given by the URL itself (line 1, column 10)"),
    (
        "s3://b?cache=(size=1GB)",
        "brackets can't stand in a URL; write cache.key=value for each setting (line 1, column 14)",
    ),
    (
        "s3://b?endpoint=http://AK:SK@h",
        "credentials can't stand in a URL, since URLs end up in shell histories and logs; use auth_token in a configuration string, or the provider's environment variables (line 1, column 17)",
    ),
    (
        "s3://b?endpoint=http%3A%2F%2FAK:SK%40h",
        "credentials can't stand in a URL, since URLs end up in shell histories and logs; use auth_token in a configuration string, or the provider's environment variables (line 1, column 17)",
    ),
    (
        "s3://b?region=%zz",
        "'%' must be followed by two hexadecimal digits; write %25 for a percent sign (line 1, column 15)",
    ),
    ("az://", "the bucket is missing: az://bucket/prefix (line 1, column 6)"),
];

#[test]
fn every_bad_url_has_its_message_and_place() {
    for (url, message) in BAD {
        let error = Config::parse_store(url).expect_err(url);
        assert_eq!(error.to_string(), *message, "{url}");
        assert_eq!(error.reason(), Reason::Url, "{url}");
    }
}

/// URL, and the configuration it stands for.
const GOOD: &[(&str, &str)] = &[
    ("file:///", "source=dir_store,bucket=/"),
    ("file:///var/lib/db", "source=dir_store,bucket=/var/lib/db"),
    ("file:///var/lib/db/", "source=dir_store,bucket=/var/lib/db/"),
    ("file://localhost/var/db?readonly", "source=dir_store,bucket=/var/db,readonly"),
    ("file:///with%20blank/%C3%A9+%25", "source=dir_store,bucket=\"/with blank/é+%\""),
    ("file:///db?bucket_prefix=p_", "source=dir_store,bucket=/db,bucket_prefix=p_"),
    ("memory://", "source=memory_store"),
    ("memory://?readonly=true", "source=memory_store,readonly=true"),
    ("memory://name/prefix", "source=memory_store,bucket=name,bucket_prefix=prefix/"),
    ("s3://pages", "source=s3_store,bucket=pages"),
    ("s3://pages/", "source=s3_store,bucket=pages"),
    ("S3://Pages/db1", "source=s3_store,bucket=Pages,bucket_prefix=db1/"),
    ("s3://pages/db1/", "source=s3_store,bucket=pages,bucket_prefix=db1/"),
    ("s3://pages/a/b%2Fc", "source=s3_store,bucket=pages,bucket_prefix=a/b/c/"),
    ("s3://pages/a@b:c", "source=s3_store,bucket=pages,bucket_prefix=a@b:c/"),
    ("s3://pages/1,2", "source=s3_store,bucket=pages,bucket_prefix=\"1,2/\""),
    ("s3://pages;eu-west-1/p", "source=s3_store,bucket=pages;eu-west-1,bucket_prefix=p/"),
    ("  s3://pages?region=r\n", "source=s3_store,bucket=pages,region=r"),
    ("s3://pages?", "source=s3_store,bucket=pages"),
    ("s3://pages?&&region=r&", "source=s3_store,bucket=pages,region=r"),
    ("s3://pages?bucket_prefix=db_", "source=s3_store,bucket=pages,bucket_prefix=db_"),
    (
        "s3://pages/p?region=eu-west-1&endpoint=http://127.0.0.1:9000&cache.size=10GB",
        "source=s3_store,bucket=pages,bucket_prefix=p/,region=eu-west-1,endpoint=http://127.0.0.1:9000,cache=(size=10GB)",
    ),
    ("s3://b?endpoint=http%3A%2F%2Fhost%2F%3Fx%3D1", "source=s3_store,bucket=b,endpoint=\"http://host/?x=1\""),
    (
        "s3://b?cache.size=1GB&cache.directory=/x&cache.size=2GB&retry.deadline=5s",
        "source=s3_store,bucket=b,cache=(size=2GB,directory=/x),retry=(deadline=5s)",
    ),
    ("s3://b?region=", "source=s3_store,bucket=b,region="),
    ("az://container/prefix", "source=azure_store,bucket=container,bucket_prefix=prefix/"),
    ("azure://container", "source=azure_store,bucket=container"),
    ("gs://bucket/prefix", "source=gcp_store,bucket=bucket,bucket_prefix=prefix/"),
    ("gcs://bucket", "source=gcp_store,bucket=bucket"),
];

#[test]
fn every_good_url_stands_for_its_configuration() {
    for (url, text) in GOOD {
        let config = Config::parse_store(url).unwrap_or_else(|error| panic!("{url}: {error:#}"));
        assert_eq!(config.to_string(), *text, "{url}");
        assert_eq!(config, Config::parse(text).unwrap(), "{url}");
    }
}

#[test]
fn what_is_no_url_is_a_configuration_string() {
    for text in ["source=dir,bucket=\"/x\"", "bucket=s3://x", "", "(source=memory)", "source:memory"] {
        assert_eq!(Config::parse_store(text).unwrap(), Config::parse(text).unwrap(), "{text}");
    }
    assert_eq!(Config::parse_store("a=1)").unwrap_err().reason(), Reason::Syntax);
}

#[test]
fn values_remember_their_place_in_the_url() {
    let config = Config::parse_store("s3://b/p?region=r&part_size=many").unwrap();
    let error = config.size("part_size").unwrap_err();
    assert_eq!(
        format!("{error:#}"),
        "part_size takes a size such as 64MB or 10GB, not 'many' (line 1, column 29)\n  \
         s3://b/p?region=r&part_size=many\n                              ^"
    );
}

#[test]
fn a_url_is_bounded_too() {
    let many = format!("s3://b?{}", "x=1&".repeat(plastron_config::limits::MAX_SETTINGS + 1));
    assert_eq!(Config::parse_store(&many).unwrap_err().reason(), Reason::Limit);
    let deep = format!("s3://b?{}=1", vec!["x"; 100].join("."));
    assert_eq!(Config::parse_store(&deep).unwrap_err().reason(), Reason::Limit);
    let long = format!("s3://b/{}", "x".repeat(plastron_config::limits::MAX_TEXT_BYTES));
    assert_eq!(Config::parse_store(&long).unwrap_err().reason(), Reason::Limit);
}

//! Configurations against a schema, and schemas that contradict themselves.

use plastron_config::{Config, KeyType, Reason, Schema};

fn schema() -> Schema {
    Schema::new("store")
        .string("bucket", "The bucket's name.")
        .required()
        .choice("source", "Which provider.", &["dir_store", "s3_store", "azure_store"], "")
        .secret("auth_token", "Credentials.")
        .string("bucket_prefix", "In front of every name.")
        .boolean("readonly", "Never write.", "false")
        .size("part_size", "One part | of an upload.", "8MB")
        .range("5MB", "5GB")
        .number("part_concurrency", "Parts at once.", "8")
        .range("1", "256")
        .duration("pause", "First pause.", "50ms")
        .range("1ms", "")
        .list("tags", "Free words.")
        .section(
            Schema::new("cache")
                .about("The local cache.")
                .string("directory", "Where.")
                .size("size", "Space on disk.", "10GB")
                .size("block_size", "One block.", "256KB")
                .check_with(|value| match value.to_size() {
                    Some(size) if size.is_power_of_two() => Ok(()),
                    _ => Err("must be a power of two".to_owned()),
                }),
        )
        .section(
            Schema::new("retry")
                .about("Retries.")
                .duration("deadline", "In all.", "60s")
                .number("attempts", "At the most.", "12")
                .range("", "100"),
        )
}

/// Text that parses, and why the schema refuses it.
const BAD: &[(&str, &str)] = &[
    ("bucket=b,chache=(size=1GB)", "'chache' is not a setting of store; did you mean 'cache'? (line 1, column 10)"),
    ("buckett=b", "'buckett' is not a setting of store; did you mean 'bucket'? (line 1, column 1)"),
    ("bucket=b,size=1GB", "'size' is not a setting of store; did you mean 'cache.size'? (line 1, column 10)"),
    (
        "bucket=b,zzz=1",
        "'zzz' is not a setting of store; its settings are bucket, source, auth_token, bucket_prefix, readonly, part_size, part_concurrency, pause, tags, cache, retry (line 1, column 10)",
    ),
    ("bucket=b,cache=(siez=1GB)", "'siez' is not a setting of cache; did you mean 'size'? (line 1, column 17)"),
    (
        "bucket=b,cache=(bucket=x)",
        "'bucket' is not a setting of cache; its settings are directory, size, block_size (line 1, column 17)",
    ),
    (
        "bucket=b,cache=(zzz)",
        "'zzz' is not a setting of cache; its settings are directory, size, block_size (line 1, column 17)",
    ),
    ("source=s3_store", "bucket is missing"),
    ("bucket", "bucket takes a text: bucket=… (line 1, column 1)"),
    (
        "bucket=(a,b)",
        "bucket takes a text, not a list (put it in double quotes if the brackets belong to it) (line 1, column 8)",
    ),
    (
        "bucket=b,source=s3_stor",
        "source takes one of dir_store, s3_store, azure_store, not 's3_stor'; did you mean 's3_store'? (line 1, column 17)",
    ),
    ("bucket=b,source=x", "source takes one of dir_store, s3_store, azure_store, not 'x' (line 1, column 17)"),
    ("bucket=b,source", "source takes one of dir_store, s3_store, azure_store, not a bare key (line 1, column 10)"),
    ("bucket=b,readonly=yes", "readonly takes true or false, not 'yes' (line 1, column 19)"),
    ("bucket=b,readonly=2", "readonly takes true or false, not '2' (line 1, column 19)"),
    ("bucket=b,readonly=(a)", "readonly takes true or false, not a list (line 1, column 19)"),
    ("bucket=b,part_size", "part_size takes a size such as 64MB or 10GB, not a bare key (line 1, column 10)"),
    ("bucket=b,part_size=", "part_size takes a size such as 64MB or 10GB, not nothing (line 1, column 20)"),
    ("bucket=b,part_size=big", "part_size takes a size such as 64MB or 10GB, not 'big' (line 1, column 20)"),
    (
        "bucket=b,part_size=1.5GB",
        "part_size takes a size such as 64MB or 10GB, not '1.5GB' (fractions are not taken: use a smaller unit) (line 1, column 20)",
    ),
    (
        "bucket=b,part_size=-1",
        "part_size takes a size such as 64MB or 10GB, not '-1' (it can't be negative) (line 1, column 20)",
    ),
    (
        "bucket=b,part_size=8X",
        "part_size takes a size such as 64MB or 10GB, not '8X' (unknown suffix) (line 1, column 20)",
    ),
    ("bucket=b,part_size=1MB", "part_size takes 5MB to 5GB, not '1MB' (line 1, column 20)"),
    ("bucket=b,part_size=6G", "part_size takes 5MB to 5GB, not '6G' (line 1, column 20)"),
    (
        "bucket=b,part_size=99999999999999999999",
        "part_size takes a size such as 64MB or 10GB, not '99999999999999999999' (too large) (line 1, column 20)",
    ),
    ("bucket=b,part_concurrency=0", "part_concurrency takes 1 to 256, not '0' (line 1, column 27)"),
    ("bucket=b,part_concurrency=many", "part_concurrency takes a whole number, not 'many' (line 1, column 27)"),
    (
        "bucket=b,pause=5m",
        "pause takes a duration such as 500ms, 30s or 2min, not '5m' (write min for minutes, ms for milliseconds) (line 1, column 16)",
    ),
    ("bucket=b,pause=0", "pause takes at least 1ms, not '0' (line 1, column 16)"),
    ("bucket=b,pause=soon", "pause takes a duration such as 500ms, 30s or 2min, not 'soon' (line 1, column 16)"),
    ("bucket=b,retry=(attempts=101)", "retry.attempts takes at most 100, not '101' (line 1, column 26)"),
    ("bucket=b,tags", "tags takes a list such as [a,b], not a bare key (line 1, column 10)"),
    (
        "bucket=b,tags=[a,b=c]",
        "tags takes a list of plain items, but 'b' has a value (put the item in double quotes if '=' or ':' belongs to it) (line 1, column 18)",
    ),
    ("bucket=b,tags=[a,(b)]", "tags takes a list of plain items, but one of them is a bracket (line 1, column 18)"),
    ("bucket=b,cache", "cache takes settings in brackets, cache=(…), not a bare key (line 1, column 10)"),
    ("bucket=b,cache=10GB", "cache takes settings in brackets, cache=(…), not '10GB' (line 1, column 16)"),
    (
        r#"bucket=b,cache="(size=10GB)""#,
        "cache takes settings in brackets, not '(size=10GB)' (leave the quotes away) (line 1, column 16)",
    ),
    ("bucket=b,cache=(block_size=300KB)", "cache.block_size must be a power of two (line 1, column 28)"),
    ("bucket=b,auth_token", "auth_token takes a text: auth_token=… (line 1, column 10)"),
    (
        "bucket=b,auth_token=(AK,SK)",
        "auth_token takes a text, not a list (put it in double quotes if the brackets belong to it) (line 1, column 21)",
    ),
    (
        "bucket=b,auth_token=AK,wJalrXUtnFEMI/K7MDENG",
        "a key is not a setting of store (not shown: it follows a secret and may belong to it; a secret with commas stands in double quotes) (line 1, column 24)",
    ),
    (
        "bucket=b,auth_token=AK,x=5",
        "'x' is not a setting of store; its settings are bucket, source, auth_token, bucket_prefix, readonly, part_size, part_concurrency, pause, tags, cache, retry (line 1, column 24)",
    ),
    (
        r#"bucket=b,part_size="AccountKey=abc""#,
        "part_size takes a size such as 64MB or 10GB, not 'AccountKey=[secret]' (line 1, column 20)",
    ),
    ("Bucket=b", "'Bucket' is not a setting of store; did you mean 'bucket'? (line 1, column 1)"),
    (
        "bucket=b,bucket-prefix=x",
        "'bucket-prefix' is not a setting of store; did you mean 'bucket_prefix'? (line 1, column 10)",
    ),
];

#[test]
fn every_misfit_has_its_message_and_place() {
    let schema = schema();
    for (text, message) in BAD {
        let error = schema.check(&Config::parse(text).unwrap()).expect_err(text);
        assert_eq!(error.to_string(), *message, "{text}");
    }
}

#[test]
fn what_fits_passes() {
    let schema = schema();
    for text in [
        "bucket=b",
        "bucket=",
        "bucket=\"b\",source=\"s3_store\",readonly=\"true\",part_size=\"8MB\"",
        "bucket=b,readonly",
        "bucket=b,readonly=0,part_size=5MB,part_concurrency=256,pause=1ms",
        "bucket=b,tags=[],cache=(),retry=",
        "bucket=b,tags=one,cache=(block_size=1MB)",
        "bucket=b,tags=[\"a=1\",10,b],cache.size=5,retry:(attempts:-1)",
        "bucket=b,auth_token=,auth_token=\"AK;SK\"",
    ] {
        schema.check(&Config::parse(text).unwrap()).unwrap_or_else(|error| panic!("{text}: {error:#}"));
    }
}

#[test]
fn all_mistakes_can_be_had_at_once() {
    let config = Config::parse("sourc=s3_store,readonly=maybe,cache=(x=1,size=5)").unwrap();
    let errors = schema().check_all(&config);
    let reasons: Vec<Reason> = errors.iter().map(|error| error.reason()).collect();
    assert_eq!(reasons, [Reason::UnknownKey, Reason::WrongType, Reason::UnknownKey, Reason::MissingKey]);
    let many = Config::parse(&(0..1000).map(|number| format!("x{number},")).collect::<String>()).unwrap();
    assert_eq!(schema().check_all(&many).len(), 64);
}

#[test]
fn an_open_section_lets_unknown_keys_pass() {
    let schema = Schema::new("load").number("level", "Level.", "0").allow_unknown();
    schema.check(&Config::parse("level=1,anything=(goes)").unwrap()).unwrap();
    assert_eq!(schema.check(&Config::parse("level=x,anything").unwrap()).unwrap_err().reason(), Reason::WrongType);
}

#[test]
fn a_missing_key_of_a_section_points_at_the_section() {
    let schema = Schema::new("x").section(Schema::new("cache").string("directory", "Where.").required());
    schema.check(&Config::new()).unwrap();
    let error = schema.check(&Config::parse("a=1,cache=(b=2)").unwrap());
    assert_eq!(error.unwrap_err().to_string(), "'a' is not a setting of x; its settings are cache (line 1, column 1)");
    let error = schema.check(&Config::parse("cache=()").unwrap()).unwrap_err();
    assert_eq!(
        (error.to_string().as_str(), error.reason()),
        ("cache.directory is missing (line 1, column 7)", Reason::MissingKey)
    );
}

#[test]
fn the_reference_table_and_the_defaults_come_from_the_schema() {
    let schema = schema();
    schema.validate().unwrap();
    let table = schema.markdown();
    for row in [
        "| `bucket` | text | required | The bucket's name. |",
        "| `source` | `dir_store`, `s3_store`, `azure_store` | – | Which provider. |",
        "| `auth_token` | secret | – | Credentials. |",
        "| `part_size` | size, 5MB to 5GB | `8MB` | One part \\| of an upload. |",
        "| `pause` | duration, at least 1ms | `50ms` | First pause. |",
        "| `tags` | list | – | Free words. |",
        "| `cache` | section | – | The local cache. |",
        "| `cache.block_size` | size | `256KB` | One block. |",
        "| `retry.attempts` | number, at most 100 | `12` | At the most. |",
    ] {
        assert!(table.lines().any(|line| line == row), "{row}\n{table}");
    }
    assert_eq!(table.lines().count(), 2 + schema.paths().len());
    assert_eq!(
        schema.defaults().unwrap().to_string(),
        "readonly=false,part_size=8MB,part_concurrency=8,pause=50ms,cache=(size=10GB,block_size=256KB),\
         retry=(deadline=60s,attempts=12)"
    );
    let names: Vec<&str> = schema.keys().map(|key| key.name()).collect();
    assert_eq!(names.len(), 11);
    let cache = schema.keys().find(|key| key.name() == "cache").unwrap();
    assert_eq!((cache.key_type(), cache.schema().unwrap().name()), (KeyType::Section, "cache"));
}

#[test]
fn a_schema_that_contradicts_itself_is_found_out() {
    for (schema, message) in [
        (Schema::new("s").required(), "required() stands before the first key of 's'"),
        (Schema::new("s").string("a", "").string("a", ""), "'a' is twice in 's'"),
        (Schema::new("s").string("a.b", ""), "'a.b' is no proper name of a key"),
        (Schema::new("s").secret("blob", ""), "'blob' is secret, but its name does not show it (see is_secret_key)"),
        (Schema::new("s").string("password", ""), "'password' has the name of a secret, but is none"),
        (
            Schema::new("s").size("a", "", "1GB").range("1", "1MB"),
            "the default of 'a' is wrong: a takes 1 to 1MB, not '1GB'",
        ),
        (
            Schema::new("s").size("a", "", "").range("x", ""),
            "the least value of 'a' is wrong: a takes a size such as 64MB or 10GB, not 'x'",
        ),
        (
            Schema::new("s").section(Schema::new("t").string("a", "").range("1", "")),
            "'a' has a range, but is no number, size or duration",
        ),
        (Schema::new("s").boolean("a", "", "maybe"), "the default of 'a' is wrong: a takes true or false, not 'maybe'"),
        (Schema::new("s").string("a", "").default_value("("), "the default of 'a' is wrong: '(' is not closed"),
    ] {
        let error = schema.validate().expect_err(message);
        assert_eq!((error.message(), error.reason()), (message, Reason::Schema));
    }
}

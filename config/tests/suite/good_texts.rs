//! Texts that must be read, many of them WiredTiger's own, and how they print.

use std::time::Duration;

use plastron_config::{Config, Value, ValueKind};

/// Text, and how it prints; `=` where it prints as it is.
const GOOD: &[(&str, &str)] = &[
    // The store string of Plastron's own book.
    (
        r#"source=s3_store,bucket="pages;ap-southeast-2",bucket_prefix=db1/,auth_token="AK;SK",cache=(directory=/var/cache/plastron,size=10GB,memory=512MB)"#,
        "=",
    ),
    // WiredTiger's: opening a connection, creating a table, metadata, statistics, backups.
    (
        r#"create,cache_size=100MB,tiered_storage=(name=s3_store,bucket="b;ap-southeast-2",bucket_prefix="pfx_",auth_token="AK;SK",cache_directory=cache),extensions=["/abs/lib.so"=(config="(verbose=1)")]"#,
        "=",
    ),
    ("create,cache_size=500M,session_max=1000", "="),
    (r#"extensions=["/abs/libs3.so"=(config="(verbose=-3)",early_load=true),./local.so]"#, "="),
    ("extensions=(local={entry=my_entry,early_load=true,path=/x/y.so})", "="),
    ("extensions=[/usr/local/lib/libwiredtiger_snappy.so]", "="),
    ("key_format=S,value_format=5sHQ,columns=(id,country,year,population)", "="),
    ("colgroups=(main,population),type=lsm,split_pct=90", "="),
    ("log=(archive=false,enabled=true,file_max=10MB,path=\"\")", "="),
    (
        "statistics=(all,clear),statistics_log=(wait=5,json:true,on_close)",
        "statistics=(all,clear),statistics_log=(wait=5,json=true,on_close)",
    ),
    ("eviction=(threads_min=4,threads_max=8),checkpoint=(wait=60,log_size=2GB)", "="),
    ("verbose=[tiered:1,block_cache:-2,write]", "verbose=[tiered=1,block_cache=-2,write]"),
    ("incremental=(enabled,src_id=\"ID0\",this_id=\"ID1\",force_stop=false)", "="),
    ("encryption=(name=rotn,keyid=11,secretkey=abc)", "="),
    ("isolation=snapshot,read_timestamp=2a,roundup_timestamps=(prepared=false,read=true)", "="),
    (
        "access_pattern_hint=none,allocation_size=4KB,app_metadata=,assert=(commit_timestamp=none,read_timestamp=none),block_allocation=best,internal_key_max=0,version=(major=1,minor=1)",
        "=",
    ),
    (
        "checkpoint=(WiredTigerCheckpoint.1=(addr=\"018181e4d0d8\",order=1,time=1700000000,size=8192,write_gen=3)),checkpoint_lsn=(4294967295,2147483647),checkpoint_backup_info=",
        "=",
    ),
    (r#"type=file,source="file:test.wt",tiers=("file:x-0000000001.wtobj","object:x")"#, "="),
    (r#"{"key": 1, "nested": {"list": ["a", 2, {"x": true}]}}"#, r#""key"=1,"nested"={"list"=["a",2,{"x"=true}]}"#),
    // The grammar, corner by corner.
    ("", "="),
    (" ,, \n\t\r ,", ""),
    ("()", ""),
    ("a", "="),
    ("a=", "="),
    ("a:", "a="),
    ("a=()", "="),
    ("a=[]", "="),
    ("a=\"\"", "="),
    ("a,b,,c,", "a,b,c"),
    ("(a=1)", "a=1"),
    ("[a,b]", "a,b"),
    (",( a = 1 , b : ( c ) ),", "a=1,b=(c)"),
    ("a = b\n,\tc\r\n=\nd", "a=b,c=d"),
    ("a=(1,0)", "="),
    ("a=((b,c),(d),e,[\"f\"])", "="),
    ("a=[x,x,\"\"]", "="),
    ("a={b=[c=(d={e=1})]}", "="),
    ("a=b;c/d.e-f_g%h@i+j~k!l#m$n&o*p?q<r>s^t|u`v'w\\x", "="),
    ("a=b(c", "="),
    ("a=b\"c\"", "="),
    ("a=1,\"-x\"", "="),
    ("a=.b,c=-d,e=/f,g=%h,i=_j,k=1l", "="),
    ("a=http://127.0.0.1:9000/x:y", "="),
    ("a=x:,b=1", "="),
    (r#"a="é🐢, (b) = [c]""#, "="),
    (r#""é"=1,"a b"=2,"a,b"=3,"1"=4,"a.b"=5,"x"=6"#, "="),
    (r#"a="q\"b\\s\/\b\f\n\r\t\u00e9\ud83d\udc22""#, r#"a="q\"b\\s/\b\f\n\r\té🐢""#),
    (r#"a="\u0001\u007f""#, "="),
    ("a=true,b=\"true\",c=10,d=\"10\"", "="),
    // Twice the same key.
    ("a=1,b=2,a=3", "a=3,b=2"),
    ("a,a=2", "a=2"),
    ("a=2,a", "a"),
    ("a=(b=1,c=2),a=(b=3)", "a=(b=3,c=2)"),
    ("a=(b=(c=1,d=2)),a=(b=(d=3,e=4),f)", "a=(b=(c=1,d=3,e=4),f)"),
    ("a=(b,c),a=(d=1)", "a=(b,c,d=1)"),
    ("a=(d=1),a=(b,c)", "a=(d=1,b,c)"),
    ("a=(b,c),a=(d)", "a=(d)"),
    ("a=(1,0),a=(d=1)", "a=(d=1)"),
    ("a=(d=1),a=(1,0)", "a=(1,0)"),
    ("a=(d=1),a=((x),y)", "a=((x),y)"),
    ("a=(b=1),a=()", "a=(b=1)"),
    ("a=(b=1),a=", "a="),
    ("a=(b=1),a=x", "a=x"),
    ("a=x,a=(b=1)", "a=(b=1)"),
    ("a=(b=1),a=x,a=(c=2)", "a=(c=2)"),
    // Dotted keys are paths, unless they are quoted or keys of a list.
    ("a.b=1", "a=(b=1)"),
    ("a.b.c", "a=(b=(c))"),
    ("a=(b=1),a.c=2,a.b=3", "a=(b=3,c=2)"),
    ("x=(a.b=1)", "x=(a=(b=1))"),
    ("x=[a.b=1]", "="),
    ("x=(a.b,c)", "="),
    ("\"a.b\"=1", "="),
    ("a.1=2,./b=3,c..d=4,e.=5", "="),
];

#[test]
fn every_good_text_is_read_and_prints_as_it_should() {
    for (text, printed) in GOOD {
        let printed = if *printed == "=" { text } else { printed };
        let config = Config::parse(text).unwrap_or_else(|error| panic!("{error:#}"));
        assert_eq!(config.to_string(), *printed, "{text}");
        assert_eq!(Config::parse(printed).unwrap(), config, "{text}");
        let (lenient, mistakes) = Config::parse_lenient(text);
        assert_eq!((lenient, mistakes.len()), (config, 0), "{text}");
    }
}

#[test]
fn values_have_kinds_and_places() {
    let config = Config::parse("flag,\n empty=,b=true,n=-1,s=10GB,w=30s,q=\"1\",l=(a,1),sec=(x=1),none=()").unwrap();
    for (path, kind) in [
        ("flag", ValueKind::Flag),
        ("empty", ValueKind::Empty),
        ("b", ValueKind::Boolean),
        ("n", ValueKind::Number),
        ("s", ValueKind::Number),
        ("w", ValueKind::Word),
        ("q", ValueKind::Text),
        ("l", ValueKind::List),
        ("sec", ValueKind::Section),
        ("none", ValueKind::List),
    ] {
        assert_eq!(config.get(path).unwrap().kind(), kind, "{path}");
    }
    let place = |path: &str| config.get(path).and_then(Value::position).map(|at| (at.byte, at.line, at.column));
    assert_eq!(place("flag"), Some((0, 1, 1)));
    assert_eq!(place("b"), Some((16, 2, 11)));
    assert_eq!(place("sec.x"), config.get("sec.x").unwrap().position().map(|at| (at.byte, at.line, at.column)));
    assert_eq!(Value::from("x").position(), None);
}

#[test]
fn typed_getters_read_by_path() {
    let config = Config::parse(
        "name=s3,empty=,on,off=false,one=1,n=-5,size=64KB,cache=(size=10GB,pause=500ms,wait=2,tags=[a,\"b c\"]),word=x",
    )
    .unwrap();
    assert_eq!(config.string("name").unwrap().as_deref(), Some("s3"));
    assert_eq!(config.string("empty").unwrap().as_deref(), Some(""));
    assert_eq!(config.string("nothing").unwrap(), None);
    assert_eq!(config.string("cache.nothing").unwrap(), None);
    assert_eq!(config.string("name.nothing").unwrap(), None);
    for (path, value) in [("on", true), ("off", false), ("one", true), ("empty", true)] {
        assert_eq!(config.boolean(path).unwrap(), Some(value), "{path}");
    }
    assert_eq!(config.number("n").unwrap(), Some(-5));
    assert_eq!(config.number("size").unwrap(), Some(65_536));
    assert_eq!(config.size("cache.size").unwrap(), Some(10 << 30));
    assert_eq!(config.duration("cache.pause").unwrap(), Some(Duration::from_millis(500)));
    assert_eq!(config.duration("cache.wait").unwrap(), Some(Duration::from_secs(2)));
    assert_eq!(config.choice("name", &["gs", "s3"]).unwrap(), Some("s3"));
    assert_eq!(config.list("cache.tags").unwrap().unwrap(), ["a", "b c"]);
    assert_eq!(config.list("word").unwrap().unwrap(), ["x"]);
    assert_eq!(config.list("empty").unwrap().unwrap(), [""; 0]);
    assert_eq!(config.section("cache").unwrap().unwrap().len(), 4);
    assert!(config.section("empty").unwrap().unwrap().is_empty());
    assert!(config.section("nothing").unwrap().is_none());
    assert_eq!(
        config.string("cache").unwrap_err().message(),
        "cache takes a text, not a section (put it in double quotes if the brackets belong to it)"
    );
    assert_eq!(
        config.number("cache.pause").unwrap_err().message(),
        "cache.pause takes a whole number, not '500ms' (unknown suffix)"
    );
}

#[test]
fn keys_with_dots_are_found_as_wiredtiger_finds_them() {
    let config = Config::parse("checkpoint=(WiredTigerCheckpoint.1=(order=7)),\"a.b\"=1,a=(c=2)").unwrap();
    assert_eq!(config.number("checkpoint.WiredTigerCheckpoint.1.order").unwrap(), Some(7));
    assert_eq!(config.number("a.b").unwrap(), Some(1));
    assert_eq!(config.number("a.c").unwrap(), Some(2));
}

#[test]
fn a_program_can_build_a_configuration() {
    let mut config = Config::new();
    config.set("bucket", "a b").unwrap();
    config.set("cache.size", 5_u64).unwrap();
    config.set("cache.memory", "1GB").unwrap();
    config.set("n", -1_i64).unwrap();
    config.set("readonly", true).unwrap();
    config.set("auth_token", String::from("AK;SK")).unwrap();
    let mut retry = Config::new();
    retry.set("attempts", 3_i64).unwrap();
    config.set("retry", retry).unwrap();
    let text = r#"bucket="a b",cache=(size=5,memory=1GB),n=-1,readonly=true,auth_token=AK;SK,retry=(attempts=3)"#;
    assert_eq!(config.to_string(), text);
    assert_eq!(Config::parse(text).unwrap(), config);
    assert_eq!(format!("{:?}", config.get("auth_token").unwrap()), "[secret]");

    config.set("cache", "gone").unwrap();
    assert_eq!(config.remove("retry.attempts"), Some(Value::from(3_i64)));
    assert_eq!(config.remove("retry.attempts"), None);
    assert_eq!(config.remove("bucket"), Some(Value::from("a b")));
    assert_eq!(config.to_string(), "cache=gone,n=-1,readonly=true,auth_token=AK;SK,retry=()");

    let mut list = Config::parse("l=(1,0),m=[a,a]").unwrap();
    list.set("l.x", "1").unwrap();
    list.set("m.a", "1").unwrap();
    assert_eq!(list.to_string(), "l=(x=1),m=[a=1]");

    for (path, message) in [
        ("", "'' is no path: a key is missing"),
        ("a..b", "'a..b' is no path: a key is missing"),
        ("a\0", "a key or value can't hold the character \\u0000"),
    ] {
        assert_eq!(config.set(path, "x").unwrap_err().message(), message);
    }
    assert_eq!(config.set("x", "a\0b").unwrap_err().message(), "a key or value can't hold the character \\u0000");
    assert_eq!(
        config.set(&vec!["x"; 65].join("."), "1").unwrap_err().message(),
        "settings can't be nested deeper than 64"
    );
    let mut deep = Config::new();
    deep.set(&vec!["x"; 60].join("."), "1").unwrap();
    assert!(Config::new().set("a.b.c.d.e", deep.clone()).is_err());
    Config::new().set("a.b.c", deep).unwrap();
}

#[test]
fn the_parts_of_a_configuration_can_be_walked() {
    let config = Config::parse("a=1,b,c=(x,\"y z\",(p,q))").unwrap();
    let keys: Vec<&str> = config.iter().map(|(key, _)| key).collect();
    assert_eq!(keys, ["a", "b", "c"]);
    let list = config.section("c").unwrap().unwrap();
    let items: Vec<Option<&str>> = list.items().map(Value::text).collect();
    assert_eq!(items, [Some("x"), Some("y z"), None]);
    assert_eq!(list.items().last().unwrap().section().unwrap().len(), 2);
    assert_eq!(
        (config.len(), config.is_empty(), config.contains("c.x"), config.contains("d")),
        (3, false, true, false)
    );
    assert_eq!("a=1,b,c=(x,\"y z\",(p,q))".parse::<Config>().unwrap(), config);
}

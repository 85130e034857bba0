//! Secrets are nowhere to be seen: not in errors, not in `Debug`, not in redacted prints.

use plastron_config::{Config, Error, Schema, ValueKind};
use proptest::prelude::*;

/// Part of every planted secret.
const PLANT: &str = "pLaNt3d";

fn schema() -> Schema {
    Schema::new("store")
        .string("bucket", "B.")
        .secret("auth_token", "T.")
        .size("part_size", "P.", "")
        .list("tags", "L.")
}

/// Everything that may end up on a screen or in a log.
fn visible(text: &str) -> String {
    let mut shown = String::new();
    let mut add = |error: &Error| shown += &format!("{error} {error:#} {error:?} {:?}\n", error.excerpt());
    let url = text.starts_with("s3://");
    for read in [Config::parse_store(text), Config::parse(if url { "" } else { text })] {
        match &read {
            Err(error) => add(error),
            Ok(config) => {
                schema().check_all(config).iter().for_each(&mut add);
                for path in ["bucket", "auth_token", "part_size", "tags", "x"] {
                    for error in [
                        config.size(path).err(),
                        config.list(path).err(),
                        config.section(path).err().or(config.string(path).err()),
                        config.choice(path, &["a", "b"]).err(),
                        config.boolean(path).err(),
                        config.duration(path).err(),
                    ] {
                        error.iter().for_each(&mut add);
                    }
                }
            }
        }
    }
    let (config, mistakes) = Config::parse_lenient(if url { "" } else { text });
    mistakes.iter().for_each(&mut add);
    schema().check_all(&config).iter().for_each(&mut add);
    for config in [Some(config), Config::parse_store(text).ok()].into_iter().flatten() {
        shown += &format!("{config:?} {config:#?} {}", config.redacted());
        for (_, value) in config.iter() {
            shown += &format!("{value:?}");
        }
    }
    shown
}

#[test]
fn planted_secrets_are_not_shown() {
    let secret = format!("AK{PLANT};SK/{PLANT}+x");
    for text in [
        format!("auth_token=\"{secret}\""),
        format!("auth_token={secret}"),
        format!("auth_token={secret}=="),
        format!("auth_token={secret} {secret}"),
        format!("auth_token=\"{secret}\"{secret}"),
        format!("auth_token=\"{secret}\",{secret}"),
        format!("auth_token=\"{secret}\",\"{secret}\",x=1"),
        format!("auth_token=\"{secret}"),
        format!("auth_token={secret},{secret},{secret}=,x=1"),
        format!("auth_token=({secret},{secret})"),
        format!("auth_token=[x={secret}],5"),
        format!("auth_token={{\"a\":{{\"b\":\"{secret}\"}}}},@"),
        format!("auth_token=~{secret}"),
        format!("auth_token=é{secret}"),
        format!("auth_token={secret})"),
        format!("auth_token={secret},(a"),
        format!("bucket=b,\n  auth_token=\n    {secret}\n  {secret},\n  @"),
        format!("\"auth_token\" : \"{secret}\" @"),
        format!("auth_token.x={secret},@"),
        format!("x=(y=(auth_token={secret})),@"),
        format!("x=(y=(auth_token={secret},{secret}(1)))"),
        format!("config=\"(auth_token={secret})\",part_size=1,@"),
        format!("part_size=\"(auth_token=\\\"{secret}\\\")\""),
        format!("tags=[\"password={secret}\",x=1]"),
        format!("\"password={secret}\"=1"),
        format!("bucket=http://user:{secret}@host/x,@"),
        format!("part_size=\"https://{secret}@host/x\""),
        format!("AccountKey={secret};x=y"),
        format!("DefaultEndpointsProtocol=https;AccountName=n;AccountKey={secret}=="),
        format!("SharedAccessSignature=\"sv=1&sig={secret}\",@"),
        format!("secret_key={secret},@"),
        format!("PASSWORD:{secret},@"),
        format!("s3://AK:{secret}@bucket/p"),
        format!("s3://{PLANT}@bucket/p"),
        format!("s3://AK:S/{secret}@bucket/p?x=1"),
        format!("s3://bucket/p?auth_token={secret}"),
        format!("s3://bucket/p?a%75th%5Ftoken={PLANT}"),
        format!("s3://bucket/p?x=1&auth_token={secret}&@=1"),
        format!("s3://bucket/p?endpoint=http://{secret}@host"),
        format!("s3://bucket/p?endpoint=http%3A%2F%2Fu:{PLANT}%40host"),
        format!("s3://bucket/p?endpoint=http%3A%2F%2Fu:{PLANT}%40host%zz"),
        format!("http://AK:{secret}@host/bucket"),
    ] {
        let shown = visible(&text);
        assert!(!shown.contains(PLANT), "{text}\nshows\n{shown}");
    }
}

#[test]
fn what_is_no_secret_is_shown() {
    let config = Config::parse("bucket=b,auth_token=\"AK;SK\",readonly,cache=(password=x,size=1GB)").unwrap();
    assert_eq!(
        format!("{config:?}"),
        r#"{bucket: "b", auth_token: [secret], readonly: (bare), cache: {password: [secret], size: "1GB"}}"#
    );
    assert_eq!(
        config.redacted().to_string(),
        "bucket=b,auth_token=[secret],readonly,cache=(password=[secret],size=1GB)"
    );
    assert_eq!(config.to_string(), "bucket=b,auth_token=\"AK;SK\",readonly,cache=(password=x,size=1GB)");
    let token = config.get("auth_token").unwrap();
    assert_eq!((token.is_secret(), token.kind(), token.text()), (true, ValueKind::Text, Some("AK;SK")));
    assert!(!config.get("bucket").unwrap().is_secret());
}

fn noise() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "a", "b1", "x=1", "=", ":", ",", ",", "(", ")", "[", "]", "{", "}", "\"", "\"", "\\", "\\\"", " ", "\n", "@",
        "é", "5", "a.b", "x=(y=2)", "\"q\"", "~", ";", "s3://", "?", "&", "file:///", "%", "%41",
    ]);
    prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// A secret behind its key stays hidden whatever is broken around it, and whatever characters it holds itself.
    #[test]
    fn a_secret_stays_hidden_in_broken_texts(
        before in noise(),
        after in noise(),
        key in prop::sample::select(vec!["auth_token", "password", "x.secret_key", "\"auth_token\"", "AccountKey"]),
        separator in prop::sample::select(vec!["=", ":", " = ", "=\n", "=\"", "=\\\"", "=(", "=[\"", "=é", "=~"]),
        inside in "[A-Za-z0-9;/+=]{0,6}",
    ) {
        let comma = if before.is_empty() || before.ends_with(',') { "" } else { "," };
        let text = format!("{before}{comma}{key}{separator}K{inside}{PLANT}{inside}{PLANT}{after}");
        let shown = visible(&text);
        prop_assert!(!shown.contains(PLANT), "{}\nshows\n{}", text, shown);
    }
}

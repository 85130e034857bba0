//! Store URLs: nothing panics, what is read prints as a configuration string that reads back, no user information is shown.

#![no_main]

use libfuzzer_sys::fuzz_target;
use plastron_config::Config;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match Config::parse_store(text) {
        Ok(config) => assert_eq!(Config::parse(&config.to_string()).unwrap(), config),
        Err(error) => assert!(!format!("{error:#}").is_empty()),
    }
    // Where the text itself can't bring in a quote, a comma or a question mark, the password is all there is before the bucket.
    if !text.contains(['"', ',', '?', '@', '[']) && !text.contains(char::is_whitespace) && !text.contains(char::is_control) {
        let error = Config::parse_store(&format!("s3://AK:pLaNt3d{text}@bucket")).unwrap_err();
        assert!(!format!("{error:#} {error:?}").contains("pLaNt3d"));
    }
});

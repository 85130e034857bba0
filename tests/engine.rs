//! The example for engine builders, played on a directory; what it says of itself holds.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test says what it expects by failing")]

#[allow(dead_code, reason = "its `main`")]
#[path = "../examples/engine.rs"]
mod engine;

#[tokio::test]
async fn the_toy_engine_is_durable_reopened_and_followed() {
    let directory = tempfile::tempdir().unwrap();
    let store = format!("source=dir_store,bucket=\"{}\",key_management=(name=mock)", directory.path().display());
    assert_eq!(engine::play(&store).await.unwrap(), [500, 300, 500, 500]);
    let length = include_str!("../examples/engine.rs").lines().count();
    assert!(length < 200, "a guide has to be short, not {length} lines");
}

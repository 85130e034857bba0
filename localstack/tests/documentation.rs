//! What the book says about the test servers is so.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test says what it expects by failing")]

use plastron_localstack::{Endpoint, ErrorKind, Rules, Server};

const PAGE: &str = include_str!("../../docs/src/operations/localstack.md");
const COMPOSE: &str = include_str!("../compose.yaml");
const COMPOSE_ENVIRONMENT: &str = include_str!("../compose.env");

/// The text of every block in this language.
fn blocks(language: &str) -> Vec<&'static str> {
    let open = format!("```{language}\n");
    PAGE.split(&open).skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

/// The first column of the table whose head holds `head`.
fn first_column(head: &str) -> Vec<&'static str> {
    let rows = PAGE.lines().skip_while(|line| !line.starts_with(head)).skip(2).take_while(|line| line.starts_with('|'));
    rows.flat_map(|row| row.split('|').nth(1).unwrap().split(',')).map(|cell| cell.trim().trim_matches('`')).collect()
}

#[test]
fn rules_are_rules() {
    let rules = blocks("json");
    assert_eq!(rules.len(), 1);
    assert_eq!(Rules::from_json(rules[0]).unwrap().rules.len(), 3);
}

#[test]
fn every_server_is_in_the_table() {
    let names: Vec<_> = Server::ALL.iter().map(|server| server.name()).collect();
    assert_eq!(first_column("| name | speaks"), names);
}

#[test]
fn every_fault_is_in_the_table() {
    // The parser's own list of what it knows.
    let refused = Rules::from_json(r#"{ "rules": [ { "fault": "none" } ] }"#).unwrap_err().to_string();
    let known = refused.split("expected one of ").nth(1).unwrap();
    let mut known: Vec<_> = known.split('`').skip(1).step_by(2).collect();
    let mut told = first_column("| fault | fields");
    known.sort_unstable();
    told.sort_unstable();
    assert_eq!(told, known);
}

#[test]
fn the_environment_of_the_containers_leads_to_them() {
    let read = |name: &str| {
        let line = COMPOSE_ENVIRONMENT.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='))?;
        Some(line.trim_matches('"').to_owned())
    };
    for server in Server::ALL {
        match Endpoint::from_variables(server, read) {
            Ok(Some(endpoint)) => {
                let port = endpoint.url.rsplit(':').next().unwrap().split('/').next().unwrap();
                assert!(COMPOSE.contains(&format!("[\"127.0.0.1:{port}:")), "{server} at port {port}");
            }
            Ok(None) => assert!(matches!(server, Server::Gcs | Server::Careless), "{server} is led nowhere"),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Unsupported);
                assert!(!COMPOSE.contains(&format!("  {server}:\n")), "{server}");
            }
        }
    }
}

#[test]
fn containers_listen_on_loopback_only() {
    let ports: Vec<_> = COMPOSE.lines().filter(|line| line.trim_start().starts_with("ports:")).collect();
    assert_eq!(ports.len(), 8);
    assert!(ports.iter().all(|line| line.contains("[\"127.0.0.1:")));
}

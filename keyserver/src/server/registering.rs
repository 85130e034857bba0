//! The routes by which names are registered without an operator, and by which operators say whose word is taken for that.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;

use super::http::{Answer, Caller, Shared, asked};
use super::metrics::Route;
use crate::proto::{AuthoritiesChange, CertifiedRegistration, IssuersChange, Message as _, Registration};

pub(super) async fn register(State(shared): State<Arc<Shared>>, from: Caller, body: Bytes) -> Answer<String> {
    let work = async {
        let registration: Registration = asked(&body)?;
        shared.runner.register(registration, shared.options.deadline).await
    };
    Ok(shared.bounded(Route::Register, from, work).await?.to_string())
}

pub(super) async fn register_certified(State(shared): State<Arc<Shared>>, from: Caller, body: Bytes) -> Answer<String> {
    let work = async {
        let registration: CertifiedRegistration = asked(&body)?;
        shared.runner.register_certified(registration, shared.options.deadline).await
    };
    Ok(shared.bounded(Route::Register, from, work).await?.to_string())
}

pub(super) async fn issuers(State(shared): State<Arc<Shared>>, from: Caller, body: Bytes) -> Answer<String> {
    let work = async {
        shared.certified(from, "a change of the issuers")?;
        let change: IssuersChange = asked(&body)?;
        shared.runner.change_issuers(change, shared.options.deadline).await
    };
    Ok(shared.bounded(Route::Issuers, from, work).await?.to_string())
}

pub(super) async fn read_issuers(State(shared): State<Arc<Shared>>, from: Caller) -> Answer<Vec<u8>> {
    shared.bounded(Route::Issuers, from, shared.read(|directory| directory.issuers()?.to_bounded_bytes())).await
}

pub(super) async fn authorities(State(shared): State<Arc<Shared>>, from: Caller, body: Bytes) -> Answer<String> {
    let work = async {
        shared.certified(from, "a change of the authorities")?;
        let change: AuthoritiesChange = asked(&body)?;
        shared.runner.change_authorities(change, shared.options.deadline).await
    };
    Ok(shared.bounded(Route::Authorities, from, work).await?.to_string())
}

pub(super) async fn read_authorities(State(shared): State<Arc<Shared>>, from: Caller) -> Answer<Vec<u8>> {
    let work = shared.read(|directory| directory.authorities()?.to_bounded_bytes());
    shared.bounded(Route::Authorities, from, work).await
}

//! The calls, each as the route of HTTP that does the same.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::ConnectInfo;
use tonic::{Request, Response, Status};

use super::super::http::Shared;
use super::front::Asking;
use super::verifier_stream::{Pages, pages};
use crate::grpc::keyserver_server::Keyserver;
use crate::grpc::{self as wire, asked, body_of, status_of};
use crate::machine::Directory;
use crate::proto::{
    AuthoritiesChange, CertifiedRegistration, HistoryPage, IssuersChange, LogEntry, LookupRequest, PolicyChange,
    Registration, Update,
};
use crate::{Error, Result};

type Answer<T> = std::result::Result<Response<T>, Status>;

/// Answers calls.
#[derive(Debug, Clone)]
pub(super) struct Calls {
    shared: Arc<Shared>,
}

/// Who asks, and what.
fn parts<S>(request: Request<S>) -> Result<(Asking, S)> {
    let asking = request.extensions().get::<Asking>().copied();
    Ok((asking.ok_or(Error::Stopped("the entrance"))?, request.into_inner()))
}

impl Calls {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Does `work` with what was sent, if whoever asks may; `certified` says what needs a certificate.
    async fn call<S, M, T, F>(
        &self,
        request: Request<S>,
        certified: Option<&'static str>,
        work: impl FnOnce(Arc<Shared>, M, Duration) -> F,
    ) -> Answer<T>
    where
        S: TryInto<M, Error = Error>,
        F: Future<Output = Result<T>>,
    {
        let done = async {
            let (asking, sent) = parts(request)?;
            if let Some(what) = certified {
                self.shared.certified(ConnectInfo(asking.peer), what)?;
            }
            let message = asked(sent)?;
            self.shared.permitted(asking.deadline, work(Arc::clone(&self.shared), message, asking.deadline)).await
        };
        done.await.map(Response::new).map_err(|error| status_of(&error))
    }

    /// Reads from the directory what everybody may.
    async fn read<S, T: Send + 'static>(
        &self,
        request: Request<S>,
        work: impl FnOnce(&Directory) -> Result<T> + Send + 'static,
    ) -> Answer<T> {
        let done = async {
            let (asking, _) = parts(request)?;
            self.shared.permitted(asking.deadline, self.shared.read(work)).await
        };
        done.await.map(Response::new).map_err(|error| status_of(&error))
    }
}

#[tonic::async_trait]
impl Keyserver for Calls {
    async fn lookup(&self, request: Request<wire::LookupRequest>) -> Answer<wire::LookupResponse> {
        let work = |shared: Arc<Shared>, request: LookupRequest, _| async move {
            shared.read(move |directory| directory.lookup(&request).map(|answer| (&answer).into())).await
        };
        self.call(request, None, work).await
    }

    async fn update(&self, request: Request<wire::UpdateRequest>) -> Answer<wire::UpdateResponse> {
        let work = |shared: Arc<Shared>, update: Update, deadline| async move {
            shared.runner.update(update, deadline).await.map(|epoch| wire::UpdateResponse { epoch })
        };
        self.call(request, None, work).await
    }

    async fn register(&self, request: Request<wire::RegisterRequest>) -> Answer<wire::UpdateResponse> {
        let work = |shared: Arc<Shared>, registration: Registration, deadline| async move {
            shared.runner.register(registration, deadline).await.map(|epoch| wire::UpdateResponse { epoch })
        };
        self.call(request, None, work).await
    }

    async fn register_certified(
        &self,
        request: Request<wire::RegisterCertifiedRequest>,
    ) -> Answer<wire::UpdateResponse> {
        let work = |shared: Arc<Shared>, registration: CertifiedRegistration, deadline| async move {
            shared.runner.register_certified(registration, deadline).await.map(|epoch| wire::UpdateResponse { epoch })
        };
        self.call(request, None, work).await
    }

    async fn history(&self, request: Request<wire::HistoryRequest>) -> Answer<wire::HistoryResponse> {
        let asked = request.get_ref().clone();
        let work = move |directory: &Directory| {
            let items = directory.history(&asked.name, asked.from, HistoryPage::MOST_ITEMS)?;
            Ok((&HistoryPage { items }).into())
        };
        self.read(request, work).await
    }

    async fn push_ratification(
        &self,
        request: Request<wire::PushRatificationRequest>,
    ) -> Answer<wire::PushRatificationResponse> {
        let work = |shared: Arc<Shared>, entry: LogEntry, deadline| async move {
            if let LogEntry::HeadSignature { epoch, key, signature } = entry {
                shared.runner.ratify(epoch, key, signature, deadline).await?;
            }
            Ok(wire::PushRatificationResponse {})
        };
        self.call(request, Some("a ratification"), work).await
    }

    type VerifierStreamStream = Pages;

    async fn verifier_stream(&self, request: Request<wire::VerifierStreamRequest>) -> Answer<Pages> {
        let begun = || {
            let (asking, from) = parts(request)?;
            self.shared.certified(ConnectInfo(asking.peer), "the verifiers' stream")?;
            Ok(pages(Arc::clone(&self.shared), from.into(), asking.said, self.shared.place()?))
        };
        begun().map(Response::new).map_err(|error: Error| status_of(&error))
    }

    async fn change_policy(&self, request: Request<wire::ChangePolicyRequest>) -> Answer<wire::ChangePolicyResponse> {
        let work = |shared: Arc<Shared>, change: PolicyChange, deadline| async move {
            shared.runner.change_policy(change, deadline).await.map(|()| wire::ChangePolicyResponse {})
        };
        self.call(request, Some("a change of the realm policy"), work).await
    }

    async fn issuers(&self, request: Request<wire::IssuersRequest>) -> Answer<wire::IssuersResponse> {
        let work = |directory: &Directory| {
            directory.issuers().map(|issuers| wire::IssuersResponse { issuers: body_of(&issuers) })
        };
        self.read(request, work).await
    }

    async fn change_issuers(
        &self,
        request: Request<wire::ChangeIssuersRequest>,
    ) -> Answer<wire::ChangeIssuersResponse> {
        let work = |shared: Arc<Shared>, change: IssuersChange, deadline| async move {
            shared.runner.change_issuers(change, deadline).await.map(|epoch| wire::ChangeIssuersResponse { epoch })
        };
        self.call(request, Some("a change of the issuers"), work).await
    }

    async fn authorities(&self, request: Request<wire::AuthoritiesRequest>) -> Answer<wire::AuthoritiesResponse> {
        let work = |directory: &Directory| {
            directory.authorities().map(|found| wire::AuthoritiesResponse { authorities: body_of(&found) })
        };
        self.read(request, work).await
    }

    async fn change_authorities(
        &self,
        request: Request<wire::ChangeAuthoritiesRequest>,
    ) -> Answer<wire::ChangeAuthoritiesResponse> {
        let work = |shared: Arc<Shared>, change: AuthoritiesChange, deadline| async move {
            let epoch = shared.runner.change_authorities(change, deadline).await?;
            Ok(wire::ChangeAuthoritiesResponse { epoch })
        };
        self.call(request, Some("a change of the authorities"), work).await
    }

    async fn status(&self, request: Request<wire::StatusRequest>) -> Answer<wire::StatusResponse> {
        let (realm, failure) = (self.shared.runner.realm(), self.shared.runner.failure());
        let (_, _, in_rotation) = self.shared.rotation();
        let work = move |directory: &Directory| {
            let (state, record) = directory.status()?;
            Ok(wire::StatusResponse {
                realm: realm.0.to_vec().into(),
                applied: state.applied,
                epoch: state.ratified,
                awaiting: state.delimited != state.ratified,
                pending: state.pending,
                issued_ms: state.issued_ms,
                signatures: record.as_ref().map_or(0, |record| record.signed.signatures.len() as u64),
                head: record.map(|record| record.signed.head.digest().0.to_vec().into()).unwrap_or_default(),
                policy_generation: state.policy.generation,
                failure,
                in_rotation,
            })
        };
        self.read(request, work).await
    }
}

//! When a connection of the HTTP client opens. The client opens its connections itself, and each has a place among those of
//! the target; here it tells that place of its opening.
//!
//! In clear a connection is open when the connector has it. Under TLS the connector has it only after the handshake, which
//! may fail or never end: there the beginning of the handshake tells.

use crate::net::Place;
use rustls::NamedGroup;
use rustls::client::{ClientSessionStore, Resumption, Tls12ClientSessionValue, Tls13ClientSessionValue};
use rustls::pki_types::ServerName;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tower_layer::Layer;
use tower_service::Service;

tokio::task_local! {
    static PLACE: Arc<Place>;
}

/// Sends a request whose connection has this place.
pub fn within<F: Future>(place: &Arc<Place>, request: F) -> impl Future<Output = F::Output> {
    PLACE.scope(Arc::clone(place), request)
}

fn opened() {
    // Without a place nobody counts.
    let _ = PLACE.try_with(|place| place.opened());
}

/// Sessions that are never resumed, in whose store each handshake looks once as it begins.
pub fn noted() -> Resumption {
    Resumption::store(Arc::new(NoSessions))
}

#[derive(Debug)]
struct NoSessions;

impl ClientSessionStore for NoSessions {
    fn set_kx_hint(&self, _: ServerName<'static>, _: NamedGroup) {}

    fn kx_hint(&self, _: &ServerName<'_>) -> Option<NamedGroup> {
        None
    }

    fn set_tls12_session(&self, _: ServerName<'static>, _: Tls12ClientSessionValue) {}

    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        None
    }

    fn remove_tls12_session(&self, _: &ServerName<'static>) {}

    fn insert_tls13_ticket(&self, _: ServerName<'static>, _: Tls13ClientSessionValue) {}

    fn take_tls13_ticket(&self, _: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        opened();
        None
    }
}

/// Tells of each connection that the connector has.
#[derive(Clone, Copy, Debug)]
pub struct Noting;

impl<S> Layer<S> for Noting {
    type Service = Noted<S>;

    fn layer(&self, inner: S) -> Noted<S> {
        Noted(inner)
    }
}

/// A connector that tells.
#[derive(Clone, Debug)]
pub struct Noted<S>(S);

impl<S, Request> Service<Request> for Noted<S>
where
    S: Service<Request>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let connecting = self.0.call(request);
        Box::pin(async move {
            let connection = connecting.await?;
            opened();
            Ok(connection)
        })
    }
}

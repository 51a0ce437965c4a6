//! The access token of a request whose credential is a service account's key.

use super::{Attempt, Outbound, State};
use crate::error::Error;
use crate::http::Headers;
use crate::plan::{Plan, Target};
use crate::service_account::{Access, Exchange, KEY_FILE, ServiceAccount, Vault, access};
use std::rc::Rc;

/// A request that is ready but for its token.
#[derive(Debug)]
pub struct Request {
    /// `None` behind the hop.
    pub plan: Option<Plan>,
    /// Its headers.
    pub headers: Headers,
    /// Its body, `None` if it is the client's.
    pub body: Option<Vec<u8>>,
}

/// A request whose token was asked for.
#[derive(Debug)]
pub struct Waiting {
    pub request: Request,
    exchange: Exchange,
}

impl Attempt {
    /// Sends a request, with a token if its credential is a service account's key. In front of the
    /// hop that is left to the attempt behind it, whose failure can be tried elsewhere. `now` is
    /// Unix time in milliseconds.
    ///
    /// # Errors
    /// The key is unusable.
    pub(super) fn authorize(
        &mut self,
        request: Request,
        vault: &dyn Vault,
        now: u64,
    ) -> Result<Outbound, Error> {
        let target = request.plan.as_ref().and_then(|plan| plan.targets.get(self.at.target));
        let key_file = match target {
            Some(target) if target.hop => None,
            Some(target) => target.key_file().or(self.key_file.as_ref().map(|file| &*file.0)),
            None => self.key_file.as_ref().map(|file| &*file.0),
        };
        let Some(key_file) = key_file else { return Ok(self.sent(request)) };
        let account = ServiceAccount::parse(key_file).map_err(|wanted| {
            Error::invalid("invalid_service_account", "Invalid service account")
                .with_hint(wanted)
                .with_param(KEY_FILE)
        })?;
        match access(&account, &self.registry.google_token_url, now / 1000, vault)? {
            Access::Token(token) => Ok(self.sent(request.with(&token))),
            Access::Ask(exchange, call) => {
                self.state = State::Token(Box::new(Waiting { request, exchange }));
                Ok(Outbound::Call(Box::new(call)))
            }
        }
    }

    /// The end of the call for which [`Outbound::Call`] asked; `status` is `None` when it was not
    /// made. `now` is Unix time in milliseconds.
    pub fn on_call_response(
        &mut self,
        status: Option<u16>,
        body: &[u8],
        vault: &dyn Vault,
        now: u64,
    ) -> Outbound {
        let State::Token(waiting) = std::mem::replace(&mut self.state, State::Done) else {
            return self.fail(&Error::gateway("internal_error", "No call was asked for"));
        };
        let Waiting { request, exchange } = *waiting;
        match exchange.finish(status, body, now / 1000, vault) {
            Ok(token) => self.sent(request.with(&token)),
            Err(error) => self.fail(&error),
        }
    }

    fn sent(&mut self, request: Request) -> Outbound {
        self.state = match request.plan {
            Some(plan) => State::Sent(Rc::new(plan)),
            None => State::Relayed,
        };
        Outbound::Send(request.headers, request.body)
    }
}

impl Request {
    fn with(mut self, token: &str) -> Self {
        self.headers.set("authorization", ["Bearer ", token].concat());
        self
    }
}

impl Target {
    /// The caller's key of a service account.
    pub fn key_file(&self) -> Option<&str> {
        self.settings.get(KEY_FILE)
    }
}

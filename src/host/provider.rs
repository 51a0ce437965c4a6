//! The provider role's stream: Envoy's callbacks to [`Attempt`], its verdicts to Envoy.

use super::abi::{self, Buffer, HostResult, Map};
use super::{headers, refuse, reply, set_headers};
use crate::attempt::{Attempt, Inbound, Outbound};
use crate::config::registry::Registry;
use crate::gateway::property;
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;
use std::rc::Rc;

/// One attempt.
pub struct Stream {
    core: Attempt,
    /// The request body is being collected.
    waiting: bool,
}

impl Stream {
    pub fn new(registry: Rc<Registry>) -> Self {
        Self { core: Attempt::new(registry), waiting: false }
    }

    fn on_request(&mut self, end_of_stream: bool) -> HostResult<Action> {
        let plan = abi::property(property::PLAN)?;
        let map = headers(Map::RequestHeaders)?;
        let outbound = self.core.on_request_headers(plan.as_deref(), map, end_of_stream);
        self.send(outbound)
    }

    fn on_whole_body(&mut self, size: usize) -> Action {
        let sent = abi::buffer(Buffer::RequestBody, size).and_then(|body| {
            let outbound = self.core.on_request_body(&body);
            self.send(outbound)
        });
        sent.unwrap_or_else(|error| refuse(&error.to_string()))
    }

    fn send(&mut self, outbound: Outbound) -> HostResult<Action> {
        self.waiting = matches!(outbound, Outbound::NeedBody);
        match outbound {
            Outbound::NeedBody => Ok(Action::Pause),
            Outbound::Reply(answer) => Ok(reply(&answer)),
            Outbound::Send(map, body) => {
                set_headers(Map::RequestHeaders, &map)?;
                if let Some(body) = body {
                    abi::set_buffer(Buffer::RequestBody, &body)?;
                }
                Ok(Action::Continue)
            }
        }
    }

    fn on_response(&mut self, end_of_stream: bool) -> HostResult<Action> {
        let attempt = abi::property("upstream\0request_attempt_count")?.unwrap_or_default();
        let attempt = attempt.try_into().map_or(1, u64::from_le_bytes);
        let now = abi::now()? / 1_000_000_000;
        let mut map = headers(Map::ResponseHeaders)?;
        let inbound = self.core.on_response_headers(&mut map, end_of_stream, attempt, now);
        if inbound == Inbound::Hold {
            return Ok(Action::Pause);
        }
        set_headers(Map::ResponseHeaders, &map)?;
        self.publish()?;
        Ok(Action::Continue)
    }

    fn on_response_bytes(&mut self, size: usize, end_of_stream: bool) -> HostResult<Action> {
        if self.core.holds() && !end_of_stream {
            return Ok(Action::Pause);
        }
        if !self.core.reads() {
            return Ok(Action::Continue);
        }
        let bytes = abi::buffer(Buffer::ResponseBody, size)?;
        match self.core.on_response_body(&bytes, end_of_stream) {
            Inbound::Pass => {}
            Inbound::Hold => return Ok(Action::Pause),
            Inbound::Replace(bytes) => abi::set_buffer(Buffer::ResponseBody, &bytes)?,
            Inbound::Release(map, body) => {
                set_headers(Map::ResponseHeaders, &map)?;
                abi::set_buffer(Buffer::ResponseBody, &body)?;
            }
        }
        self.publish()?;
        Ok(Action::Continue)
    }

    /// Writes what is known of the answer as soon as it is known: a client may leave at any time.
    fn publish(&mut self) -> HostResult<()> {
        match self.core.news() {
            Some(facts) => abi::set_property(property::FACTS, &facts),
            None => Ok(()),
        }
    }
}

impl Context for Stream {}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _: usize, end_of_stream: bool) -> Action {
        self.on_request(end_of_stream).unwrap_or_else(|error| refuse(&error.to_string()))
    }

    fn on_http_request_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        match (self.waiting, end_of_stream) {
            (true, true) => self.on_whole_body(size),
            (true, false) => Action::Pause,
            (false, _) => Action::Continue,
        }
    }

    fn on_http_request_trailers(&mut self, _: usize) -> Action {
        match self.waiting {
            true => self.on_whole_body(usize::MAX),
            false => Action::Continue,
        }
    }

    fn on_http_response_headers(&mut self, _: usize, end_of_stream: bool) -> Action {
        self.on_response(end_of_stream).unwrap_or_else(|error| {
            log::error!("response headers were not read: {error}");
            Action::Continue
        })
    }

    fn on_http_response_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        self.on_response_bytes(size, end_of_stream).unwrap_or_else(|error| {
            log::error!("the response body was not read: {error}");
            Action::Continue
        })
    }

    fn on_http_response_trailers(&mut self, _: usize) -> Action {
        match self.core.holds() {
            true => self.on_response_bytes(usize::MAX, true).unwrap_or(Action::Continue),
            false => Action::Continue,
        }
    }
}

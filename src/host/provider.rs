//! The provider role's stream: Envoy's callbacks to [`Attempt`], its verdicts to Envoy.

use super::abi::{self, Buffer, HostResult, Map};
use super::world::{self, Envoy, milliseconds};
use super::{caller, headers, refuse, reply, set_headers};
use crate::attempt::{Attempt, Beginning, Inbound, Outbound};
use crate::call::Call;
use crate::config::registry::Registry;
use crate::contract::property;
use crate::gateway::Reply;
use crate::http::Headers;
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;
use std::rc::Rc;

/// One attempt.
pub struct Stream {
    core: Attempt,
    /// The request body is being collected.
    waiting: bool,
    /// Bytes of the held response body that were read.
    read: usize,
    /// The call whose end is the end of the wait for a stream's first content.
    timer: Option<u32>,
    /// The call without whose answer the request cannot go out.
    call: Option<u32>,
}

impl Stream {
    pub fn new(registry: Rc<Registry>) -> Self {
        Self { core: Attempt::new(registry), waiting: false, read: 0, timer: None, call: None }
    }

    fn on_request(&mut self, end_of_stream: bool) -> HostResult<Action> {
        let plan = abi::property(property::PLAN)?;
        let map = headers(Map::RequestHeaders)?;
        let beginning = Beginning {
            plan: plan.as_deref(),
            report: &|| abi::property(property::REPORT).ok().flatten(),
            cluster: &|| {
                let name = abi::property("xds\0cluster_name").ok().flatten();
                String::from_utf8(name.unwrap_or_default()).unwrap_or_default()
            },
            vault: &Envoy,
            now: milliseconds(),
        };
        let outbound = self.core.on_request_headers(&beginning, map, end_of_stream);
        self.publish()?;
        self.send(outbound)
    }

    fn on_whole_body(&mut self, size: usize) -> Action {
        let sent = abi::buffer(Buffer::RequestBody, 0, size).and_then(|body| {
            let outbound = self.core.on_request_body(&body, &Envoy);
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
            Outbound::Call(call) => {
                let made = caller::dispatch(&call);
                if made.is_none() {
                    let outbound = self.core.on_call_response(None, b"", &Envoy, milliseconds());
                    return self.send(outbound);
                }
                self.call = made;
                Ok(Action::Pause)
            }
        }
    }

    /// The call has been answered, or will not be.
    fn on_call(&mut self, headers: usize, size: usize) -> HostResult<()> {
        self.call = None;
        let answer = caller::answer(headers, size.min(MAX_CALL_BODY));
        let (status, body) = answer.map_or((None, Vec::new()), |it| (Some(it.status), it.body));
        let outbound = self.core.on_call_response(status, &body, &Envoy, milliseconds());
        match self.send(outbound)? {
            Action::Continue => abi::resume_request(),
            _ => Ok(()),
        }
    }

    fn on_response(&mut self, end_of_stream: bool) -> HostResult<Action> {
        let mut map = headers(Map::ResponseHeaders)?;
        let now = milliseconds();
        let inbound = self.core.on_response_headers(&Envoy, &mut map, end_of_stream, now);
        set_headers(Map::ResponseHeaders, &map)?;
        self.publish()?;
        if let Some(pause) = self.core.first_token_timeout() {
            self.start_timer(pause);
        }
        Ok(if inbound == Inbound::Hold { Action::Pause } else { Action::Continue })
    }

    fn on_response_bytes(&mut self, size: usize, end_of_stream: bool) -> HostResult<Action> {
        if self.core.wants_whole() && !end_of_stream {
            return Ok(Action::Pause);
        }
        if !self.core.reads() {
            return Ok(Action::Continue);
        }
        // What is held comes again with every callback.
        let bytes = match size > self.read {
            true => abi::buffer(Buffer::ResponseBody, self.read, size)?,
            false => Vec::new(),
        };
        let inbound = self.core.on_response_body(&Envoy, &bytes, end_of_stream, milliseconds());
        self.publish()?;
        let held = inbound == Inbound::Hold;
        self.read = if held { self.read + bytes.len() } else { 0 };
        match inbound {
            Inbound::Pass | Inbound::Hold => {}
            Inbound::Replace(bytes) => abi::set_buffer(Buffer::ResponseBody, &bytes)?,
            Inbound::Release(map, body) => return self.release(map, &body),
        }
        Ok(if held { Action::Pause } else { Action::Continue })
    }

    /// Lets a held answer go with other headers and another body.
    fn release(&mut self, mut map: Headers, body: &[u8]) -> HostResult<Action> {
        if abi::set_buffer(Buffer::ResponseBody, body).is_ok() {
            set_headers(Map::ResponseHeaders, &map)?;
            return Ok(Action::Continue);
        }
        // There was no body to be replaced, so that none can go with these headers.
        if self.core.goes_on() {
            map.remove("content-length");
            set_headers(Map::ResponseHeaders, &map)?;
            return Ok(Action::Continue);
        }
        Ok(reply(&Reply::instead(&map, body)))
    }

    /// The answer ends with trailers: after them nothing can be written any more.
    fn on_trailers(&mut self) -> HostResult<Action> {
        if self.core.holds() {
            return self.on_response_bytes(usize::MAX, true);
        }
        if !self.core.reads() {
            return Ok(Action::Continue);
        }
        let inbound = self.core.on_response_body(&Envoy, &[], true, milliseconds());
        self.publish()?;
        match inbound {
            // Words that would have to follow, such as the error of a stream that ended too early.
            Inbound::Replace(rest) if !rest.is_empty() => {
                self.core.on_broken_off();
                self.publish()?;
                abi::close_response()?;
                Ok(Action::Pause)
            }
            _ => Ok(Action::Continue),
        }
    }

    /// A call that nobody answers, so that its time-out comes after `pause` milliseconds: Envoy
    /// has no other timer for a single stream.
    fn start_timer(&mut self, pause: u64) {
        self.timer = caller::dispatch(&Call::pause(pause));
    }

    fn on_timer(&mut self) -> HostResult<()> {
        let inbound = self.core.on_first_token_timeout(&Envoy, milliseconds());
        self.publish()?;
        let Inbound::Release(mut map, body) = inbound else { return Ok(()) };
        if self.core.goes_on() {
            // What came of the stream is still its body.
            map.remove("content-length");
            set_headers(Map::ResponseHeaders, &map)?;
            return abi::resume_response();
        }
        reply(&Reply::instead(&map, &body));
        Ok(())
    }

    /// Writes what is known of the answer as soon as it is known: a client may leave at any time.
    fn publish(&mut self) -> HostResult<()> {
        let news = self.core.news();
        if let Some(cluster) = &news.cluster {
            abi::set_property(property::CLUSTER, cluster.as_bytes())?;
        }
        if let Some(report) = &news.report {
            abi::set_property(property::REPORT, report)?;
        }
        if let Some((cluster, pause)) = &news.cooling {
            world::cool(cluster, *pause);
        }
        Ok(())
    }
}

/// Most bytes that are read of the answer to a call.
const MAX_CALL_BODY: usize = 64 << 10;

impl Context for Stream {
    fn on_http_call_response(&mut self, token: u32, headers: usize, body: usize, _: usize) {
        if self.call == Some(token) {
            if let Err(error) = self.on_call(headers, body) {
                refuse(&error.to_string());
            }
            return;
        }
        if self.timer.take() != Some(token) {
            return;
        }
        if let Err(error) = self.on_timer() {
            log::error!("a late stream was not ended: {error}");
        }
    }

    fn on_done(&mut self) -> bool {
        self.core.on_done(&Envoy, milliseconds);
        if let Err(error) = self.publish() {
            log::error!("the end of an attempt was not noted: {error}");
        }
        true
    }
}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _: usize, end_of_stream: bool) -> Action {
        self.on_request(end_of_stream).unwrap_or_else(|error| refuse(&error.to_string()))
    }

    fn on_http_request_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        // A callback that lets the body go would let the request go.
        match (self.waiting, end_of_stream) {
            _ if self.call.is_some() => Action::Pause,
            (true, true) => self.on_whole_body(size),
            (true, false) => Action::Pause,
            (false, _) => Action::Continue,
        }
    }

    fn on_http_request_trailers(&mut self, _: usize) -> Action {
        match self.waiting {
            _ if self.call.is_some() => Action::Pause,
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
        self.on_trailers().unwrap_or_else(|error| {
            log::error!("the end of a response was not read: {error}");
            Action::Continue
        })
    }
}

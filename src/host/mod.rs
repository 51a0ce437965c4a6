//! The host: Envoy, by the proxy-wasm ABI. Nothing here knows what a request means; it carries
//! events to the two roles and their verdicts to Envoy.

mod abi;
mod allocator;
mod caller;
mod exporter;
mod gateway;
mod logger;
mod metrics;
mod provider;
mod timer;
mod world;

use crate::cache::lookup;
use crate::cache::slots::Slots;
use crate::caller::account::Account;
use crate::config::registry::Registry;
use crate::config::settings::Role;
use crate::gateway::{Reply, spending};
use crate::http::{Headers, Update};
use crate::requirements;
use abi::{Buffer, HostError, HostResult, Map};
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType};
use std::rc::Rc;

proxy_wasm::main! {{
    logger::install();
    proxy_wasm::set_root_context(|_| Box::new(Root::default()));
}}

/// One plugin configuration in this VM.
#[derive(Default)]
struct Root {
    registry: Option<Rc<Registry>>,
    jobs: caller::Jobs,
    exporter: exporter::Exporter,
}

impl Root {
    fn configure(&self, size: usize) -> Result<Registry, String> {
        let node = abi::property("xds\0node").map_err(|e| e.to_string())?;
        requirements::check(&node.unwrap_or_default())?;
        let json = abi::buffer(Buffer::PluginConfiguration, 0, size).map_err(|e| e.to_string())?;
        let registry = Registry::parse(&json)?;
        if let Some(settings) = &registry.cache {
            Slots::new(&world::Envoy, lookup::limits(settings)).lay_out();
        }
        let policies = registry.callers.iter().flat_map(|callers| callers.policies());
        for account in policies.flat_map(spending::accounts) {
            Account::open(&world::Envoy, &account);
        }
        if let Some(settings) = &registry.metrics {
            settings.open(&world::Envoy);
            metrics::note_config(&registry.config_version);
        }
        Ok(registry)
    }
}

impl Context for Root {
    fn on_http_call_response(&mut self, token: u32, headers: usize, body: usize, _: usize) {
        let traces = self.registry.as_ref().and_then(|registry| registry.traces.as_ref());
        if let Some(traces) = traces
            && self.exporter.on_answer(traces, token, headers, body)
        {
            return;
        }
        let answer = caller::answer(headers, body);
        self.jobs.on_answer(token, answer.as_ref());
    }
}

impl RootContext for Root {
    fn on_configure(&mut self, size: usize) -> bool {
        logger::sync_level();
        match self.configure(size) {
            Ok(registry) => {
                self.registry = Some(Rc::new(registry));
                true
            }
            Err(reason) => {
                log::error!("plugin configuration refused: {reason}");
                false
            }
        }
    }

    fn on_tick(&mut self) {
        timer::rang();
        self.jobs.begin();
        if let Some(traces) = self.registry.as_ref().and_then(|one| one.traces.as_ref()) {
            self.exporter.begin(traces);
        }
    }

    fn create_http_context(&self, _: u32) -> Option<Box<dyn HttpContext>> {
        let Some(registry) = &self.registry else {
            return Some(Box::new(Unconfigured));
        };
        Some(match registry.role {
            Role::Gateway => Box::new(gateway::Stream::new(registry.clone())),
            Role::Provider => Box::new(provider::Stream::new(registry.clone())),
        })
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

/// A stream of a plugin whose configuration was refused. Envoy does not send any; if it did, they
/// must not pass.
struct Unconfigured;

impl Context for Unconfigured {}

impl HttpContext for Unconfigured {
    fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action {
        refuse("no configuration")
    }
}

fn headers(map: Map) -> HostResult<Headers> {
    let bytes = abi::header_map(map)?;
    Headers::decode(bytes).ok_or(HostError { call: "decode_header_map", status: 0 })
}

/// Brings the map up to date. Envoy takes a whole map apart header by header, so that a few calls
/// cost less.
fn set_headers(map: Map, headers: &Headers) -> HostResult<()> {
    let names = match headers.update() {
        Update::Whole => return abi::set_header_map(map, &headers.encode()),
        Update::Names(names) => names,
    };
    for (name, values) in names {
        match values.as_slice() {
            [] => abi::remove_header(map, name)?,
            [value] => abi::replace_header(map, name, value)?,
            several => {
                abi::remove_header(map, name)?;
                several.iter().try_for_each(|value| abi::add_header(map, name, value))?;
            }
        }
    }
    Ok(())
}

fn reply(reply: &Reply) -> Action {
    let headers = reply.headers.encode();
    let sent = abi::send_local_response(reply.status, &reply.details, &headers, &reply.body);
    if let Err(error) = sent {
        log::error!("a reply was not sent: {error}");
    }
    Action::Pause
}

/// Answers 500: a host call failed in a way that leaves nothing else to do.
fn refuse(reason: &str) -> Action {
    log::error!("request refused: {reason}");
    let error = crate::error::Error::gateway("internal_error", "The gateway failed");
    reply(&(&error).into())
}

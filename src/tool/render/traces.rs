//! The collector of traces, and what the module is told of it.

use std::borrow::Cow;

use serde_json::Value;

use super::{Places, cluster, filters};
use crate::config::settings::{self, Protocol};
use crate::tool::model::{Gateway, Origin};
use crate::tool::upstream::Credential;

/// Its cluster.
const COLLECTOR: &str = "traces.collector";

/// The headers that it wants. Their files are none that a virtual key could have.
pub(super) fn credentials<'a>(gateway: &'a Gateway) -> Vec<Credential<'a>> {
    let headers = gateway.traces.iter().flat_map(|traces| &traces.headers);
    let credential = |(header, origin): (&'a String, &'a Origin)| Credential {
        file: Cow::Owned(format!("@traces.{header}")),
        header: header.as_str(),
        prefix: "",
        origin,
        exchange: None,
    };
    headers.map(credential).collect()
}

/// Its cluster, if there are traces.
pub(super) fn cluster(gateway: &Gateway, places: &Places) -> Option<Value> {
    let traces = gateway.traces.as_ref()?;
    let filters = credentials(gateway).iter().map(|one| filters::inject(one, places)).collect();
    let cluster = cluster::of_server(COLLECTOR, &traces.url, filters, gateway, places);
    Some(match traces.protocol {
        Protocol::Http => cluster,
        Protocol::Grpc => cluster::with_http2(cluster),
    })
}

/// What the gateway role is told.
pub(super) fn settings(gateway: &Gateway) -> Option<settings::Traces> {
    let traces = gateway.traces.as_ref()?;
    Some(settings::Traces {
        cluster: COLLECTOR.to_owned(),
        authority: traces.url.authority(),
        path: match traces.url.path.as_str() {
            "" => "/v1/traces".to_owned(),
            path => path.to_owned(),
        },
        protocol: traces.protocol,
        sampling: traces.sampling,
        propagate: traces.propagate,
        service_name: traces.service_name.clone(),
        interval: traces.interval,
    })
}

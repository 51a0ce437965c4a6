//! Merges the parts into a bootstrap of the user's.

use serde_json::{Value, json};

use super::fragments::Parts;
use super::{CLUSTERS, Places};

const UPGRADES: &str = "upgrade_configs";
const MANAGER: &str = "envoy.extensions.filters.network.http_connection_manager.v3";

/// The bootstrap with a gateway in every connection manager of the listener of that name.
///
/// # Errors
/// What the bootstrap lacks.
pub fn merge(
    mut bootstrap: Value,
    listener: &str,
    parts: &Parts,
    places: &Places,
) -> Result<Value, String> {
    let root = bootstrap.as_object_mut().ok_or("the bootstrap must be an object")?;
    append(
        root.entry("bootstrap_extensions").or_insert_with(|| json!([])),
        &parts.bootstrap_extensions,
    );
    let stats = root.entry("stats_config").or_insert_with(|| json!({}));
    let stats = stats.as_object_mut().ok_or("stats_config must be an object")?;
    for (field, ours) in parts.stats_config.as_object().into_iter().flatten() {
        append(stats.entry(field).or_insert_with(|| json!([])), ours);
    }
    let dynamic = root.entry("dynamic_resources").or_insert_with(|| json!({}));
    let dynamic = dynamic.as_object_mut().ok_or("dynamic_resources must be an object")?;
    for (field, path) in [("cds_config", CLUSTERS), ("lds_config", "listeners.json")] {
        if dynamic.contains_key(field) {
            return Err(format!(
                "dynamic_resources.{field} is there already: add the resources of {path} to it, \
                 and the parts by hand"
            ));
        }
        dynamic.insert(field.to_owned(), places.source(path));
    }
    let resources = bootstrap.get_mut("static_resources").and_then(Value::as_object_mut);
    let resources = resources.ok_or("there are no static_resources")?;
    append(resources.entry("clusters").or_insert_with(|| json!([])), &parts.static_clusters);
    let listeners = bootstrap.pointer_mut("/static_resources/listeners");
    let listeners = listeners.and_then(Value::as_array_mut).ok_or("there are no listeners")?;
    let found =
        listeners.iter_mut().find(|one| one.get("name").is_some_and(|name| name == listener));
    let found = found.ok_or_else(|| format!("there is no listener {listener:?}"))?;
    let managers = managers(found);
    if managers.is_empty() {
        return Err(format!("listener {listener:?} has no connection manager"));
    }
    for manager in managers {
        into_manager(manager, parts)?;
    }
    Ok(bootstrap)
}

fn managers(listener: &mut Value) -> Vec<&mut Value> {
    let chains = listener.get_mut("filter_chains").and_then(Value::as_array_mut);
    let filters = chains
        .into_iter()
        .flatten()
        .filter_map(|chain| chain.get_mut("filters").and_then(Value::as_array_mut));
    let configs = filters.flatten().filter_map(|filter| filter.get_mut("typed_config"));
    configs
        .filter(|config| {
            let name = config.get("@type").and_then(Value::as_str).unwrap_or_default();
            name.ends_with(&format!("{MANAGER}.HttpConnectionManager"))
        })
        .collect()
}

fn into_manager(manager: &mut Value, parts: &Parts) -> Result<(), String> {
    let fields = manager.as_object_mut().ok_or("a connection manager must be an object")?;
    if let Value::Object(mut options) = parts.connection_manager.clone() {
        if let Some(own) = options.remove(UPGRADES) {
            add_upgrades(fields.entry(UPGRADES).or_insert_with(|| json!([])), own);
        }
        fields.extend(options);
    }
    append(fields.entry("access_log").or_insert_with(|| json!([])), &parts.access_log);
    let filters = fields.get_mut("http_filters").and_then(Value::as_array_mut);
    let filters = filters.ok_or("a connection manager must have http_filters")?;
    let router = filters.len().saturating_sub(1);
    let ours = parts.http_filters.as_array().cloned().unwrap_or_default();
    filters.splice(router..router, ours);
    let hosts = manager.pointer_mut("/route_config/virtual_hosts").and_then(Value::as_array_mut);
    let hosts = hosts.ok_or(
        "a connection manager must have a route_config: where routes come by RDS, add the part \
         virtual_host_routes to them",
    )?;
    for host in hosts {
        let fields = host.as_object_mut().ok_or("a virtual host must be an object")?;
        let mut routes = parts.routes.clone();
        if let Some(theirs) = fields.get("routes") {
            append(&mut routes, theirs);
        }
        fields.insert("routes".to_owned(), routes);
    }
    Ok(())
}

/// Adds the kinds of upgrades that are not there: Envoy takes none twice.
fn add_upgrades(list: &mut Value, own: Value) {
    let (Some(list), Value::Array(own)) = (list.as_array_mut(), own) else { return };
    for one in own {
        let kind = one.get("upgrade_type");
        if !list.iter().any(|there| there.get("upgrade_type") == kind) {
            list.push(one);
        }
    }
}

fn append(list: &mut Value, more: &Value) {
    if let (Some(list), Some(more)) = (list.as_array_mut(), more.as_array()) {
        for item in more {
            if !list.contains(item) {
                list.push(item.clone());
            }
        }
    }
}

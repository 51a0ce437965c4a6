"""What istiod makes of the rendered resources for one proxy, as far as they touch it.

Patches are applied as `pilot/pkg/networking/core/envoyfilter` of Istio's repository does, and merged
as its `pkg/proto/merge`: a list grows, an entry of a map is replaced, a scalar that is zero changes
nothing, a member of a oneof takes the place of its siblings. What istiod generates before the
patches is what `istioctl proxy-config` shows for such resources.
"""

import copy
import json

MANAGER = "envoy.filters.network.http_connection_manager"
TYPE = "type.googleapis.com/envoy"
HCM = f"{TYPE}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"

MAPS = {"typed_per_filter_config", "typed_extension_protocol_options", "filter_metadata"}
ONEOFS = (
    {"cluster", "cluster_header", "weighted_clusters", "inline_cluster_specifier_plugin"},
    {"route", "redirect", "direct_response"},
    {"rds", "route_config", "scoped_routes"},
)


def merge(into, patch):
    """Merges a message into another one of the same type."""
    for name, value in patch.items():
        for group in ONEOFS:
            if name in group:
                for sibling in group - {name}:
                    into.pop(sibling, None)
        if isinstance(value, list):
            into[name] = into.get(name, []) + copy.deepcopy(value)
        elif isinstance(value, dict):
            if name in MAPS:
                into.setdefault(name, {}).update(copy.deepcopy(value))
            elif "@type" in value:
                into[name] = copy.deepcopy(value)
            else:
                merge(into.setdefault(name, {}), value)
        elif value not in (0, False, "", None):
            into[name] = value


class Proxy:
    """One proxy: its listener, its clusters, and what istiod sends it."""

    def __init__(self, resources, context, places):
        self.resources, self.context, self.places = resources, context, places
        self.listeners, self.extensions = [], {}
        self.clusters = self._clusters_of_services()

    def of_kind(self, kind):
        return [one for one in self.resources if one["kind"] == kind]

    def spec(self, kind, name):
        (found,) = [one for one in self.of_kind(kind) if one["metadata"]["name"] == name]
        return found["spec"]

    # What istiod generates.

    def _clusters_of_services(self):
        rules = {rule["spec"]["host"]: rule["spec"] for rule in self.of_kind("DestinationRule")}
        clusters = []
        for entry in self.of_kind("ServiceEntry"):
            for host in entry["spec"]["hosts"]:
                for port in entry["spec"]["ports"]:
                    rule = rules.get(host, {}).get("trafficPolicy", {})
                    clusters.append(self._cluster(host, port, rule))
        return clusters

    def _cluster(self, host, port, policy):
        number = port["number"]
        settings = policy.get("portLevelSettings", [])
        settings = [one for one in settings if one["port"]["number"] == number]
        settings = settings[0] if settings else {}
        cluster = {
            "name": f"outbound|{number}||{host}",
            "type": "STATIC",
            "connect_timeout": "10s",
            "load_assignment": {
                "cluster_name": f"outbound|{number}||{host}",
                "endpoints": [{"lb_endpoints": [{"endpoint": {"address": self._address(host, number)}}]}],
            },
        }
        pool = settings.get("connectionPool", {})
        if pool:
            cluster["connect_timeout"] = pool["tcp"]["connectTimeout"]
            cluster["circuit_breakers"] = {"thresholds": [{
                "max_connections": pool["tcp"]["maxConnections"],
                "max_pending_requests": pool["http"]["http1MaxPendingRequests"],
                "max_requests": pool["http"]["http2MaxRequests"],
                "max_retries": pool["http"]["maxRetries"],
            }]}  # fmt: skip
        outlier = settings.get("outlierDetection")
        if outlier:
            cluster["outlier_detection"] = {
                "consecutive_5xx": outlier["consecutive5xxErrors"],
                "consecutive_gateway_failure": outlier["consecutiveGatewayErrors"],
                "interval": outlier["interval"],
                "base_ejection_time": outlier["baseEjectionTime"],
                "max_ejection_percent": outlier["maxEjectionPercent"],
            }
        tls = settings.get("tls", {"mode": "DISABLE"})
        if tls["mode"] == "SIMPLE":
            names = [{"san_type": "DNS", "matcher": {"exact": name}} for name in tls["subjectAltNames"]]
            validation = {
                "trusted_ca": {"filename": str(self.places["ca"])},
                "match_typed_subject_alt_names": names,
            }
            cluster["transport_socket"] = {
                "name": "envoy.transport_sockets.tls",
                "typed_config": {
                    "@type": f"{TYPE}.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
                    "sni": tls["sni"],
                    "common_tls_context": {"validation_context": validation},
                },
            }
        else:
            assert tls["mode"] == "DISABLE"
        return cluster

    def _address(self, host, port):
        """Every name is this machine."""
        host = host if host.startswith("192.") else "127.0.0.1"
        return {"socket_address": {"address": host, "port_value": port}}

    def add_listener(self, name, port, manager, match=None, transport_socket=None):
        chain = {"filters": [{"name": MANAGER, "typed_config": manager}]}
        if match:
            chain |= {"filter_chain_match": match, "transport_socket": transport_socket}
        listener = {
            "name": name,
            "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
            "filter_chains": [chain],
        }
        if match:
            listener["listener_filters"] = [{
                "name": "envoy.filters.listener.tls_inspector",
                "typed_config": {
                    "@type": f"{TYPE}.extensions.filters.listener.tls_inspector.v3.TlsInspector"
                },
            }]  # fmt: skip
        self.listeners.append(listener)

    # What it does with patches.

    def apply(self):
        """Applies every EnvoyFilter; each patch must change something."""
        for resource in self.of_kind("EnvoyFilter"):
            for patch in resource["spec"]["configPatches"]:
                assert patch["match"]["context"] == self.context
                applied = self._apply(patch["applyTo"], patch["match"], **patch["patch"])
                assert applied, f"{patch['applyTo']} {patch['match']} changes nothing"

    def _apply(self, kind, match, operation, value):
        value = copy.deepcopy(value)
        if kind == "EXTENSION_CONFIG" and operation == "ADD":
            self.extensions[value["name"]] = value
            return 1
        if kind == "CLUSTER" and operation == "ADD":
            self.clusters.append(value)
            return 1
        if kind == "LISTENER" and operation == "ADD":
            self.listeners.append(value)
            return 1
        if kind in ("NETWORK_FILTER", "HTTP_FILTER"):
            return sum(self._patch_manager(kind, one, match, operation, value) for one in self._chains(match))
        assert kind == "HTTP_ROUTE", kind
        return sum(self._patch_route(one, match, operation, value) for one in self._hosts(match))

    def _chains(self, match):
        wanted = match["listener"]
        for listener in self.listeners:
            port = listener.get("address", {}).get("socket_address", {}).get("port_value")
            if wanted.get("portNumber") not in (None, port):
                continue
            for chain in listener["filter_chains"]:
                names = chain.get("filter_chain_match", {}).get("server_names", [])
                sni = wanted["filterChain"].get("sni")
                if sni is None or sni in names:
                    yield chain

    def _patch_manager(self, kind, chain, match, operation, value):
        wanted = match["listener"]["filterChain"]["filter"]
        applied = 0
        for manager in chain["filters"]:
            if manager["name"] != wanted["name"]:
                continue
            config = manager["typed_config"]
            if kind == "NETWORK_FILTER" and operation == "MERGE":
                assert value["typed_config"]["@type"] == config["@type"]
                merge(config, {k: v for k, v in value["typed_config"].items() if k != "@type"})
                applied += 1
            elif operation == "INSERT_BEFORE":
                filters = config["http_filters"]
                names = [one["name"] for one in filters]
                if wanted["subFilter"]["name"] in names:
                    filters.insert(names.index(wanted["subFilter"]["name"]), value)
                    applied += 1
        return applied

    def _hosts(self, match):
        wanted = match["routeConfiguration"]
        for listener in self.listeners:
            for chain in listener["filter_chains"]:
                for manager in chain["filters"]:
                    routes = manager["typed_config"].get("route_config", {})
                    if _is_route_configuration(routes.get("name", ""), wanted):
                        for host in routes["virtual_hosts"]:
                            if host["name"] == wanted["vhost"]["name"]:
                                yield host

    def _patch_route(self, host, match, operation, value):
        wanted = match["routeConfiguration"]["vhost"].get("route")
        if operation == "INSERT_FIRST" and wanted is None:
            host["routes"].insert(0, value)
            return 1
        assert operation == "MERGE"
        found = [one for one in host["routes"] if one.get("name") == wanted["name"]]
        for route in found:
            merge(route, value)
        return len(found)

    # What the proxy runs with.

    def bootstrap(self, admin, directory):
        """A bootstrap in which files stand for the control plane."""
        files = {}
        for name, plugin in self.extensions.items():
            path = directory / f"{name}.json"
            resource = {"@type": f"{TYPE}.config.core.v3.TypedExtensionConfig"} | plugin
            path.write_text(json.dumps({"resources": [resource]}))
            files[name] = str(path)
        address = {"address": "127.0.0.1", "port_value": admin}
        whole = {
            # As istio-proxy's own has it.
            "bootstrap_extensions": [{
                "name": "envoy.bootstrap.internal_listener",
                "typed_config": {
                    "@type": "type.googleapis.com/udpa.type.v1.TypedStruct",
                    "type_url": f"{TYPE}.extensions.bootstrap.internal_listener.v3.InternalListener",
                    "value": {"buffer_size_kb": 64},
                },
            }],
            "node": {"id": "router~10.0.0.1~pod.ns~ns.svc.cluster.local", "cluster": "egress.ns"},
            "admin": {"address": {"socket_address": address}},
            "static_resources": {"listeners": self.listeners, "clusters": self.clusters},
        }  # fmt: skip
        return _from_files(whole, files)


def _is_route_configuration(name, wanted):
    """Names of a gateway's are `https.443.PORT-NAME.GATEWAY.NAMESPACE`, of a sidecar's the port."""
    if "name" in wanted:
        return name == wanted["name"]
    parts = name.split(".")
    return len(parts) == 5 and f"{parts[4]}/{parts[3]}" == wanted["gateway"]


def _from_files(value, files):
    if isinstance(value, list):
        return [_from_files(one, files) for one in value]
    if not isinstance(value, dict):
        return value
    if "config_discovery" in value:
        discovery = value["config_discovery"]
        assert "ads" in discovery["config_source"]
        source = {"path_config_source": {"path": files[value["name"]]}, "resource_api_version": "V3"}
        return value | {"config_discovery": discovery | {"config_source": source}}
    return {name: _from_files(one, files) for name, one in value.items()}

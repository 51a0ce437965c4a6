//! A filter that has every callback and does nothing in any: what a wasm filter costs at least.
//! With the configuration `attributes` it publishes thirty of them, as a filter that logs would.

use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{BufferType, ContextType};

proxy_wasm::main! {{
    proxy_wasm::set_root_context(|_| Box::new(Root { publishes: false }));
}}

struct Root {
    publishes: bool,
}

impl Context for Root {}

impl RootContext for Root {
    fn on_configure(&mut self, size: usize) -> bool {
        let configuration = hostcalls::get_buffer(BufferType::PluginConfiguration, 0, size);
        self.publishes = configuration.ok().flatten().is_some_and(|text| text == b"attributes");
        true
    }

    fn create_http_context(&self, _: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Stream { publishes: self.publishes }))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

struct Stream {
    publishes: bool,
}

impl Context for Stream {}

impl HttpContext for Stream {
    fn on_log(&mut self) {
        if self.publishes {
            for name in ATTRIBUTES {
                let _ = hostcalls::set_property(vec![name], Some(b"attribute-value"));
            }
        }
    }
}

const ATTRIBUTES: [&str; 30] = [
    "a00", "a01", "a02", "a03", "a04", "a05", "a06", "a07", "a08", "a09", "a10", "a11", "a12",
    "a13", "a14", "a15", "a16", "a17", "a18", "a19", "a20", "a21", "a22", "a23", "a24", "a25",
    "a26", "a27", "a28", "a29",
];

//! Metrics in Envoy's statistics. A series is defined once; then its number counts.

use super::abi::{self, HostResult, MetricKind};
use crate::metric::label;
use crate::metric::table::Kind;
use crate::metric::{Group, Metric, Own, Sample};
use std::cell::RefCell;
use std::collections::HashMap;

/// Numbers of the series with the same labels.
type Series = HashMap<(Metric, Own), u32>;

thread_local! {
    /// By labels; the core bounds how many there are.
    static SERIES: RefCell<HashMap<String, Series>> = RefCell::default();
    /// Bytes of memory that were told last.
    static MEMORY: RefCell<u64> = const { RefCell::new(0) };
    /// The configuration that was told last.
    static CONFIG: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Adds what a request has to add.
pub fn add(groups: Vec<Group>) {
    if groups.is_empty() {
        return;
    }
    let added = SERIES.with_borrow_mut(|all| {
        groups.into_iter().try_for_each(|Group { labels, samples }| {
            if !all.contains_key(&labels) {
                all.insert(labels.clone(), Series::new());
            }
            let Some(series) = all.get_mut(&labels) else { return Ok(()) };
            samples.into_iter().try_for_each(|sample| note(series, &labels, sample))
        })
    });
    if let Err(error) = added.and_then(|()| note_memory()) {
        log::error!("a request was not measured: {error}");
    }
}

/// Adds to a metric that has no labels.
pub fn count(metric: Metric, by: usize) {
    let sample = Sample { metric, own: Own::None, value: by as u64 };
    add(vec![Group { labels: String::new(), samples: vec![sample] }]);
}

fn note(series: &mut Series, labels: &str, sample: Sample) -> HostResult<()> {
    let Sample { metric, own, value } = sample;
    let number = match series.get(&(metric, own)) {
        Some(number) => *number,
        None => {
            let number = define(metric, labels, own)?;
            series.insert((metric, own), number);
            number
        }
    };
    match metric.row().kind {
        Kind::Counter => abi::increment_counter(number, value),
        Kind::Gauge | Kind::Histogram(_) => abi::record_metric(number, value),
    }
}

fn define(metric: Metric, labels: &str, own: Own) -> HostResult<u32> {
    let row = metric.row();
    let mut name = format!("{}{labels}", row.name);
    own.append(&mut name);
    let kind = match row.kind {
        Kind::Counter => MetricKind::Counter,
        Kind::Gauge => MetricKind::Gauge,
        Kind::Histogram(_) => MetricKind::Histogram,
    };
    abi::define_metric(kind, &name)
}

/// Tells how much memory the VM has, when it is more than any has told.
fn note_memory() -> HostResult<()> {
    const PAGE: u64 = 65_536;
    let size = core::arch::wasm32::memory_size(0) as u64 * PAGE;
    if MEMORY.replace(size) == size {
        return Ok(());
    }
    let gauge = define(Metric::VmMemory, "", Own::None)?;
    match abi::metric(gauge)? < size {
        true => abi::record_metric(gauge, size),
        false => Ok(()),
    }
}

/// Tells which configuration is in force.
pub fn note_config(version: &str) {
    let before = CONFIG.replace(version.to_owned());
    let told = || -> HostResult<()> {
        let gauge = |version: &str| {
            let mut labels = String::new();
            label::append(&mut labels, "config_version", version);
            define(Metric::ConfigInfo, &labels, Own::None)
        };
        if !before.is_empty() && before != version {
            abi::record_metric(gauge(&before)?, 0)?;
        }
        abi::record_metric(gauge(version)?, 1)?;
        let loaded = define(Metric::ConfigLoaded, "", Own::None)?;
        abi::record_metric(loaded, abi::now()? / 1_000_000_000)
    };
    if let Err(error) = told() {
        log::error!("the configuration was not told: {error}");
    }
}

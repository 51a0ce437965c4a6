//! The `log` facade over Envoy's own log, at Envoy's level.

use super::abi;
use log::{Level, LevelFilter, Log, Metadata, Record};

struct Logger;

static LOGGER: Logger = Logger;

/// Installs the logger, and a hook that reports where a panic was but not its text, which could
/// quote a request. Envoy allows no host call yet, so the level comes with [`sync_level`].
pub fn install() {
    // The only other cause of failure is a second call.
    let _ = log::set_logger(&LOGGER);
    std::panic::set_hook(Box::new(|info| {
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        log::error!("panic at {place}");
    }));
}

/// Takes over Envoy's level at the time of configuration, so that lines that nobody wants are not
/// even formatted. Errors are always logged.
pub fn sync_level() {
    log::set_max_level(match abi::log_level() {
        Ok(0) => LevelFilter::Trace,
        Ok(1) => LevelFilter::Debug,
        Ok(2) => LevelFilter::Info,
        Ok(3) => LevelFilter::Warn,
        _ => LevelFilter::Error,
    });
}

impl Log for Logger {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let level = match record.level() {
            Level::Trace => 0,
            Level::Debug => 1,
            Level::Info => 2,
            Level::Warn => 3,
            Level::Error => 4,
        };
        abi::log(level, &record.args().to_string());
    }

    fn flush(&self) {}
}

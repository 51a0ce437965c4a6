//! `run`: renders into a private directory, starts Envoy on it, and stays until it ends.

use std::path::Path;
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::envoy::{self, Envoy};
use super::model::{Gateway, Sink};
use super::reload::Reload;
use super::{Lines, Module, environment, files, load, places, render, report};

/// How often the sources are looked at.
const POLL: Duration = Duration::from_millis(500);
/// How often Envoy is asked whether it is ready, until it is.
const READY_POLL: Duration = Duration::from_millis(50);

/// What to run.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    source: super::Source,
    /// The Envoy program [default: $ENVOY, .venv/bin/envoy, or the one in $PATH].
    #[arg(long, value_name = "PATH")]
    envoy: Option<std::path::PathBuf>,
    #[command(flatten)]
    module: Module,
    /// What Envoy logs of itself.
    #[arg(
        long,
        value_name = "LEVEL",
        default_value = "warn",
        value_parser = ["trace", "debug", "info", "warn", "error", "critical", "off"],
    )]
    log_level: String,
}

/// Runs Envoy to its end; its status is the result.
///
/// # Errors
/// Why it could not be started.
pub fn run(arguments: Arguments) -> Result<ExitCode, Lines> {
    let config = arguments.source.config;
    let gateway = load(&config)?;
    let program = envoy::find(arguments.envoy).map_err(|error| vec![error])?;
    envoy::check_version(&program).map_err(|error| vec![error])?;
    let line = |error: std::io::Error| vec![error.to_string()];
    // Removed when it goes out of scope, after Envoy has ended.
    let directory = tempfile::Builder::new().prefix("portkey-envoy-").tempdir().map_err(line)?;
    let places = places(directory.path(), arguments.module)?;
    let rendered = render::files(&gateway, &places);
    files::write_all(&places.directory, &rendered).map_err(line)?;
    prepare(&gateway).map_err(|error| vec![error])?;
    let reload = Reload::new(&config, &places, &gateway, rendered);
    let signals = signals().map_err(line)?;
    let bootstrap = places.directory.join(render::BOOTSTRAP);
    let flags = flags(&bootstrap, gateway.concurrency, arguments.log_level);
    let envoy = Envoy::start(&program, &flags).map_err(|error| vec![error])?;
    supervise(envoy, &signals, reload, &gateway)
}

fn flags(bootstrap: &Path, concurrency: usize, log_level: String) -> Vec<String> {
    vec![
        "--config-path".to_owned(),
        bootstrap.display().to_string(),
        "--concurrency".to_owned(),
        concurrency.to_string(),
        "--log-level".to_owned(),
        log_level,
        // Of each address range it would say that a part of its own format is unfinished.
        "--component-log-level".to_owned(),
        "misc:error".to_owned(),
        "--file-flush-interval-msec".to_owned(),
        "1000".to_owned(),
        // Several gateways may run on one machine.
        "--use-dynamic-base-id".to_owned(),
        // A field that this Envoy does not know is an error, instead of a line in its log.
        "--reject-unknown-dynamic-fields".to_owned(),
    ]
}

/// What Envoy would fail at, or worse, not notice.
fn prepare(gateway: &Gateway) -> Result<(), String> {
    envoy::check_free("listen", gateway.listen)?;
    envoy::check_free("admin", gateway.admin)?;
    for log in &gateway.logs {
        let Sink::File(path) = &log.sink else { continue };
        if let Some(directory) = path.parent() {
            std::fs::create_dir_all(directory)
                .map_err(|error| format!("logs: {}: {error}", directory.display()))?;
        }
    }
    Ok(())
}

/// The signals that arrive from here on. Registered before Envoy starts, so that none is missed.
fn signals() -> std::io::Result<Receiver<i32>> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP, SIGCHLD])?;
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for signal in signals.forever() {
            if sender.send(signal).is_err() {
                return;
            }
        }
    });
    Ok(receiver)
}

fn supervise(
    mut envoy: Envoy,
    signals: &Receiver<i32>,
    mut reload: Reload<'_>,
    gateway: &Gateway,
) -> Result<ExitCode, Lines> {
    let mut ready = false;
    let mut polled = Instant::now();
    let mut refusals = 0;
    loop {
        let wait = if ready { POLL } else { READY_POLL };
        match signals.recv_timeout(wait) {
            // The status below tells why a child has sent this.
            Ok(SIGCHLD) | Err(RecvTimeoutError::Timeout) => {}
            Ok(_) | Err(RecvTimeoutError::Disconnected) => envoy.stop(),
        }
        if let Some(status) = envoy.poll().map_err(|error| vec![error.to_string()])? {
            if !ready && !envoy.is_stopping() {
                report(&[format!("Envoy could not start ({status}); its own messages are above")]);
            }
            return Ok(ExitCode::from(envoy::exit_code(status)));
        }
        if envoy.is_stopping() {
            continue;
        }
        if !ready {
            ready = envoy::is_ready(gateway.admin);
            if ready {
                announce(gateway)?;
            }
        } else if polled.elapsed() >= POLL {
            polled = Instant::now();
            let now = envoy::refusals(gateway.admin).unwrap_or(refusals);
            if now > refusals {
                report(&["warning: Envoy refused a part; its own messages are above".to_owned()]);
            }
            refusals = now;
            report(&reload.poll(&environment));
        }
    }
}

/// Says that Envoy serves; an error when it does so without a part of its configuration.
fn announce(gateway: &Gateway) -> Result<(), Lines> {
    let (listen, admin) = (gateway.listen, gateway.admin);
    if envoy::refusals(admin).is_some_and(|count| count > 0) {
        let line = "Envoy refused the configuration; its own messages are above";
        return Err(vec![line.to_owned()]);
    }
    let scheme = if gateway.tls.is_some() { "https" } else { "http" };
    report(&[format!("listening on {scheme}://{listen}, admin on http://{admin}")]);
    Ok(())
}

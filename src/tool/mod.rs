//! The native tool: checks gateway.yaml, renders it to an Envoy configuration and runs that.

mod check;
mod envoy;
mod field;
mod fields;
mod files;
mod metrics;
mod model;
mod prices;
mod providers;
mod reload;
mod render;
mod run;
mod upstream;
mod write;
mod yaml;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use model::Gateway;
use render::Places;

/// Portkey's AI gateway in a stock Envoy.
#[derive(Debug, Parser)]
#[command(name = "portkey-envoy", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Checks a gateway.yaml and prints every problem in it.
    Check(Source),
    /// Writes the configuration of another program.
    #[command(subcommand)]
    Render(write::Target),
    /// Renders a gateway.yaml and runs Envoy on it; edits of the file are taken over.
    Run(run::Arguments),
    /// Prints the table of providers.
    Providers {
        /// As JSON.
        #[arg(long)]
        json: bool,
        /// As the README has it.
        #[arg(long, conflicts_with = "json")]
        markdown: bool,
    },
    /// Prints the fields of the log.
    Fields {
        /// As a JSON Schema of a line.
        #[arg(long)]
        schema: bool,
    },
    /// Prints the metrics.
    Metrics,
    /// Prints the catalogue of prices that costs are counted with.
    Prices {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Args)]
struct Source {
    /// The gateway.yaml.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

#[derive(Debug, Args)]
struct Module {
    /// The filter; found by itself where cargo builds it or beside this program.
    #[arg(long, value_name = "FILE")]
    wasm: Option<PathBuf>,
}

/// Runs the command line; its status is the process's.
pub fn main() -> ExitCode {
    let success = |()| ExitCode::SUCCESS;
    let result = match Cli::parse().command {
        Command::Check(source) => check_file(&source).map(success),
        Command::Render(target) => write::write(target).map(success),
        Command::Run(arguments) => run::run(arguments),
        Command::Providers { json: true, .. } => print(&providers::json()).map(success),
        Command::Providers { markdown: true, .. } => print(&providers::markdown()).map(success),
        Command::Providers { .. } => print(&providers::text()).map(success),
        Command::Fields { schema: true } => print(&fields::schema()).map(success),
        Command::Fields { schema: false } => print(&fields::markdown()).map(success),
        Command::Metrics => print(&metrics::markdown()).map(success),
        Command::Prices { json: true } => print(&prices::json()).map(success),
        Command::Prices { json: false } => print(&prices::text()).map(success),
    };
    match result {
        Ok(code) => code,
        Err(lines) => {
            report(&lines);
            ExitCode::FAILURE
        }
    }
}

/// What stopped a command: lines for the standard error.
type Lines = Vec<String>;

fn load(path: &Path) -> Result<Gateway, Lines> {
    check::load(path, &environment).map_err(|rejected| rejected.problems)
}

fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn check_file(source: &Source) -> Result<(), Lines> {
    load(&source.config)?;
    print(&format!("{}: ok\n", source.config.display()))
}

fn places(directory: &Path, module: Module) -> Result<Places, Lines> {
    let line = |message| vec![message];
    let directory = std::path::absolute(directory).map_err(|error| line(error.to_string()))?;
    Ok(Places {
        directory,
        delivery: render::Delivery::Files,
        module: render::Module::File(files::find_module(module.wasm).map_err(line)?),
        trusted_ca: files::find_trusted_ca().map_err(line)?,
    })
}

fn print(text: &str) -> Result<(), Lines> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).map_err(|error| vec![error.to_string()])
}

fn report(lines: &[String]) {
    let mut err = std::io::stderr().lock();
    for line in lines {
        // Nobody is left to tell when this fails.
        let _ = writeln!(err, "{line}");
    }
}

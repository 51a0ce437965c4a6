//! `render`: writes files for a program that runs elsewhere, or at another time.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::render::{self, Parts, Places, istio};
use super::{Lines, Module, Source, check, environment, files, load, places, print};

/// What to write.
#[derive(Debug, Subcommand)]
pub enum Target {
    /// Envoy's bootstrap and the files that it refers to.
    Envoy {
        #[command(flatten)]
        source: Source,
        #[command(flatten)]
        out: Out,
        #[command(flatten)]
        module: Module,
    },
    /// What to merge into an Envoy configuration of your own: resources and parts.
    Filter {
        #[command(flatten)]
        source: Source,
        #[command(flatten)]
        out: Out,
        #[command(flatten)]
        module: Module,
        /// Directory where Envoy will find the files [default: DIR].
        #[arg(long, value_name = "DIR")]
        directory: Option<PathBuf>,
        /// A bootstrap of yours, in YAML or JSON: DIR/bootstrap.json will be that one with the parts
        /// merged.
        #[arg(long, value_name = "FILE", requires = "listener")]
        into: Option<PathBuf>,
        /// Name of its listener that gets the routes.
        #[arg(long, value_name = "NAME", requires = "into")]
        listener: Option<String>,
    },
    /// Istio's resources. No credential is in them, so that none needs to be known.
    Istio {
        #[command(flatten)]
        source: Source,
        #[command(flatten)]
        out: Out,
        #[command(flatten)]
        mesh: istio::Mesh,
    },
}

#[derive(Debug, Args)]
pub struct Out {
    /// Directory of the files, readable by you alone: some hold credentials.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// Writes it.
///
/// # Errors
/// What is wrong with the sources, or the first file that cannot be written.
pub fn write(target: Target) -> Result<(), Lines> {
    match target {
        Target::Envoy { source, out, module } => {
            let gateway = load(&source.config)?;
            let places = places(&out.out, module)?;
            write_all(&places.directory, &render::files(&gateway, &places))?;
            print(&format!("{}\n", places.directory.join(render::BOOTSTRAP).display()))
        }
        Target::Filter { source, out, module, directory, into, listener } => {
            let gateway = load(&source.config)?;
            let places = places(directory.as_deref().unwrap_or(&out.out), module)?;
            let mut rendered = render::fragments(&gateway, &places);
            if let Some((into, listener)) = into.zip(listener) {
                rendered.push(merged(&into, &listener, &Parts::new(&gateway, &places), &places)?);
            }
            write_all(&out.out, &rendered)
        }
        Target::Istio { source, out, mesh } => {
            let known = |name: &str| environment(name).or_else(|| Some("unknown".to_owned()));
            let gateway = check::load(&source.config, &known).map_err(|no| no.problems)?;
            let rendered = istio::files(&gateway, &mesh)?;
            files::write(&out.out, &rendered).map_err(|error| vec![error.to_string()])
        }
    }
}

fn write_all(directory: &Path, rendered: &[render::File]) -> Result<(), Lines> {
    files::write_all(directory, rendered).map_err(|error| vec![error.to_string()])
}

fn merged(
    path: &Path,
    listener: &str,
    parts: &Parts,
    places: &Places,
) -> Result<render::File, Lines> {
    let failed = |error: &dyn std::fmt::Display| vec![format!("{}: {error}", path.display())];
    let text = std::fs::read_to_string(path).map_err(|error| failed(&error))?;
    let theirs = serde_norway::from_str(&text).map_err(|error| failed(&error))?;
    let all =
        render::merge_into(theirs, listener, parts, places).map_err(|error| failed(&error))?;
    Ok(render::File { path: render::BOOTSTRAP.to_owned(), text: format!("{all:#}\n") })
}

//! Hot reload: when gateway.yaml or a secret file changes, what changed in the rendered files is
//! replaced under the running Envoy. A bad edit changes nothing.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::check::{self, Environment};
use super::files;
use super::model::Gateway;
use super::render::{self, BOOTSTRAP, File, Places};

/// What Envoy runs with, and the files that it comes from.
#[derive(Debug)]
pub struct Reload<'a> {
    config: &'a Path,
    places: &'a Places,
    /// As Envoy was started: what differs from it needs a restart.
    started: &'a Gateway,
    /// As they are on disk.
    files: Vec<File>,
    watched: Vec<PathBuf>,
    /// State of the watched files when they were read last.
    applied: Vec<State>,
    /// State at the last poll, which may be of a half-written file.
    seen: Vec<State>,
}

/// Device, inode, size and time of change; `None` when there is no such file.
type State = Option<(u64, u64, u64, i64, i64)>;

impl<'a> Reload<'a> {
    /// Watches the sources of `files`, which were rendered from `started`.
    pub fn new(
        config: &'a Path,
        places: &'a Places,
        started: &'a Gateway,
        files: Vec<File>,
    ) -> Self {
        let watched = watched(config, &started.secret_files);
        let applied = states(&watched);
        let seen = applied.clone();
        Self { config, places, started, files, watched, applied, seen }
    }

    /// Looks for changes and applies them once the files have stood still from one poll to the
    /// next. Returns lines for the operator.
    pub fn poll(&mut self, environment: Environment<'_>) -> Vec<String> {
        let now = states(&self.watched);
        if now != self.seen || now == self.applied {
            self.seen = now;
            return Vec::new();
        }
        match check::load(self.config, environment) {
            Ok(mut gateway) => {
                let fixed = self.fixed(&gateway);
                self.keep_labels(&mut gateway);
                self.watch(watched(self.config, &gateway.secret_files), &now);
                self.apply(&gateway, &fixed)
            }
            Err(rejected) => {
                let mut paths = self.watched.clone();
                paths.extend(rejected.secret_files);
                paths.sort();
                paths.dedup();
                self.watch(paths, &now);
                let mut lines = rejected.problems;
                lines.push(format!("{}: not reloaded", self.config.display()));
                lines
            }
        }
    }

    /// Changes the list of files; those that were watched keep the state `before` the reading.
    fn watch(&mut self, paths: Vec<PathBuf>, before: &[State]) {
        let states = paths.iter().map(|path| {
            let known = self.watched.iter().zip(before).find(|(earlier, _)| *earlier == path);
            known.map_or_else(|| state(path), |(_, state)| *state)
        });
        self.applied = states.collect();
        self.seen = self.applied.clone();
        self.watched = paths;
    }

    fn apply(&mut self, gateway: &Gateway, fixed: &[&str]) -> Vec<String> {
        let fresh = render::files(gateway, self.places);
        let result = self.replace(fresh);
        let mut lines = match result {
            Ok(()) => vec![format!("{} reloaded", self.config.display())],
            Err(error) => {
                vec![error.to_string(), format!("{}: not reloaded", self.config.display())]
            }
        };
        if !fixed.is_empty() {
            lines.push(format!("warning: takes effect at the next start: {}", fixed.join(", ")));
        }
        lines
    }

    /// Envoy knows the labels from its start, and could not tell others from names.
    fn keep_labels(&self, gateway: &mut Gateway) {
        match (&mut gateway.metrics, &self.started.metrics) {
            (Some(metrics), Some(started)) => metrics.tags.clone_from(&started.tags),
            (metrics, None) => *metrics = None,
            (None, Some(_)) => {}
        }
    }

    fn replace(&mut self, fresh: Vec<File>) -> std::io::Result<()> {
        let directory = &self.places.directory;
        for file in &fresh {
            if file.path != BOOTSTRAP && !self.files.contains(file) {
                files::replace(directory, file)?;
            }
        }
        files::remove_stale_secrets(directory, &fresh)?;
        self.files = fresh;
        Ok(())
    }

    /// The fields that differ from those that Envoy was started with and cannot change under it.
    fn fixed(&self, gateway: &Gateway) -> Vec<&'static str> {
        let old = self.started;
        let fields = [
            ("listen", old.listen == gateway.listen),
            // Another certificate is none of them.
            ("tls", shape(old) == shape(gateway)),
            ("http3", old.http3 == gateway.http3),
            ("admin", old.admin == gateway.admin),
            ("concurrency", old.concurrency == gateway.concurrency),
            ("logs", old.logs == gateway.logs),
            ("metrics.tags", labels(old) == labels(gateway) || gateway.metrics.is_none()),
            ("limits.idle_timeout", old.limits.idle_timeout == gateway.limits.idle_timeout),
            ("limits.connections", old.limits.connections == gateway.limits.connections),
            ("limits.streams", old.limits.streams == gateway.limits.streams),
            ("limits.memory", old.limits.memory == gateway.limits.memory),
        ];
        let fields = fields.into_iter().filter(|(_, same)| !same).map(|(name, _)| name);
        // A filter that is asked for no more is told of no request.
        fields.chain(render::missing_filters(old, gateway)).collect()
    }
}

/// What is measured by; `None`: nothing is.
fn labels(gateway: &Gateway) -> Option<&[String]> {
    gateway.metrics.as_ref().map(|metrics| metrics.tags.as_slice())
}

/// Whether there is TLS, and whether clients need certificates.
fn shape(gateway: &Gateway) -> Option<bool> {
    gateway.tls.as_ref().map(|tls| tls.client_ca.is_some())
}

fn watched(config: &Path, secrets: &[PathBuf]) -> Vec<PathBuf> {
    let mut paths = secrets.to_vec();
    paths.push(config.to_owned());
    paths.sort();
    paths.dedup();
    paths
}

fn states(paths: &[PathBuf]) -> Vec<State> {
    paths.iter().map(|path| state(path)).collect()
}

fn state(path: &Path) -> State {
    let meta = fs::metadata(path).ok()?;
    Some((meta.dev(), meta.ino(), meta.size(), meta.mtime(), meta.mtime_nsec()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tool::render::{Delivery, Module};

    const GOOD: &str = "virtual_keys: {a: {provider: openai, api_key: \"file:KEY\"}}";

    /// A directory with gateway.yaml, a key file and the rendered files.
    struct Fixture {
        base: tempfile::TempDir,
        config: PathBuf,
        key: PathBuf,
        places: Places,
    }

    impl Fixture {
        fn new() -> Self {
            let base = tempfile::tempdir().unwrap();
            let (config, key) = (base.path().join("gateway.yaml"), base.path().join("key"));
            let places = Places {
                directory: base.path().join("out"),
                delivery: Delivery::Files,
                module: Module::File(PathBuf::from("/m.wasm")),
                trusted_ca: PathBuf::from("/ca.pem"),
            };
            let fixture = Self { base, config, key, places };
            fs::write(&fixture.key, "sk-1").unwrap();
            fixture.write(GOOD);
            fixture
        }

        /// Writes gateway.yaml as an editor does: a new file in place of the old.
        fn write(&self, yaml: &str) {
            let yaml = yaml.replace("KEY", self.key.to_str().unwrap());
            let fresh = self.base.path().join("fresh");
            fs::write(&fresh, yaml).unwrap();
            fs::rename(fresh, &self.config).unwrap();
        }

        fn load(&self) -> Gateway {
            check::load(&self.config, &|_| None).unwrap()
        }

        fn rendered(&self, name: &str) -> String {
            fs::read_to_string(self.places.directory.join(name)).unwrap()
        }
    }

    fn start<'a>(fixture: &'a Fixture, gateway: &'a Gateway) -> Reload<'a> {
        let files = render::files(gateway, &fixture.places);
        files::write_all(&fixture.places.directory, &files).unwrap();
        Reload::new(&fixture.config, &fixture.places, gateway, files)
    }

    /// Polls until the change is taken: first seen, then seen to stand still.
    fn settle(reload: &mut Reload<'_>) -> Vec<String> {
        assert_eq!(reload.poll(&|_| None), [""; 0]);
        let lines = reload.poll(&|_| None);
        assert_eq!(reload.poll(&|_| None), [""; 0]);
        lines
    }

    #[test]
    fn a_good_edit_is_taken_over_and_names_what_needs_a_restart() {
        let fixture = Fixture::new();
        let gateway = fixture.load();
        let mut reload = start(&fixture, &gateway);
        assert_eq!(reload.poll(&|_| None), [""; 0]);
        let bootstrap = fixture.rendered(BOOTSTRAP);
        let done = format!("{} reloaded", fixture.config.display());
        fixture.write("virtual_keys: {b: {provider: demo}}\nlisten: 127.0.0.1:1\nlogs: []");
        let warning = "warning: takes effect at the next start: listen, logs".to_owned();
        assert_eq!(settle(&mut reload), [done.clone(), warning]);
        assert!(fixture.rendered("clusters.json").contains("\"vk.b\""));
        assert!(!fixture.places.directory.join("secrets/a.json").exists());
        assert_eq!(fixture.rendered(BOOTSTRAP), bootstrap);
        // Back to what Envoy was started with: nothing to warn of.
        fixture.write(GOOD);
        assert_eq!(settle(&mut reload), [done]);
        assert!(fixture.rendered("secrets/a.json").contains("sk-1"));
    }

    #[test]
    fn a_filter_that_envoy_lacks_is_named() {
        let fixture = Fixture::new();
        let gateway = fixture.load();
        let mut reload = start(&fixture, &gateway);
        let done = format!("{} reloaded", fixture.config.display());
        fixture.write("api_keys: {a: {key: k}}");
        assert_eq!(settle(&mut reload), std::slice::from_ref(&done));
        fixture.write("api_keys: {a: {key: k, rate_limits: {requests_per_minute: 1}}}");
        let warning =
            "warning: takes effect at the next start: rate_limits.requests_per_minute".to_owned();
        assert_eq!(settle(&mut reload), [done.clone(), warning]);
        fixture.write("api_keys: {a: {key: k}}\nrate_limit_service: {address: 'a:1'}");
        let warning = "warning: takes effect at the next start: rate_limit_service".to_owned();
        assert_eq!(settle(&mut reload), [done, warning]);
    }

    #[test]
    fn a_bad_edit_changes_nothing_until_it_is_mended() {
        let fixture = Fixture::new();
        let gateway = fixture.load();
        let mut reload = start(&fixture, &gateway);
        let before = fixture.rendered("clusters.json");
        let name = fixture.config.display();
        fixture.write("virtual_keys: {a: {provider: openai, api_key: \"file:KEY2\"}}");
        let lines = settle(&mut reload);
        assert!(lines[0].starts_with("virtual_keys.a.api_key: "), "{lines:?}");
        assert_eq!(lines[1..], [format!("{name}: not reloaded")]);
        assert_eq!(fixture.rendered("clusters.json"), before);
        // The missing file is watched as well.
        fs::write(format!("{}2", fixture.key.display()), "sk-2").unwrap();
        assert_eq!(settle(&mut reload), [format!("{name} reloaded")]);
        assert!(fixture.rendered("secrets/a.json").contains("sk-2"));
    }

    #[test]
    fn a_rotated_key_replaces_its_file_alone() {
        let fixture = Fixture::new();
        let gateway = fixture.load();
        let mut reload = start(&fixture, &gateway);
        let inode = |name: &str| fs::metadata(fixture.places.directory.join(name)).unwrap().ino();
        let names = ["secrets/a.json", "clusters.json", "routes.json", "provider.json"];
        let before = names.map(inode);
        fs::write(&fixture.key, "sk-22").unwrap();
        assert_eq!(settle(&mut reload).len(), 1);
        let after = names.map(inode);
        assert_ne!(before[0], after[0]);
        assert_eq!(before[1..], after[1..]);
        assert!(fixture.rendered("secrets/a.json").contains("sk-22"));
    }

    #[test]
    fn a_file_that_is_still_being_written_is_left_alone() {
        let fixture = Fixture::new();
        let gateway = fixture.load();
        let mut reload = start(&fixture, &gateway);
        fixture.write("");
        assert_eq!(reload.poll(&|_| None), [""; 0]);
        fixture.write("virtual_keys: {b: {provider: demo}}");
        assert_eq!(reload.poll(&|_| None), [""; 0]);
        assert!(fixture.rendered("clusters.json").contains("\"vk.a\""));
        assert_eq!(reload.poll(&|_| None).len(), 1);
        assert!(fixture.rendered("clusters.json").contains("\"vk.b\""));
    }
}

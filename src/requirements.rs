//! Which Envoys this works in. Envoy itself only warns of a field that it does not know in dynamic
//! configuration, and goes on without: a fallback would go to the failed provider again, a private
//! address would not be denied. So the module looks before it starts.

use std::fmt;

/// Major and minor version of an Envoy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct EnvoyVersion {
    /// The first number.
    pub major: u64,
    /// The second number.
    pub minor: u64,
}

/// The first version with all that the rendered configuration needs; `docs/compatibility.md` tells
/// what those before it lack.
pub const MINIMUM: EnvoyVersion = EnvoyVersion { major: 1, minor: 39 };

/// Extensions that the rendered configuration uses and a build of Envoy may lack: category, name.
const EXTENSIONS: [(&str, &str); 18] = [
    ("envoy.bootstrap", "envoy.bootstrap.internal_listener"),
    ("envoy.clusters", "envoy.cluster.dns"),
    ("envoy.clusters", "envoy.clusters.dynamic_forward_proxy"),
    ("envoy.filters.http", "envoy.filters.http.header_to_metadata"),
    ("envoy.filters.http", "envoy.filters.http.jwt_authn"),
    ("envoy.filters.http", "envoy.filters.http.local_ratelimit"),
    ("envoy.filters.http", "envoy.filters.http.ratelimit"),
    ("envoy.filters.http", "envoy.filters.http.set_filter_state"),
    ("envoy.filters.http.upstream", "envoy.filters.http.aws_request_signing"),
    ("envoy.filters.http.upstream", "envoy.filters.http.credential_injector"),
    ("envoy.filters.http.upstream", "envoy.filters.http.header_mutation"),
    ("envoy.filters.http.upstream", "envoy.filters.http.upstream_codec"),
    ("envoy.filters.http.upstream", "envoy.filters.http.wasm"),
    ("envoy.http.early_header_mutation", "envoy.http.early_header_mutation.header_mutation"),
    ("envoy.http.injected_credentials", "envoy.http.injected_credentials.generic"),
    ("envoy.matching.http.input", "envoy.matching.inputs.filter_state"),
    ("envoy.router.cluster_specifier_plugin", "envoy.router.cluster_specifier_plugin.matcher"),
    ("envoy.transport_sockets.upstream", "envoy.transport_sockets.internal_upstream"),
];

impl fmt::Display for EnvoyVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl EnvoyVersion {
    /// Reads what `envoy --version` prints: `... version: <hash>/<version>/<state>/...`.
    pub fn parse(output: &str) -> Option<Self> {
        let version = output.split("version: ").nth(1)?.split('/').nth(1)?;
        let mut numbers = version.split(['.', '-']).map(str::parse);
        let (major, minor) = (numbers.next()?.ok()?, numbers.next()?.ok()?);
        Some(Self { major, minor })
    }

    /// Whether an Envoy of that version will do.
    ///
    /// # Errors
    /// A message for the operator.
    pub fn check(self) -> Result<(), String> {
        match self >= MINIMUM {
            true => Ok(()),
            false => Err(format!("Envoy {MINIMUM} or later is needed, this is {self}")),
        }
    }
}

/// Whether the Envoy whose `envoy.config.core.v3.Node`, in protobuf, this is will do. Envoy fills in
/// its version (8: 1: major 1, minor 2) and its extensions (9: name 1, category 2) itself:
/// <https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/core/v3/base.proto>.
///
/// # Errors
/// A message for the log that says what is missing. What an Envoy does not tell of itself is.
pub fn check(node: &[u8]) -> Result<(), String> {
    let version = bytes(node, 8).next().and_then(|build| bytes(build, 1).next());
    let version = version.and_then(|version| {
        Some(EnvoyVersion { major: number(version, 1)?, minor: number(version, 2)? })
    });
    let version = version.ok_or_else(|| {
        format!("Envoy {MINIMUM} or later is needed, this one does not tell its version")
    })?;
    version.check()?;
    let extension = |one| Some((bytes(one, 2).next()?, bytes(one, 1).next()?));
    let present: Vec<_> = bytes(node, 9).filter_map(extension).collect();
    let missing = EXTENSIONS
        .iter()
        .find(|(category, name)| !present.contains(&(category.as_bytes(), name.as_bytes())));
    match missing {
        Some((category, name)) => {
            Err(format!("this build of Envoy has no extension {name} in {category}"))
        }
        None => Ok(()),
    }
}

/// A value on the wire.
enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// The fields of a message, up to whatever is not well-formed.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if *byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    fn take(&mut self, length: u64) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(usize::try_from(length).ok()?)?;
        self.0 = rest;
        Some(taken)
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = (u64, Value<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let tag = self.varint()?;
        let value = match tag & 7 {
            0 => Value::Number(self.varint()?),
            1 => Value::Bytes(self.take(8)?),
            2 => {
                let length = self.varint()?;
                Value::Bytes(self.take(length)?)
            }
            5 => Value::Bytes(self.take(4)?),
            _ => return None,
        };
        Some((tag >> 3, value))
    }
}

fn bytes(message: &[u8], field: u64) -> impl Iterator<Item = &[u8]> {
    Fields(message).filter_map(move |(number, value)| match value {
        Value::Bytes(bytes) if number == field => Some(bytes),
        _ => None,
    })
}

fn number(message: &[u8], field: u64) -> Option<u64> {
    Fields(message).find_map(|(number, value)| match value {
        Value::Number(value) if number == field => Some(value),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Appends a length-delimited field.
    fn write_bytes(out: &mut Vec<u8>, field: u8, bytes: &[u8]) {
        out.extend([field << 3 | 2]);
        let mut length = bytes.len();
        while length >= 0x80 {
            out.push((length & 0x7f) as u8 | 0x80);
            length >>= 7;
        }
        out.push(length as u8);
        out.extend_from_slice(bytes);
    }

    fn node(version: &[u8], extensions: &[(&str, &str)]) -> Vec<u8> {
        let (mut build, mut node) = (Vec::new(), Vec::new());
        write_bytes(&mut build, 1, version);
        write_bytes(&mut node, 1, b"node-1");
        write_bytes(&mut node, 8, &build);
        for (category, name) in extensions {
            let mut extension = Vec::new();
            write_bytes(&mut extension, 1, name.as_bytes());
            write_bytes(&mut extension, 2, category.as_bytes());
            write_bytes(&mut node, 9, &extension);
        }
        node
    }

    #[test]
    fn an_envoy_that_lacks_something_is_told_what() {
        let good = node(&[8, 1, 16, 39], &EXTENSIONS);
        assert_eq!(check(&good), Ok(()));
        assert_eq!(check(&node(&[8, 2, 16, 0x80, 1], &EXTENSIONS)), Ok(()));
        for (bad, message) in [
            (node(&[8, 1, 16, 9], &EXTENSIONS), "Envoy 1.39 or later is needed, this is 1.9"),
            (
                node(&[], &EXTENSIONS),
                "Envoy 1.39 or later is needed, this one does not tell its version",
            ),
            (
                node(&[8, 1, 16, 40], &EXTENSIONS[1..]),
                "this build of Envoy has no extension envoy.bootstrap.internal_listener in \
                 envoy.bootstrap",
            ),
        ] {
            assert_eq!(check(&bad).unwrap_err(), message);
        }
    }

    #[test]
    fn a_node_that_is_cut_anywhere_will_not_do() {
        let good = node(&[8, 1, 16, 39], &EXTENSIONS);
        for end in 0..good.len() {
            assert!(check(&good[..end]).is_err(), "{end}");
        }
        assert!(check(&[0xff; 64]).is_err());
        assert!(check(&[0x42, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]).is_err());
    }

    #[test]
    fn the_version_is_in_what_envoy_prints() {
        let line = "\n/x/envoy  version: 9e558093/1.40.0/Clean/RELEASE/BoringSSL\n";
        assert_eq!(EnvoyVersion::parse(line), Some(EnvoyVersion { major: 1, minor: 40 }));
        let dev = "envoy  version: 0/1.41.0-dev/Modified/DEBUG/BoringSSL";
        assert_eq!(EnvoyVersion::parse(dev), Some(EnvoyVersion { major: 1, minor: 41 }));
        for other in ["", "version: ", "version: a/b/c", "version: a/1/c", "envoy 1.40.0"] {
            assert_eq!(EnvoyVersion::parse(other), None, "{other}");
        }
    }
}

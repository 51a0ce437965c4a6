//! Base URLs: where a provider's API begins.

use crate::http::is_contained;
use std::fmt;

/// The parts of a base URL such as `https://api.openai.com/v1`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseUrl {
    /// How the upstream is reached.
    pub scheme: Scheme,
    /// Host name or IP address (an IPv6 address without its brackets).
    pub host: String,
    /// TCP port, the scheme's default when the URL names none.
    pub port: u16,
    /// Prefix of every path: empty, or begins with `/` and does not end with one.
    pub path: String,
}

/// How an upstream is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// Plain TCP.
    Http,
    /// TLS.
    Https,
    /// A listener inside the same Envoy, named by the host part.
    Envoy,
}

/// Why a base URL was refused; `Display` says what is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvalidBaseUrl {
    /// Neither `http://` nor `https://`.
    Scheme,
    /// The host is missing or holds characters that a host cannot have.
    Host,
    /// Not a number from 1 to 65535.
    Port,
    /// The path holds a query, a fragment, dot segments or characters that a path cannot have.
    Path,
}

impl fmt::Display for InvalidBaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scheme => "must begin with http:// or https://",
            Self::Host => "needs a host name or an IP address",
            Self::Port => "the port must be a number from 1 to 65535",
            Self::Path => "the path must not hold a query, a fragment, dot segments or blanks",
        })
    }
}

impl BaseUrl {
    /// Parses `scheme://host[:port][/path]`. User information is refused.
    ///
    /// # Errors
    /// The first part that is wrong.
    pub fn parse(url: &str) -> Result<Self, InvalidBaseUrl> {
        let (scheme, rest) = url.split_once("://").ok_or(InvalidBaseUrl::Scheme)?;
        let (scheme, default_port) = match scheme {
            "http" => (Scheme::Http, 80),
            "https" => (Scheme::Https, 443),
            "envoy" => (Scheme::Envoy, 80),
            _ => return Err(InvalidBaseUrl::Scheme),
        };
        let (authority, path) = match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, ""),
        };
        let (host, port) = parse_authority(authority)?;
        let path = path.trim_end_matches('/');
        if !is_path(path) {
            return Err(InvalidBaseUrl::Path);
        }
        let port = match port {
            None => default_port,
            Some(text) => match text.parse() {
                Ok(port) if port > 0 => port,
                _ => return Err(InvalidBaseUrl::Port),
            },
        };
        Ok(Self { scheme, host: host.to_owned(), port, path: path.to_owned() })
    }

    /// Parses a URL that a person wrote: `http` or `https`, nothing of Envoy's own.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn parse_public(url: &str) -> Result<Self, InvalidBaseUrl> {
        Self::parse(url).and_then(|url| match url.scheme {
            Scheme::Envoy => Err(InvalidBaseUrl::Scheme),
            Scheme::Http | Scheme::Https => Ok(url),
        })
    }

    /// The value of the `:authority` header: the port only when it is not the scheme's own.
    pub fn authority(&self) -> String {
        let host = match self.host.contains(':') {
            true => format!("[{}]", self.host),
            false => self.host.clone(),
        };
        match (self.scheme, self.port) {
            (Scheme::Http | Scheme::Envoy, 80) | (Scheme::Https, 443) => host,
            (_, port) => format!("{host}:{port}"),
        }
    }
}

fn parse_authority(authority: &str) -> Result<(&str, Option<&str>), InvalidBaseUrl> {
    if let Some(rest) = authority.strip_prefix('[') {
        let (host, after) = rest.split_once(']').ok_or(InvalidBaseUrl::Host)?;
        host.parse::<std::net::Ipv6Addr>().map_err(|_| InvalidBaseUrl::Host)?;
        return match after.strip_prefix(':') {
            Some(port) => Ok((host, Some(port))),
            None if after.is_empty() => Ok((host, None)),
            None => Err(InvalidBaseUrl::Host),
        };
    }
    let (host, port) = match authority.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (authority, None),
    };
    let valid = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'.' || b == b'_';
    match !host.is_empty() && host.bytes().all(valid) {
        true => Ok((host, port)),
        false => Err(InvalidBaseUrl::Host),
    }
}

fn is_path(path: &str) -> bool {
    let valid = |b: u8| b.is_ascii_graphic() && !matches!(b, b'?' | b'#' | b'\\' | b'"');
    path.bytes().all(valid) && is_contained(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_taken_apart_and_defaults_filled() {
        let url = BaseUrl::parse("https://api.openai.com/v1/").unwrap();
        assert_eq!((url.scheme, url.port), (Scheme::Https, 443));
        assert_eq!((url.host.as_str(), url.path.as_str()), ("api.openai.com", "/v1"));
        assert_eq!(url.authority(), "api.openai.com");
        let url = BaseUrl::parse("http://127.0.0.1:9000/a/b").unwrap();
        assert_eq!(url.authority(), "127.0.0.1:9000");
        let url = BaseUrl::parse("http://[::1]:9000").unwrap();
        assert_eq!((url.host.as_str(), url.authority().as_str()), ("::1", "[::1]:9000"));
    }

    #[test]
    fn what_is_no_base_url_is_refused() {
        use InvalidBaseUrl::*;
        for (text, why) in [
            ("api.openai.com", Scheme),
            ("ftp://a", Scheme),
            ("https://", Host),
            ("https://user@host/", Host),
            ("https://a b", Host),
            ("http://[::1", Host),
            ("http://[zz]", Host),
            ("http://a:0", Port),
            ("http://a:70000", Port),
            ("http://a:", Port),
            ("http://a/v1?x=1", Path),
            ("http://a/../b", Path),
            ("http://a/%2e%2E/b", Path),
            ("http://a/..%2fb", Path),
        ] {
            assert_eq!(BaseUrl::parse(text), Err(why), "{text}");
        }
    }
}

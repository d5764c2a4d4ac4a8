//! Target: where load may be sent.
//!
//! Always  this machine, or a host that was named a second time: load on somebody else's shop is an attack on it.

use std::fmt;
use std::net::IpAddr;

use http::Uri;

/// Scheme, host and port of a shop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Whether TLS is spoken.
    pub secure: bool,
    /// Name or address, without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
}

/// Why a text is no target.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// It is no origin.
    #[error("`{text}` is no origin; write one such as http://127.0.0.1:8081")]
    NotAnOrigin {
        /// As it was written.
        text: String,
    },
    /// It is a host that was not allowed.
    #[error(
        "load is sent to this machine alone: {host} is another one, and whoever did not expect it would be attacked; if it is yours \
         and ready for it, add --allow-host {host}"
    )]
    NotAllowed {
        /// Whose.
        host: String,
    },
}

impl Target {
    /// Reads an origin and judges its host.
    pub fn of(text: &str, allowed: &[String]) -> Result<Self, TargetError> {
        let not = || TargetError::NotAnOrigin { text: text.to_owned() };
        let uri: Uri = text.parse().map_err(|_| not())?;
        let secure = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(not()),
        };
        let authority = uri.authority().filter(|authority| !authority.as_str().contains('@')).ok_or_else(not)?;
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            return Err(not());
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
        let port = match authority.port_u16() {
            Some(port) => port,
            None if authority.as_str().ends_with(authority.host()) => {
                if secure {
                    443
                } else {
                    80
                }
            }
            None => return Err(not()),
        };
        if host.is_empty() {
            return Err(not());
        }
        let is_named = allowed.iter().any(|name| name.eq_ignore_ascii_case(&host));
        if is_this_machine(&host) || is_named { Ok(Self { secure, host, port }) } else { Err(TargetError::NotAllowed { host }) }
    }

    /// Host and port, as a request names them.
    pub fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        match (self.secure, self.port) {
            (true, 443) | (false, 80) => host,
            (_, port) => format!("{host}:{port}"),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", if self.secure { "https" } else { "http" }, self.authority())
    }
}

fn is_this_machine(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, allowed: &[&str], expected: Result<&str, &str>) {
        let allowed: Vec<String> = allowed.iter().map(|name| (*name).to_owned()).collect();
        let found = Target::of(text, &allowed).map(|target| target.to_string()).map_err(|error| error.to_string());
        match expected {
            Ok(expected) => assert_eq!(found.as_deref(), Ok(expected), "{text}"),
            Err(part) => assert!(found.clone().expect_err(text).contains(part), "{found:?}"),
        }
    }

    #[test]
    fn this_machine_is_a_target() {
        check("http://127.0.0.1:8081", &[], Ok("http://127.0.0.1:8081"));
        check("http://127.9.9.9/", &[], Ok("http://127.9.9.9"));
        check("https://localhost", &[], Ok("https://localhost"));
        check("http://[::1]:99", &[], Ok("http://[::1]:99"));
    }

    #[test]
    fn another_host_has_to_be_named() {
        check("https://shop.example", &[], Err("add --allow-host shop.example"));
        check("https://shop.example", &["other.example"], Err("attacked"));
        check("https://Shop.example", &["shop.example"], Ok("https://shop.example"));
        check("http://10.0.0.1:8081", &[], Err("10.0.0.1"));
        check("http://localhost.example", &[], Err("--allow-host"));
        check("http://127.0.0.1.example", &[], Err("--allow-host"));
        check("http://0.0.0.0:80", &[], Err("--allow-host"));
    }

    #[test]
    fn what_is_no_origin_is_told() {
        for text in
            ["", "shop", "127.0.0.1:8081", "ftp://127.0.0.1", "http://127.0.0.1/cart", "http://a@127.0.0.1", "http://127.0.0.1?x"]
        {
            check(text, &[], Err("http://127.0.0.1:8081"));
        }
    }
}

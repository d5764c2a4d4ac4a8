//! Address: where the database is and how it is reached, out of one line of the environment.
//!
//! Always  a password is in no error, no log and no `Debug`; what is said of an address is host, port, database and user.
//!         A server that is reached by TLS has to show a certificate for its name from an authority that is trusted: those of browsers, or
//!         the one that `sslrootcert` names.

use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres_rustls::MakeRustlsConnect;

/// What to write instead.
const EXAMPLE: &str = "postgresql://USER:PASSWORD@HOST:5432/DATABASE?sslmode=require";

/// Where a database is.
#[derive(Clone)]
pub struct Address {
    pub(super) config: Config,
    pub(super) tls: MakeRustlsConnect,
}

impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Address({self})")
    }
}

/// Without the password.
impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ports = self.config.get_ports();
        let port = |at: usize| ports.get(at).or(ports.first()).copied().unwrap_or(5432);
        let hosts = self.config.get_hosts().iter().enumerate().map(|(at, host)| match host {
            Host::Tcp(name) => format!("{name}:{}", port(at)),
            Host::Unix(folder) => folder.display().to_string(),
        });
        let hosts = hosts.collect::<Vec<_>>().join(",");
        let user = self.config.get_user().unwrap_or("?");
        write!(f, "{user} at {hosts}, database {}", self.config.get_dbname().unwrap_or(user))
    }
}

/// Why an address is none.
#[derive(Debug, thiserror::Error)]
pub enum AddressError {
    /// It cannot be read. What is wrong is not quoted, since it may be the password.
    #[error(
        "it cannot be read as the address of a database; write {EXAMPLE}, with signs of the password such as @ : / % as %40 %3A %2F %25"
    )]
    Unreadable,
    /// Something is missing.
    #[error("it names no {0}; write {EXAMPLE}")]
    Missing(&'static str),
    /// The file with the authority's certificate.
    #[error("sslrootcert: {0}; name a file with certificates in PEM form")]
    Authority(String),
    /// Neither of the modes.
    #[error("sslmode `{0}` is not known; write disable, prefer, require or verify-full")]
    Mode(String),
}

impl Address {
    /// Reads an address: `postgresql://…`, or `host=… user=…`. Beside what the client knows, `sslrootcert` names a file, and
    /// `sslmode=verify-full` is what `require` does here.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let (text, extra) = without_tls_words(text.trim())?;
        let mut config: Config = text.parse().map_err(|_| AddressError::Unreadable)?;
        if config.get_hosts().is_empty() {
            return Err(AddressError::Missing("host"));
        }
        if config.get_user().is_none() {
            return Err(AddressError::Missing("user"));
        }
        config.ssl_mode(extra.mode);
        config.application_name("vitrine");
        config.connect_timeout(std::time::Duration::from_secs(3));
        config.keepalives_idle(std::time::Duration::from_secs(30));
        Ok(Self { config, tls: tls(extra.authority.as_deref())? })
    }
}

/// What is said of TLS in an address.
struct Extra {
    mode: SslMode,
    authority: Option<String>,
}

/// Takes out what only libpq knows. Neither a URL's user, password, host nor database holds these words followed by `=`, unless escaped.
fn without_tls_words(text: &str) -> Result<(String, Extra), AddressError> {
    let mut extra = Extra { mode: SslMode::Prefer, authority: None };
    let mut take = |pair: &str| -> Result<bool, AddressError> {
        let Some((name, value)) = pair.split_once('=') else { return Ok(false) };
        match name.trim() {
            "sslmode" => {
                extra.mode = match value.trim() {
                    "disable" => SslMode::Disable,
                    "prefer" => SslMode::Prefer,
                    "require" | "verify-ca" | "verify-full" => SslMode::Require,
                    other => return Err(AddressError::Mode(other.chars().take(20).collect())),
                };
            }
            "sslrootcert" => {
                let path = percent_encoding::percent_decode_str(value.trim()).decode_utf8();
                extra.authority = Some(path.map_err(|_| AddressError::Unreadable)?.into_owned());
            }
            _ => return Ok(false),
        }
        Ok(true)
    };
    let mut keep = |pairs: &str, by: char| -> Result<String, AddressError> {
        let mut kept = Vec::new();
        for pair in pairs.split(by) {
            if !take(pair)? {
                kept.push(pair);
            }
        }
        Ok(kept.join(&by.to_string()))
    };
    let text = if text.starts_with("postgres://") || text.starts_with("postgresql://") {
        match text.split_once('?') {
            Some((before, pairs)) => {
                let kept = keep(pairs, '&')?;
                if kept.is_empty() { before.to_owned() } else { format!("{before}?{kept}") }
            }
            None => text.to_owned(),
        }
    } else {
        keep(text, ' ')?
    };
    Ok((text, extra))
}

fn tls(authority: Option<&str>) -> Result<MakeRustlsConnect, AddressError> {
    let mut roots = RootCertStore::empty();
    match authority {
        Some(path) => {
            let failed = |error: String| AddressError::Authority(format!("{path}: {error}"));
            let read = CertificateDer::pem_file_iter(path).map_err(|error| failed(error.to_string()))?;
            for certificate in read {
                let certificate = certificate.map_err(|error| failed(error.to_string()))?;
                roots.add(certificate).map_err(|error| failed(error.to_string()))?;
            }
            if roots.is_empty() {
                return Err(failed("there is no certificate in it".to_owned()));
            }
        }
        None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring knows the protocol's versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_its_password() {
        let address = Address::parse("postgresql://ada:s%40crete@db.example:6432/shop?sslmode=require").expect("an address");
        assert_eq!(address.to_string(), "ada at db.example:6432, database shop");
        assert!(!format!("{address:?}").contains("crete"));
        assert_eq!(address.config.get_ssl_mode(), SslMode::Require);
        let plain = Address::parse("host=/run/postgresql user=ada password=s3crete sslmode=disable").expect("an address");
        assert_eq!(plain.to_string(), "ada at /run/postgresql, database ada");
        assert_eq!(plain.config.get_ssl_mode(), SslMode::Disable);
    }

    #[test]
    fn what_is_wrong_with_an_address_is_said_without_quoting_it() {
        let said = |text: &str| Address::parse(text).expect_err("it is none").to_string();
        assert!(said("mysql://ada:s3crete@db/shop").contains("postgresql://USER"));
        assert!(said("postgresql://ada:s3/crete@db:port/shop").contains("%2F"));
        assert!(said("user=ada password=s3crete").contains("names no host"));
        assert!(said("postgresql://db.example/shop").contains("names no user"));
        assert!(said("postgresql://ada@db/shop?sslmode=maybe").contains("verify-full"));
        assert!(said("postgresql://ada@db/shop?sslrootcert=/nowhere/ca.pem").contains("/nowhere/ca.pem"));
        for text in
            ["mysql://ada:s3crete@db/shop", "postgresql://ada:s3crete@db:port/shop", "user=ada password=s3crete", "s3crete"]
        {
            assert!(!said(text).contains("crete"), "{}", said(text));
        }
    }

    #[test]
    fn verify_full_is_what_require_does() {
        let address = Address::parse("postgresql://ada@db/shop?sslmode=verify-full&target_session_attrs=read-write");
        assert_eq!(address.expect("an address").config.get_ssl_mode(), SslMode::Require);
    }
}

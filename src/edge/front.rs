//! Front: what stands before the edge, and who asks through it.
//!
//! Owns    the networks whose word is taken (`trusted_proxies`), the shopper's address in their header, and the secret by which a request
//!         shows that it came through the shop's host.
//! Limits  HOPS_MAX addresses of a list are read, from its end; SECRETS_MAX secrets.
//! Always  a header is believed only from a network that is named; what cannot be read is taken for the last address that could be.
//!         No address is ever logged or stored.
//! Source  RFC 7239, 8.1: of a list, only what trusted proxies have added can be believed.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use http::{HeaderMap, HeaderName};

use crate::theme::bundle::FrontTerms;

/// Header of the shopper's address where site.toml names none.
pub const USUAL_HEADER: &str = "X-Forwarded-For";
/// More networks than any CDN has.
pub const MAX_PROXIES: usize = 1_000;
/// A chain of more proxies is a loop or a lie.
const HOPS_MAX: usize = 32;
/// The one in use, and those on their way in and out.
const SECRETS_MAX: usize = 8;
/// A secret that nobody guesses: half of it would do.
const SECRET_MIN_BYTES: usize = 24;
const SECRET_MAX_BYTES: usize = 256;
/// Amazon's header says `ADDRESS:PORT` of both kinds of addresses, without brackets.
pub const WITH_PORT: &str = "cloudfront-viewer-address";

/// A network: an address whose bits after the first `bits` are zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

/// Why a text is not a network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NetworkError {
    /// It is something else.
    #[error("`{text}` is not a network")]
    Unreadable {
        /// What was written.
        text: String,
    },
    /// The address names a host in it.
    #[error("`{text}` names one address of a network: the network is `{network}`")]
    HostBits {
        /// What was written.
        text: String,
        /// What to write.
        network: Network,
    },
    /// More bits than an address has.
    #[error("`{text}` has more bits than an address: at most {most}")]
    TooLong {
        /// What was written.
        text: String,
        /// 32 or 128.
        most: u8,
    },
    /// It holds every address.
    #[error("`{text}` is everybody: whoever asks could say to be somebody else")]
    Everybody {
        /// What was written.
        text: String,
    },
}

impl Network {
    /// Whether an address is in it.
    pub fn holds(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(_), IpAddr::V4(_)) | (IpAddr::V6(_), IpAddr::V6(_)) => {
                cut(address.to_canonical(), self.bits) == self.address
            }
            _ => false,
        }
    }

    /// Whether its addresses are of machines of one's own.
    pub fn is_own(&self) -> bool {
        is_own(self.address)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    /// `10.0.0.0/8`, `2001:db8::/32`, or one address.
    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let owned = || text.to_owned();
        let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let address: IpAddr = address.parse().map_err(|_| NetworkError::Unreadable { text: owned() })?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let is_number = |bits: &&str| !bits.is_empty() && bits.bytes().all(|byte| byte.is_ascii_digit());
        let bits = match bits {
            None => most,
            Some(bits) if !is_number(&bits) => return Err(NetworkError::Unreadable { text: owned() }),
            Some(bits) => {
                let bits = bits.parse().ok().filter(|bits| *bits <= most);
                bits.ok_or_else(|| NetworkError::TooLong { text: owned(), most })?
            }
        };
        let network = Self { address: cut(address, bits), bits };
        match bits {
            0 => Err(NetworkError::Everybody { text: owned() }),
            _ if network.address != address => Err(NetworkError::HostBits { text: owned(), network }),
            _ => Ok(network),
        }
    }
}

/// An address with all but its first bits zero.
pub fn cut(address: IpAddr, bits: u8) -> IpAddr {
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(bits.min(32))).unwrap_or(0);
            Ipv4Addr::from_bits(address.to_bits() & mask).into()
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(bits.min(128))).unwrap_or(0);
            Ipv6Addr::from_bits(address.to_bits() & mask).into()
        }
    }
}

/// Whether an address is a machine of one's own: loopback and private networks (RFC 1918, RFC 4193, RFC 6598), and links.
pub fn is_own(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            let [first, second, ..] = address.octets();
            address.is_loopback() || address.is_private() || address.is_link_local() || (first == 100 && second & 0xc0 == 64)
        }
        IpAddr::V6(address) => address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local(),
    }
}

/// Who is at the other end of a connection: the server adds it to each request.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);

/// How the shop's host says who asks, as the bundle tells it.
#[derive(Clone, Debug)]
pub struct Front {
    /// `None`: nobody said what stands before the edge.
    proxies: Option<Vec<Network>>,
    address_header: HeaderName,
    /// The header in which the host shows its secret; `None`: anybody may ask.
    pub secret_header: Option<HeaderName>,
}

impl Front {
    /// What the terms say.
    ///
    /// Errors: a network or header name that is none, for a bundle made by hand: `config` has checked it.
    pub fn of(terms: &FrontTerms) -> Result<Self, String> {
        let header = |name: &str| HeaderName::from_str(name).map_err(|_| format!("`{name}` is not a header's name"));
        let networks = |texts: &Vec<String>| texts.iter().map(|text| text.parse()).collect::<Result<_, NetworkError>>();
        Ok(Self {
            proxies: terms.trusted_proxies.as_ref().map(networks).transpose().map_err(|error| error.to_string())?,
            address_header: header(terms.client_address_header.as_deref().unwrap_or(USUAL_HEADER))?,
            secret_header: terms.origin_secret_header.as_deref().map(header).transpose()?,
        })
    }

    /// Whether site.toml says what stands before the edge, so that a shopper's address can be known.
    pub fn is_known(&self) -> bool {
        self.proxies.is_some()
    }

    /// The shopper's address; `None` where nobody said what stands before the edge.
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> Option<IpAddr> {
        let proxies = self.proxies.as_ref()?;
        let is_proxy = |address: IpAddr| proxies.iter().any(|network| network.holds(address));
        let peer = peer.to_canonical();
        if !is_proxy(peer) {
            return Some(peer);
        }
        let values = headers.get_all(&self.address_header).iter().map(|value| value.to_str().unwrap_or(""));
        if !self.address_header.as_str().eq_ignore_ascii_case(USUAL_HEADER) {
            let mut values = values;
            let has_port = self.address_header == WITH_PORT;
            let named = values.next().and_then(|value| if has_port { before_port(value) } else { address(value) });
            // Two of them: one was sent by whoever asks.
            return Some(named.filter(|_| values.next().is_none()).unwrap_or(peer));
        }
        Some(self.forwarded(peer, headers))
    }

    /// The address that a trusted proxy asks for by `X-Forwarded-For`, whatever header the shop's host has: a proxy passes others on as they
    /// came, and that one has its own word added. Whoever is no trusted proxy asks for itself.
    pub fn forwarded(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let is_proxy = |address: IpAddr| self.proxies.iter().flatten().any(|network| network.holds(address));
        let mut last = peer.to_canonical();
        if !is_proxy(last) {
            return last;
        }
        // Nearest first: the last value of the last header.
        let lines: Vec<&str> = headers.get_all(USUAL_HEADER).iter().map(|value| value.to_str().unwrap_or("")).collect();
        for hop in lines.iter().rev().flat_map(|line| line.rsplit(',')).take(HOPS_MAX) {
            let Some(hop) = address(hop) else { break };
            last = hop;
            if !is_proxy(hop) {
                break;
            }
        }
        last
    }
}

// `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:80`.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let plain = text.parse::<IpAddr>().or_else(|_| text.parse::<SocketAddr>().map(|with_port| with_port.ip()));
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse::<Ipv6Addr>().ok().map(IpAddr::V6);
    plain.ok().or_else(bracketed).map(|address| address.to_canonical())
}

fn before_port(text: &str) -> Option<IpAddr> {
    let (host, port) = text.trim().rsplit_once(':')?;
    let _: u16 = port.parse().ok()?;
    address(host)
}

/// The secrets by which a request shows that it came through the shop's host; any of them does. They are kept as hashes, whose
/// comparison takes the same time wherever they differ.
#[derive(Clone, Default)]
pub struct OriginSecrets(Vec<blake3::Hash>);

impl OriginSecrets {
    /// Of a list, separated by commas.
    ///
    /// Errors: what is wrong, without the secret.
    pub fn list(text: &str) -> Result<Self, String> {
        let secrets: Vec<&str> = text.split(',').map(str::trim).filter(|secret| !secret.is_empty()).collect();
        if secrets.is_empty() || secrets.len() > SECRETS_MAX {
            return Err(format!("write 1 to {SECRETS_MAX} secrets, separated by commas; `vitrine keygen` makes one"));
        }
        let is_good = |secret: &&str| {
            (SECRET_MIN_BYTES..=SECRET_MAX_BYTES).contains(&secret.len()) && secret.bytes().all(|byte| byte.is_ascii_graphic())
        };
        if !secrets.iter().all(is_good) {
            return Err(format!(
                "a secret has {SECRET_MIN_BYTES} to {SECRET_MAX_BYTES} letters, digits and signs that a header can hold; \
                 `vitrine keygen` makes one"
            ));
        }
        Ok(Self(secrets.iter().map(|secret| blake3::hash(secret.as_bytes())).collect()))
    }

    /// Whether there is none, so that nobody can be asked for it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a request has one of them, where one is asked for.
    pub fn admit(&self, front: &Front, headers: &HeaderMap) -> bool {
        let Some(name) = front.secret_header.as_ref().filter(|_| !self.is_empty()) else { return true };
        let is_ours = |value: &http::HeaderValue| {
            let shown = blake3::hash(value.as_bytes());
            // All are compared, whichever is met.
            self.0.iter().fold(false, |met, secret| met | (*secret == shown))
        };
        headers.get_all(name).iter().any(is_ours)
    }
}

impl fmt::Debug for OriginSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OriginSecrets({})", self.0.len())
    }
}

#[cfg(test)]
mod tests;

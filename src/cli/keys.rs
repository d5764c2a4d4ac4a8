//! Keys: where commands take their signing keys from.
//!
//! Owns    the names of the environment variables, the text form of keys, and development keys: made once in `.vitrine/`, mode 0600,
//!         where the environment names none. An edge whose base URL is not loopback refuses them.

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;

use super::CommandError;
use crate::edge::key_ring::KeyRing;
use crate::theme::bundle::{SigningKey, VerifyingKey};

/// Seed of the Ed25519 key that signs bundles: for `build` only.
pub(super) const BUNDLE_SECRET: &str = "VITRINE_BUNDLE_SECRET_KEY";
/// Public keys that an edge trusts, separated by commas.
pub(super) const BUNDLE_PUBLIC: &str = "VITRINE_BUNDLE_PUBLIC_KEYS";
/// `ID:SECRET` of the edge's own keys, newest first, separated by commas.
pub(super) const TOKEN_KEYS: &str = "VITRINE_TOKEN_KEYS";

/// What the shop's host shows to the edge, separated by commas.
pub(super) const ORIGIN_SECRETS: &str = "VITRINE_ORIGIN_SECRETS";

const DEVELOPMENT_FILE: &str = "development.keys";

/// What an edge needs.
#[derive(Debug)]
pub(super) struct EdgeKeys {
    /// Keys whose bundles are taken.
    pub(super) bundle: Vec<VerifyingKey>,
    /// Keys of tokens and links.
    pub(super) tokens: KeyRing,
    /// Whether any of them is a development key.
    pub(super) development: bool,
}

/// The key that signs a bundle: from the environment, else the development key in `state` (`.vitrine/` of the shop).
pub(super) fn signing_key(state: &Path) -> Result<SigningKey, CommandError> {
    match std::env::var(BUNDLE_SECRET) {
        Ok(text) => Ok(SigningKey::from_seed(&secret(BUNDLE_SECRET, &text)?)),
        Err(_) => Ok(SigningKey::from_seed(&secret(DEVELOPMENT_FILE, &development(state)?.bundle_secret)?)),
    }
}

/// Keys whose bundles a build believes: those named in the environment, and its own.
pub(super) fn known_keys(state: &Path) -> Result<Vec<VerifyingKey>, CommandError> {
    let named = std::env::var(BUNDLE_PUBLIC).unwrap_or_default();
    let named = named.split(',').filter(|text| !text.trim().is_empty());
    let mut keys = named.map(|text| secret(BUNDLE_PUBLIC, text).map(VerifyingKey)).collect::<Result<Vec<_>, _>>()?;
    keys.push(signing_key(state)?.verifying_key());
    Ok(keys)
}

/// The keys of an edge: from the environment, else the development keys in `state`.
pub(super) fn edge_keys(state: &Path) -> Result<EdgeKeys, CommandError> {
    let from_environment = (std::env::var(BUNDLE_PUBLIC).ok(), std::env::var(TOKEN_KEYS).ok());
    let is_development = from_environment.0.is_none() || from_environment.1.is_none();
    let (public, tokens) = match from_environment {
        (Some(public), Some(tokens)) => (public, tokens),
        (public, tokens) => {
            let made = development(state)?;
            (public.unwrap_or(made.bundle_public), tokens.unwrap_or(made.token_keys))
        }
    };
    let bundle: Result<Vec<_>, _> = public.split(',').map(|text| secret(BUNDLE_PUBLIC, text).map(VerifyingKey)).collect();
    Ok(EdgeKeys { bundle: bundle?, tokens: key_ring(&tokens)?, development: is_development })
}

/// Fresh keys as text.
pub(super) struct WrittenKeys {
    pub(super) bundle_secret: String,
    pub(super) bundle_public: String,
    pub(super) token_keys: String,
}

impl WrittenKeys {
    /// Fresh keys from the operating system's randomness.
    pub(super) fn fresh() -> Result<Self, CommandError> {
        let seed = random()?;
        Ok(Self {
            bundle_secret: BASE64.encode(seed),
            bundle_public: BASE64.encode(SigningKey::from_seed(&seed).verifying_key().0),
            token_keys: format!("1:{}", BASE64.encode(random()?)),
        })
    }

    /// As lines of an environment file.
    pub(super) fn to_lines(&self) -> String {
        format!(
            "{BUNDLE_SECRET}={}\n{BUNDLE_PUBLIC}={}\n{TOKEN_KEYS}={}\n",
            self.bundle_secret, self.bundle_public, self.token_keys
        )
    }

    fn from_lines(text: &str) -> Option<Self> {
        let value = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('=')).map(str::to_owned);
        Some(Self { bundle_secret: value(BUNDLE_SECRET)?, bundle_public: value(BUNDLE_PUBLIC)?, token_keys: value(TOKEN_KEYS)? })
    }
}

/// Reads the development keys, or makes them once. Two commands that start together agree: the file is linked into place whole, and
/// whoever comes second reads the first one's.
fn development(state: &Path) -> Result<WrittenKeys, CommandError> {
    let path = state.join(DEVELOPMENT_FILE);
    let failed = |error: std::io::Error| CommandError::World(format!("{}: {error}", path.display()));
    if !path.exists() {
        super::state_folder(state)?;
        let draft = state.join(format!("{DEVELOPMENT_FILE}.{}", std::process::id()));
        let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft).map_err(failed)?;
        file.write_all(WrittenKeys::fresh()?.to_lines().as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
        match fs::hard_link(&draft, &path) {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => return Err(failed(error)),
            _ => fs::remove_file(&draft).map_err(failed)?,
        }
    }
    let text = fs::read_to_string(&path).map_err(failed)?;
    WrittenKeys::from_lines(&text)
        .ok_or_else(|| CommandError::World(format!("{}: no keys in it; delete it and it is made anew", path.display())))
}

fn key_ring(text: &str) -> Result<KeyRing, CommandError> {
    let usage = || CommandError::Usage(format!("{TOKEN_KEYS}: write ID:SECRET, newest first, as `vitrine keygen` prints it"));
    let keys: Result<Vec<_>, CommandError> = text
        .split(',')
        .map(|entry| {
            let (id, key) = entry.trim().split_once(':').ok_or_else(usage)?;
            Ok((id.parse().map_err(|_| usage())?, secret(TOKEN_KEYS, key)?))
        })
        .collect();
    KeyRing::new(&keys?).ok_or_else(usage)
}

fn secret(name: &str, text: &str) -> Result<[u8; 32], CommandError> {
    let bytes = BASE64.decode(text.trim()).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    bytes.ok_or_else(|| CommandError::Usage(format!("{name}: a key is 32 bytes in base64url, as `vitrine keygen` prints it")))
}

/// A fresh secret that a header can hold.
pub(super) fn fresh_secret() -> Result<String, CommandError> {
    Ok(BASE64.encode(random()?))
}

fn random() -> Result<[u8; 32], CommandError> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| CommandError::World(format!("the system gives no randomness: {error}")))?;
    Ok(bytes)
}

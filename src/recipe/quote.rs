//! Quote: a text as a host's language writes it, so that no value means more than itself.

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

use super::{Recipe, RecipeError};

/// What a `Location` holds only by its number: everything that is no part of an address (RFC 3986), and what hosts read as more.
const IN_ADDRESS: &AsciiSet =
    &CONTROLS.add(b' ').add(b'"').add(b'$').add(b'<').add(b'>').add(b'\\').add(b'^').add(b'`').add(b'{').add(b'|').add(b'}');

/// Whose language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Host {
    /// `"…"`, in which `$` is a variable and cannot be written otherwise.
    Nginx,
    /// `"…"`, in which `{` begins a placeholder.
    Caddy,
    /// A string of JSON, which JavaScript, TOML and YAML read as well.
    Json,
}

impl Host {
    pub(super) fn of(recipe: Recipe) -> Self {
        match recipe {
            Recipe::Nginx => Self::Nginx,
            Recipe::Caddy => Self::Caddy,
            _ => Self::Json,
        }
    }

    /// A text with its quotes.
    ///
    /// Errors: a sign that cannot be written.
    pub(super) fn text(self, value: &str) -> Result<String, RecipeError> {
        let refuse = |host, reason| Err(RecipeError::NotForHost { host, value: value.to_owned(), reason });
        let escaped = || value.replace('\\', "\\\\").replace('"', "\\\"");
        match self {
            Self::Nginx if value.contains('$') => refuse("nginx", "`$` begins a variable there"),
            Self::Nginx if value.contains(char::is_control) => refuse("nginx", "it has a line break or another control sign"),
            Self::Nginx => Ok(format!("\"{}\"", escaped())),
            Self::Caddy if value.contains(['{', '}', '`']) => refuse("Caddy", "`{` begins a placeholder there"),
            Self::Caddy if value.contains(char::is_control) => refuse("Caddy", "it has a line break or another control sign"),
            Self::Caddy => Ok(format!("\"{}\"", value.replace('"', "\\\""))),
            Self::Json => Ok(serde_json::to_string(value).expect("a text is JSON")),
        }
    }

    /// An old address, decoded as hosts compare it, and the address that it leads to, encoded as browsers take it.
    pub(super) fn redirect(self, from: &str, to: &str) -> Result<(String, String), RecipeError> {
        let from = percent_decode_str(from).decode_utf8_lossy();
        let to = utf8_percent_encode(to, IN_ADDRESS).to_string();
        // The name of a location holds no variables. A path with percent signs is compared as it was sent.
        let from = match self {
            Self::Nginx => format!("\"{}\"", from.replace('\\', "\\\\").replace('"', "\\\"")),
            Self::Caddy => self.text(&from.replace('{', "%7B").replace('}', "%7D").replace('`', "%60"))?,
            Self::Json => self.text(&from)?,
        };
        Ok((from, self.text(&to)?))
    }
}

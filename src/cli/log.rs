//! Log: what long-running commands say on stderr; `VITRINE_LOG` chooses how much, as in `info,access=off`.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// Starts it; a second call changes nothing.
pub(super) fn start() {
    let filter = EnvFilter::try_from_env("VITRINE_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let is_terminal = std::io::stderr().is_terminal();
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(is_terminal).try_init();
}

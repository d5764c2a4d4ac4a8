//! Log: what long-running commands say on stderr; `VITRINE_LOG` chooses how much, as in `info,access=off`.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// Starts it, with what operators want to know; a second call changes nothing.
pub(super) fn start() {
    start_with("info");
}

/// Starts it for a person at a terminal: warnings only.
pub(super) fn start_quietly() {
    start_with("warn");
}

fn start_with(usual: &str) {
    let filter = EnvFilter::try_from_env("VITRINE_LOG").unwrap_or_else(|_| EnvFilter::new(usual));
    let is_terminal = std::io::stderr().is_terminal();
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(is_terminal).try_init();
}

//! Log: what long-running commands say on stderr; `VITRINE_LOG` chooses how much, as in `info,access=off`, and `VITRINE_LOG_FORMAT` how:
//! lines for people, or `json`, one object a line, for what collects logs.

use std::env::VarError;
use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use super::CommandError;

/// Starts it, with what operators want to know; a second call changes nothing.
///
/// Errors: the form that was asked for is not known.
pub(super) fn start() -> Result<(), CommandError> {
    start_with("info")
}

/// Starts it for a person at a terminal: warnings only.
///
/// Errors: those of `start`.
pub(super) fn start_quietly() -> Result<(), CommandError> {
    start_with("warn")
}

fn start_with(usual: &str) -> Result<(), CommandError> {
    let is_json = is_json(std::env::var("VITRINE_LOG_FORMAT"))?;
    let filter = EnvFilter::try_from_env("VITRINE_LOG").unwrap_or_else(|_| EnvFilter::new(usual));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let _ = if is_json {
        log.json().flatten_event(true).try_init()
    } else {
        log.with_ansi(std::io::stderr().is_terminal()).try_init()
    };
    Ok(())
}

fn is_json(format: Result<String, VarError>) -> Result<bool, CommandError> {
    match format.as_deref() {
        Ok("json") => Ok(true),
        Ok("text" | "") | Err(VarError::NotPresent) => Ok(false),
        Ok(other) => Err(CommandError::Usage(format!("VITRINE_LOG_FORMAT is `{other}`: write `json` or `text`"))),
        Err(VarError::NotUnicode(_)) => {
            Err(CommandError::Usage("VITRINE_LOG_FORMAT is no text: write `json` or `text`".to_owned()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_that_is_not_known_is_refused_with_those_that_are() {
        let of = |format: &str| is_json(Ok(format.to_owned()));
        assert!(of("json").is_ok_and(|is_json| is_json));
        assert!(of("text").is_ok_and(|is_json| !is_json) && is_json(Err(VarError::NotPresent)).is_ok_and(|is_json| !is_json));
        assert!(of("xml").is_err_and(|error| error.to_string() == "VITRINE_LOG_FORMAT is `xml`: write `json` or `text`"));
    }
}

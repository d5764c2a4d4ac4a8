//! Stopwatch: how long each phase of a build takes.

use std::time::Instant;

use serde::Serialize;

/// A phase and how long it took.
#[derive(Clone, Debug, Serialize)]
pub struct Phase {
    /// Its name.
    pub name: &'static str,
    /// Wall time.
    pub seconds: f64,
}

/// Runs from one phase to the next.
pub(super) struct Stopwatch {
    last: Instant,
    /// Those that are over, in their order.
    pub(super) phases: Vec<Phase>,
}

impl Stopwatch {
    pub(super) fn new() -> Self {
        Self { last: Instant::now(), phases: Vec::new() }
    }

    /// A phase ends here.
    pub(super) fn lap(&mut self, name: &'static str) {
        let now = Instant::now();
        self.phases.push(Phase { name, seconds: (now - self.last).as_secs_f64() });
        self.last = now;
    }
}

//! Process: what this process takes of its machine: processor time, memory, open files.
//!
//! Owns    series under the names that every client of Prometheus gives them, so that dashboards know them.
//! Always  a figure that this system does not tell is not on the page.

use std::sync::atomic::AtomicU64;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use rustix::time::{ClockId, clock_gettime};

/// What is taken, now.
pub fn registry() -> Registry {
    let mut registry = Registry::default();
    let cpu = Counter::<f64, AtomicU64>::default();
    cpu.inc_by(cpu_seconds());
    registry.register_with_unit("process_cpu", "Processor time that was taken, by user and system", Unit::Seconds, cpu);
    let mut gauge = |name, help, unit: Option<Unit>, value: Option<u64>| {
        let Some(value) = value else { return };
        let gauge = Gauge::<i64>::default();
        gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        match unit {
            Some(unit) => registry.register_with_unit(name, help, unit, gauge),
            None => registry.register(name, help, gauge),
        }
    };
    gauge("process_resident_memory", "Memory that is held", Some(Unit::Bytes), resident_bytes());
    gauge("process_open_fds", "Open files and connections", None, open_files());
    let processors = std::thread::available_parallelism().ok().and_then(|count| u64::try_from(count.get()).ok());
    gauge("vitrine_processors", "Processors that may be used at once", None, processors);
    registry
}

fn cpu_seconds() -> f64 {
    let used = clock_gettime(ClockId::ProcessCPUTime);
    used.tv_sec as f64 + used.tv_nsec as f64 / 1e9
}

// Linux: size and resident pages, in this order.
fn resident_bytes() -> Option<u64> {
    let pages = std::fs::read_to_string("/proc/self/statm").ok()?;
    let resident: u64 = pages.split(' ').nth(1)?.parse().ok()?;
    resident.checked_mul(rustix::param::page_size() as u64)
}

fn open_files() -> Option<u64> {
    // The folder itself is open while it is read.
    Some((std::fs::read_dir("/proc/self/fd").ok()?.count() as u64).saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::page;

    #[test]
    fn what_is_taken_is_told_under_the_usual_names() {
        let value = |page: &str, name: &str| -> f64 {
            let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            line.unwrap_or_else(|| panic!("no {name} in {page}")).parse().expect("a number")
        };
        let before = page(&[&registry()]);
        let held = vec![1_u8; 64 << 20];
        let file = std::fs::File::open("/proc/self/statm").expect("Linux has it");
        let spent = (0..20_000_000_u64).fold(0, |sum: u64, number| sum.wrapping_mul(31) ^ std::hint::black_box(number));
        let after = page(&[&registry()]);
        drop((std::hint::black_box(held), file, std::hint::black_box(spent)));
        for name in ["process_cpu_seconds_total", "process_resident_memory_bytes"] {
            assert!(value(&after, name) > value(&before, name), "{name}: {before} {after}");
        }
        assert!(value(&after, "process_open_fds") >= 4.0 && value(&after, "vitrine_processors") >= 1.0, "{after}");
    }
}

//! Beacon: `[beacon]` of site.toml, whether pages tell how they were.

use serde::Deserialize;
use toml::Spanned;

use crate::commerce::money::Percent;
use crate::site::load::written::Place;
use crate::site::problem::Problems;

/// Millionths: fewer than one page in ten thousand tell nothing of any of them.
const LEAST: u32 = 100;
/// All of them.
const MOST: u32 = 1_000_000;

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct WrittenBeacon {
    enabled: Option<bool>,
    sample: Option<Spanned<String>>,
}

impl WrittenBeacon {
    /// Pages in a hundred, as a decimal; empty: none.
    pub(super) fn checked(self, place: Place<'_>, problems: &mut Problems) -> String {
        let share = self.sample.and_then(|written| {
            let share = place.percent(&written, problems).map(Percent::millionths)?;
            if !(LEAST..=MOST).contains(&share) {
                let message = format!("{} % of all pages cannot tell how they were", written.get_ref());
                problems.push(place.problem(&written, message).hint("write a share from \"0.01\" to \"100\" percent"));
            }
            Some(share)
        });
        if self.enabled == Some(false) {
            return String::new();
        }
        let share = share.unwrap_or(MOST);
        let text = format!("{}.{:04}", share / 10_000, share % 10_000);
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    }
}

//! Limits: how much of `_headers`, `_redirects` and files a host takes. What is over is dropped there without a word.
//!
//! Source  Cloudflare's documentation of Pages and of static assets ("Headers", "Redirects", "Limits"); GitLab's of Pages redirects;
//!         Amazon's quotas of CloudFront.

use serde::Deserialize;

use super::built::Built;
use crate::site::problem::{Kind, Problem};

/// A host with limits, as `[build] host` names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Host {
    /// Cloudflare Pages, and a Worker with static assets.
    CloudflarePages,
    /// CloudFront before a bucket.
    Cloudfront,
    /// GitLab Pages.
    GitlabPages,
    /// Netlify.
    Netlify,
}

/// What a host takes; `None`: it names no limit.
struct Limits {
    name: &'static str,
    redirects: Option<usize>,
    redirect_bytes: Option<usize>,
    redirects_file_bytes: Option<usize>,
    header_rules: Option<usize>,
    header_line_bytes: Option<usize>,
    policy_bytes: Option<usize>,
    files: Option<usize>,
    file_bytes: Option<u64>,
    reads_headers: bool,
}

const NONE: Limits = Limits {
    name: "",
    redirects: None,
    redirect_bytes: None,
    redirects_file_bytes: None,
    header_rules: None,
    header_line_bytes: None,
    policy_bytes: None,
    files: None,
    file_bytes: None,
    reads_headers: true,
};

impl Host {
    fn limits(self) -> Limits {
        match self {
            Self::CloudflarePages => Limits {
                name: "Cloudflare Pages",
                redirects: Some(2_000),
                redirect_bytes: Some(1_000),
                header_rules: Some(100),
                header_line_bytes: Some(2_000),
                // Of the free plan; 100,000 of others.
                files: Some(20_000),
                file_bytes: Some(25 * 1024 * 1024),
                ..NONE
            },
            // Redirects that have no room in a function are done by the pages at old addresses.
            Self::Cloudfront => Limits { name: "CloudFront", policy_bytes: Some(1_783), ..NONE },
            Self::GitlabPages => Limits {
                name: "GitLab Pages",
                redirects: Some(1_000),
                redirects_file_bytes: Some(64 * 1024),
                reads_headers: false,
                ..NONE
            },
            Self::Netlify => Limits { name: "Netlify", ..NONE },
        }
    }

    /// What of a build is over this host's limits, as warnings.
    pub fn problems(self, built: &Built) -> Vec<Problem> {
        let limits = self.limits();
        let host = limits.name;
        let mut problems = Vec::new();
        let mut tell = |file: &str, line: usize, message: String, hint: &str| {
            let problem = Problem::about(file, message).of(Kind::File).warning().hint(hint);
            problems.push(if line > 0 { problem.on_line(line, 1, "") } else { problem });
        };
        let fewer = "drop `redirects` of products that nobody asks for any more; pages stand at old addresses all the same";
        let over = |found: usize, most: Option<usize>| most.filter(|most| found > *most);
        if let Some(most) = over(built.redirects.len(), limits.redirects) {
            let found = built.redirects.len();
            tell("_redirects", most + 1, format!("{found} redirects, and {host} reads {most}: what follows is dropped"), fewer);
        }
        if let Some(most) = over(built.redirects_text.len(), limits.redirects_file_bytes) {
            let found = built.redirects_text.len();
            tell("_redirects", 0, format!("{found} bytes, and {host} reads a file of at most {most}"), fewer);
        }
        for (number, line) in (1..).zip(built.redirects_text.lines()) {
            if let Some(most) = over(line.chars().count(), limits.redirect_bytes) {
                tell(
                    "_redirects",
                    number,
                    format!("this redirect is longer than the {most} signs that {host} reads"),
                    "shorten the address",
                );
            }
        }
        if let Some(most) = over(built.rules.len(), limits.header_rules) {
            tell("_headers", 0, format!("{} rules, and {host} reads {most}", built.rules.len()), "have fewer rules");
        }
        let scripts =
            "each style and script in a page itself adds 52 bytes to its policy: write some of them into files below static/";
        for (number, line) in (1..).zip(built.headers_text.lines()) {
            if let Some(most) = over(line.chars().count(), limits.header_line_bytes) {
                let found = line.chars().count();
                tell("_headers", number, format!("a line of {found} signs, and {host} reads at most {most}"), scripts);
            }
        }
        let policies = built.rules.iter().flat_map(|rule| &rule.headers).filter(|(name, _)| name == "Content-Security-Policy");
        for (_, policy) in policies {
            if let Some(most) = over(policy.len(), limits.policy_bytes) {
                let found = policy.len();
                tell("_headers", 0, format!("a policy of {found} signs, and {host} takes at most {most}"), scripts);
            }
        }
        if !limits.reads_headers {
            let message = format!("{host} does not read it: pages are sent without a Content-Security-Policy");
            tell(
                "_headers",
                0,
                message,
                "put a CDN before it that sends them; it also has to lead cart and checkout to the edge",
            );
        }
        if let Some(most) = over(built.files, limits.files) {
            let message = format!("{} files, and {host} takes {most} on its free plan", built.files);
            tell("manifest.json", 0, message, "have fewer pages of facets or fewer widths of pictures, or another plan");
        }
        if let (Some((path, bytes)), Some(most)) = (&built.largest, limits.file_bytes)
            && *bytes > most
        {
            tell(
                path,
                0,
                format!("{bytes} bytes, and {host} takes files of at most {most}"),
                "make it smaller, or serve it from elsewhere",
            );
        }
        problems
    }
}

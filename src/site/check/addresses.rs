//! Addresses: where an address that a page names leads to.
//!
//! Knows   the files of a build by their manifest, old addresses, and which addresses the edge answers. Nothing is fetched.
//! Limits  strict where hosts differ: a page of the flat style has no closing slash, since few hosts take one away.

use std::collections::{HashMap, HashSet};

use percent_encoding::percent_decode_str;

use super::page::Role;
use crate::site::manifest::Manifest;

/// Says whether the edge answers a method and path.
pub type EdgeRoutes<'a> = &'a (dyn Fn(&str, &str) -> bool + Sync);

/// All that can be reached on the site.
pub(super) struct Addresses<'a> {
    base_url: &'a str,
    /// Address → path of its file.
    files: HashMap<String, &'a str>,
    /// Old addresses.
    old: HashSet<String>,
    is_edge_route: EdgeRoutes<'a>,
}

/// Where an address leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// To another site, a mail program, or into the document itself (`data:`).
    Outside,
    /// To this site.
    Here {
        /// Decoded, without query.
        path: String,
        /// Without `#`, decoded; empty where there is none.
        fragment: String,
    },
}

impl<'a> Addresses<'a> {
    pub(super) fn new(manifest: &'a Manifest, base_url: &'a str, old: HashSet<String>, is_edge_route: EdgeRoutes<'a>) -> Self {
        let mut files = HashMap::with_capacity(manifest.files.len() * 2);
        for path in manifest.files.keys() {
            files.insert(format!("/{path}"), path.as_str());
        }
        // An address without ending is the page's, whatever other names its file has.
        for path in manifest.files.keys() {
            if let Some(address) = page_address(path) {
                if let Some(folder) = path.strip_suffix("/index.html") {
                    files.insert(format!("/{folder}/"), path);
                }
                files.insert(address, path);
            }
        }
        Self { base_url, files, old, is_edge_route }
    }

    /// Follows an address as a browser would that shows the page `from`.
    pub(super) fn target(&self, from: &str, url: &str) -> Target {
        let url = match url.strip_prefix(self.base_url) {
            Some("") => "/",
            Some(rest) if rest.starts_with(['/', '?', '#']) => rest,
            _ if url.starts_with("//") || has_scheme(url) => return Target::Outside,
            _ => url,
        };
        let (url, fragment) = url.split_once('#').unwrap_or((url, ""));
        let path = url.split('?').next().unwrap_or("");
        let path = match path {
            "" if url.is_empty() || !url.starts_with('/') => from.to_owned(),
            path if path.starts_with('/') => normal(path),
            path => normal(&format!("{}/{path}", from.rsplit_once('/').map_or("", |(folder, _)| folder))),
        };
        let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        Target::Here { path: decoded(&path), fragment: decoded(fragment) }
    }

    /// The file at an address of this site.
    pub(super) fn file(&self, path: &str) -> Option<&'a str> {
        self.files.get(path).copied()
    }

    /// Whether something answers at an address of this site when it is used so.
    pub(super) fn answers(&self, path: &str, role: Role) -> bool {
        let is_static = || self.files.contains_key(path) || self.old.contains(path);
        match role {
            Role::Form { is_post: true } => (self.is_edge_route)("POST", path),
            Role::Form { is_post: false } | Role::Link => is_static() || (self.is_edge_route)("GET", path),
            Role::Picture | Role::File => is_static(),
        }
    }
}

/// The address of a page by its file: `products/lamp.html` and `products/lamp/index.html` are `/products/lamp`. `None`: no page.
pub fn page_address(path: &str) -> Option<String> {
    let name = path.strip_suffix(".html")?;
    Some(match name.strip_suffix("index") {
        Some("") => "/".to_owned(),
        Some(folder) if folder.ends_with('/') => format!("/{}", folder.trim_end_matches('/')),
        _ => format!("/{name}"),
    })
}

// RFC 3986, 3.1: a letter, then letters, digits, `+`, `-` and `.`, then a colon.
fn has_scheme(url: &str) -> bool {
    let Some((scheme, _)) = url.split_once(':') else { return false };
    scheme.starts_with(|sign: char| sign.is_ascii_alphabetic())
        && scheme.chars().all(|sign| sign.is_ascii_alphanumeric() || matches!(sign, '+' | '-' | '.'))
}

// RFC 3986, 5.2.4: `.` and `..` are taken out.
fn normal(path: &str) -> String {
    if !path.contains("/.") {
        return path.to_owned();
    }
    let mut kept: Vec<&str> = Vec::new();
    let ends_in_folder = path.ends_with("/.") || path.ends_with("/..");
    for part in path.split('/').skip(1) {
        match part {
            "." => {}
            ".." => {
                kept.pop();
            }
            part => kept.push(part),
        }
    }
    format!("/{}{}", kept.join("/"), if ends_in_folder && !kept.is_empty() { "/" } else { "" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::manifest::Entry;

    fn manifest() -> Manifest {
        let paths = ["index.html", "products/lamp.html", "about/index.html", "a/images/x y.svg", "search.html"];
        let files = paths.iter().map(|path| ((*path).to_owned(), Entry::of(path, b""))).collect();
        Manifest { files, ..Manifest::default() }
    }

    #[test]
    fn an_address_is_followed_as_a_browser_does() {
        let manifest = manifest();
        let addresses = Addresses::new(&manifest, "https://shop.example", HashSet::new(), &|_, _| false);
        let here = |path: &str, fragment: &str| Target::Here { path: path.to_owned(), fragment: fragment.to_owned() };
        for (url, expected) in [
            ("/a?b#c", here("/a", "c")),
            ("#part%20two", here("/products/lamp", "part two")),
            ("?x=1", here("/products/lamp", "")),
            ("", here("/products/lamp", "")),
            ("mug", here("/products/mug", "")),
            ("../about/./us", here("/about/us", "")),
            ("../../../", here("/", "")),
            ("/a/x%20y.svg", here("/a/x y.svg", "")),
            ("https://shop.example", here("/", "")),
            ("https://shop.example/b", here("/b", "")),
            ("https://shop.example.org/b", Target::Outside),
            ("//cdn.example/b", Target::Outside),
            ("mailto:a@b.example", Target::Outside),
            ("data:image/png;base64,xx", Target::Outside),
        ] {
            assert_eq!(addresses.target("/products/lamp", url), expected, "{url}");
        }
    }

    #[test]
    fn pages_old_addresses_and_the_edge_answer() {
        let manifest = manifest();
        let old = HashSet::from(["/old".to_owned()]);
        let is_edge = |method: &str, path: &str| method == "POST" && path == "/cart/lines" || method == "GET" && path == "/cart";
        let addresses = Addresses::new(&manifest, "https://shop.example", old, &is_edge);
        let post = Role::Form { is_post: true };
        for (path, role, expected) in [
            ("/", Role::Link, true),
            ("/products/lamp", Role::Link, true),
            ("/products/lamp/", Role::Link, false),
            ("/about", Role::Link, true),
            ("/about/", Role::Link, true),
            ("/old", Role::Link, true),
            ("/cart", Role::Link, true),
            ("/cart/lines", Role::Link, false),
            ("/cart/lines", post, true),
            ("/search", post, false),
            ("/search", Role::Form { is_post: false }, true),
            ("/a/images/x y.svg", Role::Picture, true),
            ("/a/images/z.svg", Role::Picture, false),
        ] {
            assert_eq!(addresses.answers(path, role), expected, "{path} as {role:?}");
        }
        assert_eq!(addresses.file("/about"), Some("about/index.html"));
    }
}

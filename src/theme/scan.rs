//! Scan: where signs stand in bytes, found many bytes at a time.
//!
//! Why     pages are looked through once more after they were printed, each of their bytes; one after the other costs as much as printing
//!         a tenth of them.

use std::sync::LazyLock;

use memchr::memmem::Finder;
use memchr::{memchr2_iter, memchr3_iter};

/// Where `<`, `>`, `&`, `'` and the first byte of U+2028 stand, in order. That byte is also the first of other signs.
pub(super) fn script_signs(bytes: &[u8]) -> impl Iterator<Item = usize> {
    merged(memchr3_iter(b'<', b'>', b'&', bytes), memchr2_iter(b'\'', 0xE2, bytes))
}

/// Where tags open whose names begin with `s`, small or large, in order.
pub(super) fn tags_with_s(page: &[u8]) -> impl Iterator<Item = usize> {
    static SMALL: LazyLock<Finder<'_>> = LazyLock::new(|| Finder::new(b"<s"));
    static LARGE: LazyLock<Finder<'_>> = LazyLock::new(|| Finder::new(b"<S"));
    merged(SMALL.find_iter(page), LARGE.find_iter(page))
}

fn merged(one: impl Iterator<Item = usize>, other: impl Iterator<Item = usize>) -> impl Iterator<Item = usize> {
    let (mut one, mut other) = (one.peekable(), other.peekable());
    std::iter::from_fn(move || match (one.peek(), other.peek()) {
        (Some(first), Some(second)) if second < first => other.next(),
        (Some(_), _) => one.next(),
        (None, _) => other.next(),
    })
}

//! Files: what the built-in templates ask `asset()` for, for shops that bring none of their own.

/// The built-in theme's part of static/: (path in it, bytes), sorted. A shop's file of the same path shadows one.
pub static FILES: [(&str, &[u8]); 2] =
    [("favicon.svg", include_bytes!("../../static/favicon.svg")), ("theme.js", include_bytes!("../../static/theme.js"))];

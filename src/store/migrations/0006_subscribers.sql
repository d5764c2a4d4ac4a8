-- What happened to orders, for the merchant's own systems: one row per fact, written in the transaction that made it true.
CREATE TABLE facts (
    -- Never given twice, even after the newest was forgotten: subscribers remember how far they came.
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    -- By it receivers know what they had before. Made of what it is about, so that it is the same in a restored backup.
    key      TEXT NOT NULL UNIQUE,
    kind     TEXT NOT NULL,
    order_id TEXT NOT NULL REFERENCES orders (id),
    -- JSON of an object, as things stood then.
    document TEXT NOT NULL CHECK (document LIKE '{"%}'),
    at       INTEGER NOT NULL
) STRICT;
CREATE INDEX facts_age ON facts (at);

CREATE TABLE subscribers (
    name          TEXT PRIMARY KEY,
    url           TEXT NOT NULL,
    -- JSON list of kinds.
    events        TEXT NOT NULL,
    first_seen_at INTEGER NOT NULL,
    -- Since when site.toml does not name it; its place is kept.
    removed_at    INTEGER,
    -- Facts up to this one are of before its time: numbered, so that they can be sent again, and not sent.
    starts_after  INTEGER NOT NULL,
    -- Facts up to this one have their number, or are of kinds that it does not hear.
    numbered      INTEGER NOT NULL DEFAULT 0,
    last_sequence INTEGER NOT NULL DEFAULT 0,
    next_sequence INTEGER NOT NULL DEFAULT 1 CHECK (next_sequence BETWEEN 1 AND last_sequence + 1),
    tries         INTEGER NOT NULL DEFAULT 0,
    next_at       INTEGER NOT NULL DEFAULT 0,
    accepted_at   INTEGER,
    failures      INTEGER NOT NULL DEFAULT 0,
    last_error    TEXT,
    -- Since when nothing was accepted, whether it said that it is gone, and when the operator was told.
    failing_since INTEGER,
    is_gone       INTEGER NOT NULL DEFAULT 0,
    told_at       INTEGER
) STRICT;

-- Each subscriber counts what it hears from 1, without gaps.
CREATE TABLE deliveries (
    subscriber TEXT NOT NULL REFERENCES subscribers (name),
    sequence   INTEGER NOT NULL,
    fact       INTEGER NOT NULL REFERENCES facts (id) ON DELETE CASCADE,
    PRIMARY KEY (subscriber, sequence),
    UNIQUE (fact, subscriber)
) STRICT, WITHOUT ROWID;

-- What gateways say, kept before it is acted on. An event is a hint: what it is about is fetched.
CREATE TABLE inbox (
    id            INTEGER PRIMARY KEY,
    gateway       TEXT NOT NULL,
    event         TEXT NOT NULL,
    kind          TEXT NOT NULL,
    -- As the event names them: there may be no such rows here.
    checkout      TEXT,
    attempt       INTEGER,
    reference     TEXT,
    body          BLOB NOT NULL,
    created_at    INTEGER NOT NULL,
    received_at   INTEGER NOT NULL,
    next_at       INTEGER NOT NULL,
    tries         INTEGER NOT NULL DEFAULT 0,
    claimed_until INTEGER NOT NULL DEFAULT 0,
    done_at       INTEGER,
    result        TEXT CHECK (result IN ('applied', 'foreign', 'ignored', 'orphan')),
    last_error    TEXT,
    -- I10: an event is acted on once.
    UNIQUE (gateway, event),
    CHECK ((done_at IS NULL) = (result IS NULL))
) STRICT;
CREATE INDEX inbox_due ON inbox (next_at) WHERE done_at IS NULL;
CREATE INDEX inbox_newest ON inbox (gateway, created_at);
CREATE INDEX inbox_age ON inbox (received_at);

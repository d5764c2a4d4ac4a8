-- What left the house of an order. One that had not left after all is kept, with the instant it was taken back.
CREATE TABLE fulfillments (
    id         TEXT PRIMARY KEY,
    order_id   TEXT NOT NULL REFERENCES orders (id),
    -- By it a wish that comes twice is one fulfillment.
    key        TEXT NOT NULL UNIQUE,
    carrier    TEXT NOT NULL,
    tracking   TEXT NOT NULL,
    url        TEXT NOT NULL CHECK (url = '' OR url LIKE 'https://%'),
    -- Whether nothing was left to send after it.
    completes  INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    undone_at  INTEGER
) STRICT;
CREATE INDEX fulfillments_of_order ON fulfillments (order_id);

CREATE TABLE fulfillment_units (
    fulfillment TEXT NOT NULL REFERENCES fulfillments (id),
    line        INTEGER NOT NULL,
    sku         TEXT NOT NULL,
    quantity    INTEGER NOT NULL CHECK (quantity > 0),
    PRIMARY KEY (fulfillment, line)
) STRICT, WITHOUT ROWID;

-- Every line of an order of which something was sent: a unit leaves the house once.
CREATE TABLE fulfilled_lines (
    order_id TEXT NOT NULL REFERENCES orders (id),
    line     INTEGER NOT NULL,
    ordered  INTEGER NOT NULL,
    sent     INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (order_id, line),
    CHECK (sent >= 0 AND sent <= ordered)
) STRICT, WITHOUT ROWID;

-- Letters to customers. An edge claims the kinds that it knows; one of an earlier release claims none of them.
CREATE TABLE letters (
    id            INTEGER PRIMARY KEY,
    kind          TEXT NOT NULL,
    -- What it is about: a fulfillment, for one.
    subject       TEXT NOT NULL,
    order_id      TEXT NOT NULL REFERENCES orders (id),
    created_at    INTEGER NOT NULL,
    next_at       INTEGER NOT NULL,
    tries         INTEGER NOT NULL DEFAULT 0,
    claimed_by    TEXT,
    claimed_until INTEGER NOT NULL DEFAULT 0,
    done_at       INTEGER,
    last_error    TEXT,
    -- One thing is told once.
    UNIQUE (kind, subject)
) STRICT;
CREATE INDEX letters_due ON letters (next_at) WHERE done_at IS NULL;
CREATE INDEX letters_of_order ON letters (order_id);

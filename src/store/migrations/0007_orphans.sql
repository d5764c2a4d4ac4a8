-- What tells an older copy of this file from the file itself. One row.
CREATE TABLE life (
    id          INTEGER PRIMARY KEY CHECK (id = 1),
    -- Since when this shop keeps this file, or what it was copied from.
    born_at     INTEGER NOT NULL,
    -- When an edge last wrote that it lives.
    seen_at     INTEGER NOT NULL,
    -- Whether that edge stopped as asked.
    is_stopped  INTEGER NOT NULL DEFAULT 0,
    -- Set in a copy alone: whoever opens it knows that what came after is missing.
    copied_at   INTEGER,
    -- Order numbers up to here may have been given by somebody whose rows are lost.
    order_floor INTEGER NOT NULL DEFAULT 0
) STRICT;

-- Payments at the gateway that name this shop and that no attempt is of.
CREATE TABLE orphans (
    gateway        TEXT NOT NULL,
    reference      TEXT NOT NULL,
    shop           TEXT NOT NULL,
    -- As the payment names them: there may be no such rows here.
    checkout       TEXT NOT NULL,
    number         INTEGER NOT NULL CHECK (number > 0),
    quote_hash     TEXT NOT NULL,
    amount_minor   INTEGER NOT NULL CHECK (amount_minor >= 0),
    currency       TEXT NOT NULL,
    -- What the gateway says of it, when it was last asked.
    standing       TEXT NOT NULL,
    refunded_minor INTEGER NOT NULL DEFAULT 0,
    state          TEXT NOT NULL CHECK (state IN ('found', 'adopted', 'returning', 'returned', 'review')),
    reason         TEXT NOT NULL DEFAULT '',
    made_at        INTEGER NOT NULL,
    found_at       INTEGER NOT NULL,
    changed_at     INTEGER NOT NULL,
    next_at        INTEGER NOT NULL,
    tries          INTEGER NOT NULL DEFAULT 0,
    -- When a person was told how it ended, or that it does not.
    told_at        INTEGER,
    PRIMARY KEY (gateway, reference)
) STRICT;
CREATE INDEX orphans_due ON orphans (next_at) WHERE state IN ('found', 'returning');
CREATE INDEX orphans_to_tell ON orphans (found_at) WHERE told_at IS NULL;
CREATE INDEX orphans_of_checkout ON orphans (checkout, number);

-- How often the gateway's list and this file were held against each other.
CREATE TABLE reconciliations (
    id         INTEGER PRIMARY KEY,
    gateway    TEXT NOT NULL,
    since      INTEGER NOT NULL,
    at         INTEGER NOT NULL,
    compared   INTEGER NOT NULL,
    orphans    INTEGER NOT NULL,
    different  INTEGER NOT NULL
) STRICT;

-- Payments that are known on both sides and are not the same.
CREATE TABLE differences (
    attempt   TEXT NOT NULL REFERENCES attempts (id),
    kind      TEXT NOT NULL CHECK (kind IN ('missing', 'amount', 'refunded')),
    detail    TEXT NOT NULL,
    found_at  INTEGER NOT NULL,
    -- When it was last found; a later reconciliation without it is the end of it.
    seen_at   INTEGER NOT NULL,
    PRIMARY KEY (attempt, kind)
) STRICT;

-- Money that goes back. A row is committed before its call is sent; what was given back at the gateway's own pages has a row without key.
CREATE TABLE refunds (
    id            TEXT PRIMARY KEY,
    order_id      TEXT NOT NULL REFERENCES orders (id),
    attempt       TEXT NOT NULL REFERENCES attempts (id),
    amount_minor  INTEGER NOT NULL CHECK (amount_minor > 0),
    currency      TEXT NOT NULL,
    -- For the customer, and for the house.
    reason        TEXT NOT NULL DEFAULT '',
    note          TEXT NOT NULL DEFAULT '',
    -- Whether the order's units were put back into stock with it.
    restocked     INTEGER NOT NULL DEFAULT 0,
    state         TEXT NOT NULL CHECK (state IN ('pending', 'accepted', 'done', 'failed', 'review')),
    key           TEXT UNIQUE,
    -- Exact bytes of the call, from the first send on and for ever.
    body          BLOB,
    sent          INTEGER NOT NULL DEFAULT 0,
    first_sent_at INTEGER,
    reference     TEXT,
    failure       TEXT,
    created_at    INTEGER NOT NULL,
    changed_at    INTEGER NOT NULL,
    next_at       INTEGER NOT NULL,
    lease_owner   TEXT,
    lease_fence   INTEGER NOT NULL DEFAULT 0,
    lease_until   INTEGER NOT NULL DEFAULT 0,
    -- When the customer was written to that the money is on its way.
    told_at       INTEGER,
    -- I21: a refund of the gateway is in one row.
    UNIQUE (attempt, reference)
) STRICT;
CREATE INDEX refunds_due ON refunds (next_at) WHERE state IN ('pending', 'accepted');
CREATE INDEX refunds_to_tell ON refunds (changed_at) WHERE state = 'done' AND told_at IS NULL;
CREATE INDEX refunds_of_order ON refunds (order_id);
-- Units come back once.
CREATE UNIQUE INDEX refunds_restocked_once ON refunds (order_id) WHERE restocked = 1;

-- The ledger knows refunds: each is in it once, and once more where the bank sent the money back to us.
CREATE TABLE ledger_of_refunds (
    id           INTEGER PRIMARY KEY,
    attempt      TEXT NOT NULL REFERENCES attempts (id),
    cart_id      TEXT NOT NULL,
    kind         TEXT NOT NULL CHECK (kind IN ('authorized', 'captured', 'voided', 'refunded', 'refund_failed')),
    amount_minor INTEGER NOT NULL CHECK (amount_minor >= 0),
    currency     TEXT NOT NULL,
    at           INTEGER NOT NULL,
    refund       TEXT REFERENCES refunds (id),
    CHECK (kind NOT IN ('refunded', 'refund_failed') OR refund IS NOT NULL)
) STRICT;
INSERT INTO ledger_of_refunds (id, attempt, cart_id, kind, amount_minor, currency, at)
    SELECT id, attempt, cart_id, kind, amount_minor, currency, at FROM ledger;
DROP TABLE ledger;
ALTER TABLE ledger_of_refunds RENAME TO ledger;
-- I2: a cart is paid once.
CREATE UNIQUE INDEX ledger_captured_once ON ledger (cart_id) WHERE kind = 'captured';
CREATE UNIQUE INDEX ledger_refunds_once ON ledger (refund, kind) WHERE refund IS NOT NULL;
CREATE INDEX ledger_of_attempt ON ledger (attempt);

-- An operator wants the held money of a placed order let go.
ALTER TABLE attempts ADD COLUMN void_asked_at INTEGER;
-- The number of an order that was placed and then canceled: people go on calling it by that.
ALTER TABLE orders ADD COLUMN former_number TEXT;
CREATE INDEX orders_by_former_number ON orders (former_number) WHERE former_number IS NOT NULL;

-- What an operator has dealt with outside of this file, and wants to be reminded of no more.
CREATE TABLE resolutions (
    kind    TEXT NOT NULL CHECK (kind IN ('payment', 'orphan', 'refund')),
    subject TEXT NOT NULL,
    note    TEXT NOT NULL,
    at      INTEGER NOT NULL,
    PRIMARY KEY (kind, subject)
) STRICT, WITHOUT ROWID;

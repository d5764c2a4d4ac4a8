-- Who runs the shop: operators, their sessions, tries to sign in that failed, what was done, and what they wrote about orders.

CREATE TABLE operators (
    name        TEXT PRIMARY KEY,
    -- A PHC string of argon2id with its salt and costs.
    hash        TEXT NOT NULL,
    created_at  INTEGER NOT NULL,
    -- Since when the password is what it is.
    changed_at  INTEGER NOT NULL,
    disabled_at INTEGER
) STRICT, WITHOUT ROWID;

-- The token itself is in the operator's browser alone.
CREATE TABLE operator_sessions (
    token_hash TEXT PRIMARY KEY,
    operator   TEXT NOT NULL REFERENCES operators (name),
    created_at INTEGER NOT NULL,
    seen_at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX operator_sessions_of ON operator_sessions (operator);

-- Tries are counted before the password is looked at, for names that do not exist as well.
CREATE TABLE sign_in_tries (
    subject      TEXT PRIMARY KEY,
    failures     INTEGER NOT NULL,
    last_at      INTEGER NOT NULL,
    locked_until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sign_in_tries_age ON sign_in_tries (last_at);

-- Never changed, only added to.
CREATE TABLE audit (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    at       INTEGER NOT NULL,
    operator TEXT NOT NULL,
    action   TEXT NOT NULL,
    -- What it was done to: a SKU, an operator, a subscriber, a payment; empty where the order says it.
    subject  TEXT NOT NULL,
    order_id TEXT REFERENCES orders (id),
    detail   TEXT NOT NULL,
    before   TEXT NOT NULL,
    after    TEXT NOT NULL,
    -- Of the form it was asked by, and of what that form does: one that is sent twice is done once.
    key      TEXT UNIQUE
) STRICT;
CREATE INDEX audit_of_order ON audit (order_id) WHERE order_id IS NOT NULL;
-- From which networks somebody signed in lately.
CREATE INDEX audit_of_networks ON audit (subject, at) WHERE action = 'signed in';
CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is only added to'); END;
CREATE TRIGGER audit_is_not_forgotten BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is only added to'); END;

CREATE TABLE order_notes (
    id       INTEGER PRIMARY KEY,
    order_id TEXT NOT NULL REFERENCES orders (id),
    operator TEXT NOT NULL,
    text     TEXT NOT NULL,
    at       INTEGER NOT NULL
) STRICT;
CREATE INDEX order_notes_of ON order_notes (order_id);

-- By what an order is found: written afterwards, by whoever looks for one, so that no shopper waits for it.
CREATE TABLE order_terms (
    term       TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    order_id   TEXT NOT NULL REFERENCES orders (id),
    PRIMARY KEY (term, created_at, order_id)
) STRICT, WITHOUT ROWID;
ALTER TABLE orders ADD COLUMN is_searchable INTEGER NOT NULL DEFAULT 0;
CREATE INDEX orders_to_search ON orders (created_at, id) WHERE is_searchable = 0;
-- The newest first, and those that are few among the many.
CREATE INDEX orders_by_age ON orders (created_at, id);
CREATE INDEX orders_canceled ON orders (created_at, id) WHERE state = 'canceled';
CREATE INDEX orders_unpaid ON orders (created_at, id) WHERE state = 'placed' AND paid_at IS NULL;

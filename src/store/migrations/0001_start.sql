-- The money's tables. Instants are seconds since 1970, amounts minor units. A constraint here is an invariant of CHECKOUT.md 5.9.

CREATE TABLE checkouts (
    id            TEXT PRIMARY KEY,
    cart_id       TEXT NOT NULL,
    cart_revision INTEGER NOT NULL,
    cart_token    TEXT NOT NULL,
    market        TEXT NOT NULL,
    language      TEXT NOT NULL,
    contact       TEXT NOT NULL,
    address       TEXT NOT NULL,
    shipping_rate TEXT,
    quote         TEXT REFERENCES quotes (id),
    canceled      INTEGER NOT NULL DEFAULT 0,
    created_at    INTEGER NOT NULL,
    lease_owner   TEXT,
    lease_fence   INTEGER NOT NULL DEFAULT 0,
    lease_until   INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE quotes (
    id         TEXT PRIMARY KEY,
    checkout   TEXT NOT NULL REFERENCES checkouts (id),
    hash       TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    document   TEXT NOT NULL
) STRICT;

CREATE TABLE orders (
    id         TEXT PRIMARY KEY,
    checkout   TEXT NOT NULL REFERENCES checkouts (id),
    cart_id    TEXT NOT NULL,
    quote      TEXT NOT NULL REFERENCES quotes (id),
    state      TEXT NOT NULL CHECK (state IN ('pending_payment', 'placed', 'canceled')),
    sequence   INTEGER UNIQUE,
    number     TEXT UNIQUE,
    created_at INTEGER NOT NULL,
    hold_until INTEGER NOT NULL,
    placed_at  INTEGER,
    paid_at    INTEGER,
    CHECK ((state = 'placed') = (number IS NOT NULL)),
    CHECK (paid_at IS NULL OR state = 'placed')
) STRICT;
-- I3: a cart becomes one order.
CREATE UNIQUE INDEX orders_one_per_cart ON orders (cart_id) WHERE state <> 'canceled';
CREATE INDEX orders_of_checkout ON orders (checkout);
CREATE INDEX orders_waiting ON orders (hold_until) WHERE state = 'pending_payment';

CREATE TABLE attempts (
    id           TEXT PRIMARY KEY,
    checkout     TEXT NOT NULL REFERENCES checkouts (id),
    order_id     TEXT NOT NULL REFERENCES orders (id),
    number       INTEGER NOT NULL CHECK (number > 0),
    quote        TEXT NOT NULL REFERENCES quotes (id),
    quote_hash   TEXT NOT NULL,
    amount_minor INTEGER NOT NULL CHECK (amount_minor >= 0),
    currency     TEXT NOT NULL,
    gateway      TEXT NOT NULL,
    key          TEXT NOT NULL UNIQUE,
    body         BLOB NOT NULL,
    state        TEXT NOT NULL CHECK (state IN ('intent_pending', 'awaiting_shopper', 'authorized', 'capturing', 'paid', 'declined',
                                                'canceled', 'review')),
    reference    TEXT,
    redirect_url TEXT,
    reason       TEXT,
    card         TEXT,
    created_at   INTEGER NOT NULL,
    changed_at   INTEGER NOT NULL,
    deadline_at  INTEGER NOT NULL,
    UNIQUE (checkout, number),
    UNIQUE (gateway, reference)
) STRICT;
-- I2: one live attempt per checkout.
CREATE UNIQUE INDEX attempts_one_live ON attempts (checkout) WHERE state NOT IN ('paid', 'declined', 'canceled');
CREATE INDEX attempts_open ON attempts (changed_at) WHERE state NOT IN ('paid', 'declined', 'canceled');

-- Never changed, only added to.
CREATE TABLE ledger (
    id           INTEGER PRIMARY KEY,
    attempt      TEXT NOT NULL REFERENCES attempts (id),
    cart_id      TEXT NOT NULL,
    kind         TEXT NOT NULL CHECK (kind IN ('authorized', 'captured', 'refunded')),
    amount_minor INTEGER NOT NULL CHECK (amount_minor >= 0),
    currency     TEXT NOT NULL,
    at           INTEGER NOT NULL
) STRICT;
-- I2: a cart is paid once.
CREATE UNIQUE INDEX ledger_captured_once ON ledger (cart_id) WHERE kind = 'captured';

CREATE TABLE stock (
    sku       TEXT PRIMARY KEY,
    on_hand   INTEGER NOT NULL,
    reserved  INTEGER NOT NULL DEFAULT 0 CHECK (reserved >= 0),
    sold      INTEGER NOT NULL DEFAULT 0 CHECK (sold >= 0),
    backorder INTEGER NOT NULL DEFAULT 0,
    -- I8: what is not there cannot be promised.
    CHECK (backorder = 1 OR on_hand >= reserved)
) STRICT;

CREATE TABLE reservations (
    order_id TEXT NOT NULL REFERENCES orders (id),
    sku      TEXT NOT NULL REFERENCES stock (sku),
    quantity INTEGER NOT NULL CHECK (quantity > 0),
    sold     INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (order_id, sku)
) STRICT;

CREATE TABLE stock_movements (
    id       INTEGER PRIMARY KEY,
    sku      TEXT NOT NULL REFERENCES stock (sku),
    change   INTEGER NOT NULL,
    kind     TEXT NOT NULL CHECK (kind IN ('opening', 'set', 'adjusted', 'sold')),
    reason   TEXT NOT NULL DEFAULT '',
    order_id TEXT,
    at       INTEGER NOT NULL
) STRICT;
CREATE INDEX movements_of_sku ON stock_movements (sku);

CREATE TABLE coupon_uses (
    code     TEXT NOT NULL,
    order_id TEXT NOT NULL REFERENCES orders (id),
    PRIMARY KEY (code, order_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE outbox (
    id            INTEGER PRIMARY KEY,
    kind          TEXT NOT NULL CHECK (kind IN ('capture', 'cancel_payment', 'confirmation', 'alarm')),
    subject       TEXT NOT NULL,
    checkout      TEXT NOT NULL REFERENCES checkouts (id),
    detail        TEXT NOT NULL DEFAULT '',
    created_at    INTEGER NOT NULL,
    next_at       INTEGER NOT NULL,
    tries         INTEGER NOT NULL DEFAULT 0,
    claimed_by    TEXT,
    claimed_until INTEGER NOT NULL DEFAULT 0,
    done_at       INTEGER,
    last_error    TEXT,
    -- I11: an effect of one thing is promised once.
    UNIQUE (kind, subject)
) STRICT;
CREATE INDEX outbox_due ON outbox (next_at) WHERE done_at IS NULL;

CREATE TABLE idempotency_keys (
    scope        TEXT NOT NULL,
    key          TEXT NOT NULL,
    request_hash TEXT NOT NULL,
    status       INTEGER,
    response     BLOB,
    created_at   INTEGER NOT NULL,
    PRIMARY KEY (scope, key)
) STRICT;
CREATE INDEX idempotency_age ON idempotency_keys (created_at);

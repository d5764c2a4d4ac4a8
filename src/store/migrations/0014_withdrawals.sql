-- What customers declare: that they withdraw from an order or a part of it. The house deals with each, and notes how.
CREATE TABLE withdrawals (
    id         TEXT PRIMARY KEY,
    order_id   TEXT NOT NULL REFERENCES orders (id),
    -- JSON list of lines, as fulfillments have them; empty: see `wanted`, and where that is empty, too, the whole order.
    lines      TEXT NOT NULL,
    -- In the customer's words, where the lines could not be shown.
    wanted     TEXT NOT NULL,
    reason     TEXT NOT NULL,
    -- Whether the period is over, as far as can be told.
    is_late    INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    handled_at INTEGER,
    note       TEXT
) STRICT;
CREATE INDEX withdrawals_of_order ON withdrawals (order_id);
CREATE INDEX withdrawals_open ON withdrawals (created_at) WHERE handled_at IS NULL;

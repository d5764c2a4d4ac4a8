//! Never: what no row of the database may ever say, whoever looks and whenever. Queries alone, so that every oracle has the same.

/// Rows that no shop may ever hold: the invariant's name, what it is about, and a query for breaches.
pub const NEVER: &[(&str, &str)] = &[
    ("I3: one cart has two orders", "SELECT cart_id FROM orders WHERE state <> 'canceled' GROUP BY cart_id HAVING count(*) > 1"),
    (
        "I2: one cart has two live attempts",
        "SELECT cart_id FROM orders JOIN attempts ON order_id = orders.id
         WHERE attempts.state IN ('intent_pending', 'awaiting_shopper', 'authorized', 'capturing') GROUP BY cart_id HAVING count(*) > 1",
    ),
    ("I8: more is promised than there is", "SELECT sku FROM stock WHERE on_hand < reserved OR reserved < 0"),
    (
        "I8: what is reserved is not what orders hold",
        "SELECT sku FROM stock WHERE reserved <>
             (SELECT coalesce(sum(quantity), 0) FROM reservations WHERE reservations.sku = stock.sku AND reservations.sold = 0)",
    ),
    (
        "I8: what is sold is not what placed orders have",
        "SELECT sku FROM stock WHERE sold <>
             (SELECT coalesce(sum(quantity), 0) FROM reservations JOIN orders ON orders.id = order_id
              WHERE reservations.sku = stock.sku AND reservations.sold = 1 AND state = 'placed')",
    ),
    (
        "I8: units came or went without a movement",
        "SELECT sku FROM stock WHERE on_hand <> (SELECT sum(change) FROM stock_movements WHERE stock_movements.sku = stock.sku)",
    ),
    (
        "I9: a live attempt's hold was freed",
        "SELECT attempts.key FROM attempts JOIN orders ON orders.id = order_id
         WHERE attempts.state IN ('intent_pending', 'awaiting_shopper', 'authorized', 'capturing')
           AND (orders.state = 'canceled' OR NOT EXISTS (SELECT 1 FROM reservations WHERE reservations.order_id = orders.id))",
    ),
    (
        "I11: a confirmation without money, or money without a confirmation",
        "SELECT orders.id FROM orders LEFT JOIN outbox ON kind = 'confirmation' AND subject = orders.id
         WHERE (paid_at IS NULL) <> (outbox.id IS NULL)",
    ),
    (
        "I12: an order is paid and its attempt is not",
        "SELECT orders.id FROM orders WHERE paid_at IS NOT NULL AND (state <> 'placed' OR NOT EXISTS
             (SELECT 1 FROM attempts WHERE order_id = orders.id AND attempts.state = 'paid'))",
    ),
    (
        "K27: an order was placed and no fact says so, or one says so that is not true",
        "SELECT orders.id FROM orders WHERE (placed_at IS NULL) = EXISTS (SELECT 1 FROM facts WHERE key = 'order-placed-' || orders.id)",
    ),
    (
        "K27: an order was paid and no fact says so, or one says so that is not true",
        "SELECT orders.id FROM orders WHERE (paid_at IS NULL) = EXISTS (SELECT 1 FROM facts WHERE key = 'order-paid-' || orders.id)",
    ),
    (
        "K27: an order was canceled and no fact says so, or one says so that is not true",
        "SELECT orders.id FROM orders
         WHERE (state <> 'canceled') = EXISTS (SELECT 1 FROM facts WHERE key = 'order-canceled-' || orders.id)",
    ),
    (
        "K27: a payment is for a person and no fact says so",
        "SELECT attempts.id FROM attempts
         WHERE state = 'review' AND NOT EXISTS (SELECT 1 FROM facts WHERE key LIKE 'payment-review-' || attempts.id || '-%')",
    ),
    (
        "K27: a subscriber's numbers have a gap",
        "SELECT name FROM subscribers WHERE last_sequence <> (SELECT count(*) FROM deliveries WHERE subscriber = name)",
    ),
    (
        "I21: more of a payment is promised back than was taken, beside what went back at the gateway's own pages",
        "SELECT attempt FROM refunds JOIN attempts ON attempts.id = attempt WHERE refunds.state IN ('pending', 'accepted', 'done')
             AND refunds.key IS NOT NULL GROUP BY attempt HAVING sum(refunds.amount_minor) > attempts.amount_minor",
    ),
    (
        "I21: a refund of the gateway's is in two rows",
        "SELECT attempt FROM refunds WHERE reference IS NOT NULL GROUP BY attempt, reference HAVING count(*) > 1",
    ),
    (
        "I21: the ledger does not say what became of a refund",
        "SELECT refunds.id FROM refunds WHERE
             (state IN ('accepted', 'done', 'review')) <> EXISTS (SELECT 1 FROM ledger WHERE refund = refunds.id AND kind = 'refunded')
             OR (state = 'review') <> EXISTS (SELECT 1 FROM ledger WHERE refund = refunds.id AND kind = 'refund_failed')",
    ),
    ("I21: money of an order that was not paid goes back",
     "SELECT refunds.id FROM refunds JOIN orders ON orders.id = order_id WHERE paid_at IS NULL"),
    ("K27: a refund was made and no fact says so, or one says so that is not true",
     "SELECT id FROM refunds WHERE (state IN ('done')) > EXISTS (SELECT 1 FROM facts WHERE key = 'order-refunded-' || refunds.id)"),
    ("I17: a code for one was used twice", "SELECT code FROM coupon_uses WHERE code = 'FIRST' GROUP BY code HAVING count(*) > 1"),
];

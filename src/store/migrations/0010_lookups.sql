-- Whoever opens an order, forgets a checkout or gives a coupon back asks for a few rows of tables that only grow.
CREATE INDEX attempts_of_order ON attempts (order_id);
CREATE INDEX quotes_of_checkout ON quotes (checkout);
CREATE INDEX outbox_of_checkout ON outbox (checkout) WHERE checkout IS NOT NULL;
CREATE INDEX coupon_uses_of_order ON coupon_uses (order_id);
-- Refunds under way, which are looked for every second, among all that ever were.
CREATE INDEX refunds_open ON refunds (attempt, id) WHERE state IN ('pending', 'accepted');

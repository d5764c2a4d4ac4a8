-- SQLite builds a list of more than two values anew, as a table of its own, each time a row of an index with it is written: a payment's
-- three changes of state cost more than all else of it. Compared one by one the values cost nothing.
DROP INDEX attempts_one_live;
DROP INDEX attempts_open;
DROP INDEX attempts_to_sweep;
-- I2: one live attempt per checkout.
CREATE UNIQUE INDEX attempts_one_live ON attempts (checkout) WHERE state <> 'paid' AND state <> 'declined' AND state <> 'canceled';
CREATE INDEX attempts_open ON attempts (changed_at) WHERE state <> 'paid' AND state <> 'declined' AND state <> 'canceled';
-- The sweeper looks at those first that were not looked at for longest.
CREATE INDEX attempts_to_sweep ON attempts (looked_at)
    WHERE state <> 'paid' AND state <> 'declined' AND state <> 'canceled' AND state <> 'review';
-- A quote is forgotten once nothing names it: whether anything does is asked of these instead of every row of the shop.
CREATE INDEX checkouts_of_quote ON checkouts (quote) WHERE quote IS NOT NULL;
CREATE INDEX orders_of_quote ON orders (quote);
CREATE INDEX attempts_of_quote ON attempts (quote);

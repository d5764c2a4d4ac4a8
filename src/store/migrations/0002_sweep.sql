-- The sweeper looks at those first that were not looked at for longest.
ALTER TABLE attempts ADD COLUMN looked_at INTEGER NOT NULL DEFAULT 0;
CREATE INDEX attempts_to_sweep ON attempts (looked_at) WHERE state NOT IN ('paid', 'declined', 'canceled', 'review');

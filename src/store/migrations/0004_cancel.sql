-- A cancel that was sent may arrive at any time: from then on nothing else is done with the payment until its fate is known.
ALTER TABLE attempts ADD COLUMN cancel_sent_at INTEGER;

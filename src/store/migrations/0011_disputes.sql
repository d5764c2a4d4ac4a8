-- What customers dispute at their banks. How each stands is what the gateway told last; the payment stays one that was taken.
CREATE TABLE disputes (
    attempt      TEXT NOT NULL REFERENCES attempts (id),
    reference    TEXT NOT NULL,
    amount_minor INTEGER NOT NULL CHECK (amount_minor > 0),
    currency     TEXT NOT NULL,
    reason       TEXT NOT NULL,
    state        TEXT NOT NULL CHECK (state IN ('needs_response', 'under_review', 'won', 'lost')),
    respond_by   INTEGER,
    made_at      INTEGER NOT NULL,
    changed_at   INTEGER NOT NULL,
    PRIMARY KEY (attempt, reference)
) STRICT;
CREATE INDEX disputes_to_answer ON disputes (made_at) WHERE state = 'needs_response';

-- Operators take differences off the list, too.
CREATE TABLE resolutions_of_all (
    kind    TEXT NOT NULL CHECK (kind IN ('payment', 'orphan', 'refund', 'difference')),
    subject TEXT NOT NULL,
    note    TEXT NOT NULL,
    at      INTEGER NOT NULL,
    PRIMARY KEY (kind, subject)
) STRICT, WITHOUT ROWID;
INSERT INTO resolutions_of_all (kind, subject, note, at) SELECT kind, subject, note, at FROM resolutions;
DROP TABLE resolutions;
ALTER TABLE resolutions_of_all RENAME TO resolutions;

-- An order's history looks for its own rows alone.
CREATE INDEX outbox_of_subject ON outbox (subject);
CREATE INDEX inbox_of_attempt ON inbox (checkout, attempt) WHERE checkout IS NOT NULL;
CREATE INDEX inbox_of_reference ON inbox (reference) WHERE reference IS NOT NULL;
CREATE INDEX facts_of_order ON facts (order_id);

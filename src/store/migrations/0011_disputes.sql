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

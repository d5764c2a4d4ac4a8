-- What customers dispute at their banks. How each stands is what the gateway told last; the payment stays one that was taken.
CREATE TABLE disputes (
    attempt      TEXT COLLATE "C" NOT NULL REFERENCES attempts (id),
    reference    TEXT COLLATE "C" NOT NULL,
    amount_minor BIGINT NOT NULL CHECK (amount_minor > 0),
    currency     TEXT NOT NULL,
    reason       TEXT NOT NULL,
    state        TEXT NOT NULL CHECK (state IN ('needs_response', 'under_review', 'won', 'lost')),
    respond_by   BIGINT,
    made_at      BIGINT NOT NULL,
    changed_at   BIGINT NOT NULL,
    PRIMARY KEY (attempt, reference)
);
CREATE INDEX disputes_to_answer ON disputes (made_at) WHERE state = 'needs_response';

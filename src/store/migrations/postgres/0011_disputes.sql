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

-- Operators take differences off the list, too.
ALTER TABLE resolutions DROP CONSTRAINT resolutions_kind_check;
ALTER TABLE resolutions ADD CONSTRAINT resolutions_kind_check CHECK (kind IN ('payment', 'orphan', 'refund', 'difference'));

-- An order's history looks for its own rows alone.
CREATE INDEX outbox_of_subject ON outbox (subject);
CREATE INDEX inbox_of_attempt ON inbox (checkout, attempt) WHERE checkout IS NOT NULL;
CREATE INDEX inbox_of_reference ON inbox (reference) WHERE reference IS NOT NULL;

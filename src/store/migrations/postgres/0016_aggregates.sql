-- What each process counted in an hour, the whole of it: writing it twice counts once, and several edges add up.
CREATE TABLE aggregates (
    hour   BIGINT NOT NULL,
    kind   TEXT COLLATE "C" NOT NULL,
    cell   TEXT COLLATE "C" NOT NULL,
    writer TEXT COLLATE "C" NOT NULL,
    body   BYTEA NOT NULL,
    PRIMARY KEY (hour, kind, cell, writer)
);

-- How the page was that a cart was begun on, until its order is paid and counted; 0: not told.
ALTER TABLE checkouts ADD COLUMN vitals_bucket BIGINT NOT NULL DEFAULT 0;

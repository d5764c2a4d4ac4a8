-- What each process counted in an hour, the whole of it: writing it twice counts once, and several edges add up.
CREATE TABLE aggregates (
    hour   BIGINT NOT NULL,
    kind   TEXT COLLATE "C" NOT NULL,
    cell   TEXT COLLATE "C" NOT NULL,
    writer TEXT COLLATE "C" NOT NULL,
    body   BYTEA NOT NULL,
    PRIMARY KEY (hour, kind, cell, writer)
);

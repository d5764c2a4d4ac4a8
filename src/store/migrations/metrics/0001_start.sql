-- What each process counted in an hour, the whole of it: writing it twice counts once, and several edges add up.
CREATE TABLE aggregates (
    hour   INTEGER NOT NULL,
    kind   TEXT NOT NULL,
    cell   TEXT NOT NULL,
    writer TEXT NOT NULL,
    body   BLOB NOT NULL,
    PRIMARY KEY (hour, kind, cell, writer)
) STRICT, WITHOUT ROWID;

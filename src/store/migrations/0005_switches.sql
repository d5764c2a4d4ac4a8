-- What an operator has switched off for a while; a row is there for as long as it is off.
CREATE TABLE switches (
    name   TEXT PRIMARY KEY CHECK (name IN ('payments')),
    reason TEXT NOT NULL,
    since  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

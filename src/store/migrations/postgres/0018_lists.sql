-- The gateway's list of payments while it is held against this file, page by page and the newest first. What a page led to is kept in one
-- commit with the place after it: whoever is interrupted goes on there, and nothing is passed over.
CREATE TABLE comparisons (
    gateway   TEXT PRIMARY KEY,
    -- Since when payments are listed.
    since     BIGINT NOT NULL,
    begun_at  BIGINT NOT NULL,
    -- Whether nobody pays before it is whole: this file may be an older copy.
    in_doubt  BIGINT NOT NULL,
    -- The gateway's name to go on after; empty: at the newest.
    place     TEXT NOT NULL DEFAULT '',
    -- Whether the list was read to its end.
    is_listed BIGINT NOT NULL DEFAULT 0,
    -- When it last got on.
    seen_at   BIGINT NOT NULL,
    compared  BIGINT NOT NULL DEFAULT 0,
    orphans   BIGINT NOT NULL DEFAULT 0,
    different BIGINT NOT NULL DEFAULT 0,
    -- Payments that are further than our rows can have brought them: rows are lost.
    ahead     BIGINT NOT NULL DEFAULT 0
);

-- Attempts that the comparison under way came across.
CREATE TABLE compared (
    attempt  TEXT COLLATE "C" PRIMARY KEY REFERENCES attempts (id),
    -- Whether its money moved, and it has to have its turn.
    is_moved BIGINT NOT NULL
);
CREATE INDEX compared_moved ON compared (attempt) WHERE is_moved = 1;

-- The gateway's list of events, for those whose webhook never came.
CREATE TABLE catch_ups (
    gateway  TEXT PRIMARY KEY,
    -- What happened before was read.
    since    BIGINT NOT NULL,
    -- When the reading under way began, and the name it goes on after; NULL: none is under way.
    begun_at BIGINT,
    place    TEXT NOT NULL
);

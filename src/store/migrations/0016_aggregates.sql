-- What is counted by the hour is in a file of its own beside this one: see metrics/0001_start.sql. In a database it is a table.

-- How the page was that a cart was begun on, until its order is paid and counted; 0: not told.
ALTER TABLE checkouts ADD COLUMN vitals_bucket INTEGER NOT NULL DEFAULT 0;

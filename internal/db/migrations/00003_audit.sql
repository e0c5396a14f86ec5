-- What the action log keeps about itself. Its entries are in one table a month, which the program makes as it goes:
-- audit_202611 and so on.
INSERT INTO schema_version (version, needs) VALUES (3, 1);

-- The months that have a table, as 202611. state: 1 in use, 2 being emptied.
CREATE TABLE audit_month (
    month {{.Int}} PRIMARY KEY,
    state {{.Small}} NOT NULL DEFAULT 1
){{.Strict}};

-- How far each process's spool of pulls is in the month tables: written in the transaction that adds the entries, so
-- that none is added twice.
CREATE TABLE audit_spool (
    id       {{.Text}} PRIMARY KEY,
    segment  {{.Int}} NOT NULL,
    position {{.Int}} NOT NULL,
    moved_ms {{.Int}} NOT NULL
){{.Strict}}{{.Churns}};

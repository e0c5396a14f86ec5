-- Failed logins by what was typed, whether or not somebody has that name or address, so that the wait which follows
-- tells nothing of who has which. account.failed_logins is of no use any more.
INSERT INTO schema_version (version, needs) VALUES (10, 1);

-- name: a keyed hash. Rows older than the longest memory of failures are swept.
CREATE TABLE login_failure (
    name     {{.Bytes}} PRIMARY KEY,
    failures {{.Int}} NOT NULL,
    last_ms  {{.Int}} NOT NULL
){{.Strict}}{{.Churns}};
CREATE INDEX login_failure_last ON login_failure (last_ms);

-- session_rev rises when an account's sessions end: a session that was made before cannot be stored after. The index
-- lists users and organizations by name, without walking over robots.
INSERT INTO schema_version (version, needs) VALUES (6, 1);

ALTER TABLE account ADD COLUMN session_rev {{.Int}} NOT NULL DEFAULT 1;

CREATE INDEX account_kind ON account (kind, name) WHERE deleted_ms IS NULL;

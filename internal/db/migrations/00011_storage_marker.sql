-- marker is the name that a storage location's folder bears in a file of its own; NULL for one that was registered before
-- there were such files. A folder without it is not where this registry's objects lie.
INSERT INTO schema_version (version, needs) VALUES (11, 1);

ALTER TABLE storage_location ADD COLUMN marker TEXT;

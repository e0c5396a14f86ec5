-- Search by part of a tag's name in one repository.
INSERT INTO schema_version (version, needs) VALUES (9, 1);

-- Each name that a period of a repository has, once. Triggers keep it, so that a push of a name that is there writes
-- nothing, and no statement can forget it. Whoever removes periods holds the repository's lock exclusively: else a push
-- of the same name at that moment would rely on a row that goes. In SQLite id is the repository's in the upper half and
-- counts in the lower: the names of a repository are a range of the index of parts.
CREATE TABLE tag_name (
    id      {{if .PostgreSQL}}{{.ID}}{{else}}INTEGER PRIMARY KEY{{end}},
    repo_id {{.Int}} NOT NULL,
    name    {{.Text}} NOT NULL,
    UNIQUE (repo_id, name)
){{.Strict}}{{.Grows}};
{{- if .PostgreSQL}}

INSERT INTO tag_name (repo_id, name) SELECT repo_id, name FROM tag UNION SELECT repo_id, name FROM tag_history;
-- What was pushed lately waits in a list that every search reads through, so it is kept short (kB).
CREATE INDEX tag_name_part ON tag_name USING gin (LOWER(name) gin_trgm_ops) WITH (gin_pending_list_limit = 256);

CREATE FUNCTION tag_name_keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF NOT EXISTS (SELECT 1 FROM tag_name WHERE repo_id = NEW.repo_id AND name = NEW.name) THEN
        INSERT INTO tag_name (repo_id, name) VALUES (NEW.repo_id, NEW.name) ON CONFLICT (repo_id, name) DO NOTHING;
    END IF;
    RETURN NULL;
END $$;
CREATE FUNCTION tag_name_drop() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF NOT EXISTS (SELECT 1 FROM tag WHERE repo_id = OLD.repo_id AND name = OLD.name)
        AND NOT EXISTS (SELECT 1 FROM tag_history WHERE repo_id = OLD.repo_id AND name = OLD.name) THEN
        DELETE FROM tag_name WHERE repo_id = OLD.repo_id AND name = OLD.name;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER tag_name_tag AFTER INSERT ON tag FOR EACH ROW EXECUTE FUNCTION tag_name_keep();
CREATE TRIGGER tag_name_history AFTER INSERT ON tag_history FOR EACH ROW EXECUTE FUNCTION tag_name_keep();
CREATE TRIGGER tag_name_tag_gone AFTER DELETE ON tag FOR EACH ROW EXECUTE FUNCTION tag_name_drop();
CREATE TRIGGER tag_name_history_gone AFTER DELETE ON tag_history FOR EACH ROW EXECUTE FUNCTION tag_name_drop();
{{- else}}

INSERT INTO tag_name (id, repo_id, name)
    SELECT (repo_id << 32) + ROW_NUMBER() OVER (PARTITION BY repo_id ORDER BY name), repo_id, name
        FROM (SELECT repo_id, name FROM tag UNION SELECT repo_id, name FROM tag_history) ORDER BY 1;
CREATE VIRTUAL TABLE search_tag USING fts5 (name, content = '', contentless_delete = 1, tokenize = 'trigram');
INSERT INTO search_tag (rowid, name) SELECT id, name FROM tag_name ORDER BY id;

CREATE TRIGGER tag_name_insert AFTER INSERT ON tag_name BEGIN
    INSERT INTO search_tag (rowid, name) VALUES (NEW.id, NEW.name);
END;
CREATE TRIGGER tag_name_delete AFTER DELETE ON tag_name BEGIN
    DELETE FROM search_tag WHERE rowid = OLD.id;
END;
CREATE TRIGGER tag_name_tag AFTER INSERT ON tag
    WHEN NOT EXISTS (SELECT 1 FROM tag_name WHERE repo_id = NEW.repo_id AND name = NEW.name) BEGIN
    INSERT INTO tag_name (id, repo_id, name) SELECT 1 + COALESCE(MAX(id), NEW.repo_id << 32), NEW.repo_id, NEW.name FROM tag_name
        WHERE id > NEW.repo_id << 32 AND id < (NEW.repo_id + 1) << 32;
END;
CREATE TRIGGER tag_name_history AFTER INSERT ON tag_history
    WHEN NOT EXISTS (SELECT 1 FROM tag_name WHERE repo_id = NEW.repo_id AND name = NEW.name) BEGIN
    INSERT INTO tag_name (id, repo_id, name) SELECT 1 + COALESCE(MAX(id), NEW.repo_id << 32), NEW.repo_id, NEW.name FROM tag_name
        WHERE id > NEW.repo_id << 32 AND id < (NEW.repo_id + 1) << 32;
END;
CREATE TRIGGER tag_name_tag_gone AFTER DELETE ON tag
    WHEN NOT EXISTS (SELECT 1 FROM tag WHERE repo_id = OLD.repo_id AND name = OLD.name)
        AND NOT EXISTS (SELECT 1 FROM tag_history WHERE repo_id = OLD.repo_id AND name = OLD.name) BEGIN
    DELETE FROM tag_name WHERE repo_id = OLD.repo_id AND name = OLD.name;
END;
CREATE TRIGGER tag_name_history_gone AFTER DELETE ON tag_history
    WHEN NOT EXISTS (SELECT 1 FROM tag WHERE repo_id = OLD.repo_id AND name = OLD.name)
        AND NOT EXISTS (SELECT 1 FROM tag_history WHERE repo_id = OLD.repo_id AND name = OLD.name) BEGIN
    DELETE FROM tag_name WHERE repo_id = OLD.repo_id AND name = OLD.name;
END;
{{- end}}

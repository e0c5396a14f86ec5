-- Search by part of a name, and lists that read no more of an index than they show.
INSERT INTO schema_version (version, needs) VALUES (4, 1);

-- Prefixes of names, of what everybody may see apart from the rest.
CREATE INDEX repository_beginning ON repository (name) WHERE deleted_ms IS NULL;
CREATE INDEX repository_public_beginning ON repository (name) WHERE deleted_ms IS NULL AND visibility = 1;
-- Public repositories of all namespaces, in the order of their list.
CREATE INDEX repository_public ON repository (namespace_id, name) WHERE visibility = 1 AND deleted_ms IS NULL;
CREATE INDEX team_name ON team (name);

-- Newest periods first, with all that decides whether one is shown.
CREATE INDEX tag_newest ON tag (repo_id, start_ms, name, expires_ms);
DROP INDEX tag_start;

-- The periods that one deletion ended, which a restore opens again together.
CREATE INDEX tag_history_cause ON tag_history (repo_id, cause) WHERE cause IS NOT NULL;
{{- if .PostgreSQL}}

DO $$ BEGIN
    CREATE EXTENSION IF NOT EXISTS pg_trgm;
EXCEPTION
    WHEN insufficient_privilege THEN
        RAISE EXCEPTION 'this database needs the extension pg_trgm, and the role % may not create it: run CREATE EXTENSION pg_trgm in this database as a superuser, or GRANT CREATE ON DATABASE to the role as its owner, and start again', current_user;
    WHEN undefined_file OR feature_not_supported THEN
        RAISE EXCEPTION 'this database needs the extension pg_trgm, which its server does not have: install PostgreSQL''s contrib package there and start again';
END $$;
CREATE INDEX repository_part ON repository USING gin (name gin_trgm_ops) WHERE deleted_ms IS NULL;
CREATE INDEX repository_public_part ON repository USING gin (name gin_trgm_ops) WHERE deleted_ms IS NULL AND visibility = 1;
CREATE INDEX account_people_part ON account USING gin (name gin_trgm_ops) WHERE deleted_ms IS NULL AND kind IN (1, 2);
CREATE INDEX account_robot_part ON account USING gin (name gin_trgm_ops) WHERE deleted_ms IS NULL AND kind = 3;
CREATE INDEX team_part ON team USING gin (name gin_trgm_ops);
{{- else}}

-- The parts of names, by the row's id. Triggers keep them, in the change's own transaction. class is one word that the
-- search asks for together with the name: what everybody may see is found without walking the rest.
CREATE VIRTUAL TABLE search_repository USING fts5 (name, class, content = '', contentless_delete = 1, tokenize = 'trigram');
CREATE VIRTUAL TABLE search_account USING fts5 (name, class, content = '', contentless_delete = 1, tokenize = 'trigram');
CREATE VIRTUAL TABLE search_team USING fts5 (name, content = '', contentless_delete = 1, tokenize = 'trigram');

CREATE TRIGGER search_repository_insert AFTER INSERT ON repository WHEN NEW.deleted_ms IS NULL BEGIN
    INSERT INTO search_repository (rowid, name, class) VALUES (NEW.id, NEW.name, CASE NEW.visibility WHEN 1 THEN 'public' ELSE 'private' END);
END;
CREATE TRIGGER search_repository_update AFTER UPDATE OF name, visibility, deleted_ms ON repository BEGIN
    DELETE FROM search_repository WHERE rowid = OLD.id;
    INSERT INTO search_repository (rowid, name, class)
        SELECT NEW.id, NEW.name, CASE NEW.visibility WHEN 1 THEN 'public' ELSE 'private' END WHERE NEW.deleted_ms IS NULL;
END;
CREATE TRIGGER search_repository_delete AFTER DELETE ON repository BEGIN
    DELETE FROM search_repository WHERE rowid = OLD.id;
END;

CREATE TRIGGER search_account_insert AFTER INSERT ON account WHEN NEW.deleted_ms IS NULL BEGIN
    INSERT INTO search_account (rowid, name, class) VALUES (NEW.id, NEW.name, CASE NEW.kind WHEN 3 THEN 'robot' ELSE 'people' END);
END;
CREATE TRIGGER search_account_update AFTER UPDATE OF name, kind, deleted_ms ON account BEGIN
    DELETE FROM search_account WHERE rowid = OLD.id;
    INSERT INTO search_account (rowid, name, class)
        SELECT NEW.id, NEW.name, CASE NEW.kind WHEN 3 THEN 'robot' ELSE 'people' END WHERE NEW.deleted_ms IS NULL;
END;
CREATE TRIGGER search_account_delete AFTER DELETE ON account BEGIN
    DELETE FROM search_account WHERE rowid = OLD.id;
END;

CREATE TRIGGER search_team_insert AFTER INSERT ON team BEGIN
    INSERT INTO search_team (rowid, name) VALUES (NEW.id, NEW.name);
END;
CREATE TRIGGER search_team_update AFTER UPDATE OF name ON team BEGIN
    DELETE FROM search_team WHERE rowid = OLD.id;
    INSERT INTO search_team (rowid, name) VALUES (NEW.id, NEW.name);
END;
CREATE TRIGGER search_team_delete AFTER DELETE ON team BEGIN
    DELETE FROM search_team WHERE rowid = OLD.id;
END;

-- What is there already.
INSERT INTO search_repository (rowid, name, class)
    SELECT id, name, CASE visibility WHEN 1 THEN 'public' ELSE 'private' END FROM repository WHERE deleted_ms IS NULL;
INSERT INTO search_account (rowid, name, class)
    SELECT id, name, CASE kind WHEN 3 THEN 'robot' ELSE 'people' END FROM account WHERE deleted_ms IS NULL;
INSERT INTO search_team (rowid, name) SELECT id, name FROM team;
{{- end}}

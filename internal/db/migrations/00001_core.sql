-- Which schemas were made, and the oldest a program must know to work on each.
CREATE TABLE schema_version (
    version {{.Int}} PRIMARY KEY,
    needs   {{.Int}} NOT NULL
){{.Strict}};
INSERT INTO schema_version (version, needs) VALUES (1, 1);

-- Content. Manifests and blobs are global by digest; every reference to them is a row of one repository.

CREATE TABLE blob (
    id         {{.ID}},
    digest     {{.Bytes}} NOT NULL UNIQUE,
    size       {{.Int}} NOT NULL,
    created_ms {{.Int}} NOT NULL
){{.Strict}}{{.Grows}};

CREATE TABLE storage_location (
    id   {{.ID}},
    name {{.Text}} NOT NULL UNIQUE,
    hold {{.Small}} NOT NULL DEFAULT 0  -- 1: objects inherited from a Quay are never deleted until the takeover is final
){{.Strict}};

-- state: 1 live, 2 copying, 3 dying, 4 bad. Only a dying object belongs to no blob.
-- inherited: written by another registry before a takeover.
CREATE TABLE blob_object (
    id          {{.ID}},
    blob_id     {{.Int}} REFERENCES blob (id),
    location_id {{.Int}} NOT NULL REFERENCES storage_location (id),
    path        {{.Text}} NOT NULL,
    state       {{.Small}} NOT NULL,
    inherited   {{.Small}} NOT NULL DEFAULT 0,
    since_ms    {{.Int}} NOT NULL,
    UNIQUE (location_id, path),
    CHECK ((blob_id IS NULL) = (state = 3))
){{.Strict}}{{.Grows}};
CREATE INDEX blob_object_blob ON blob_object (blob_id) WHERE blob_id IS NOT NULL;
CREATE INDEX blob_object_dying ON blob_object (since_ms) WHERE state = 3;

-- kind: 1 image, 2 index, 3 Docker schema 2, 4 Docker list, 5 Docker schema 1, 6 artifact
CREATE TABLE manifest (
    id            {{.ID}},
    digest        {{.Bytes}} NOT NULL UNIQUE,
    media_type    {{.Text}} NOT NULL,
    size          {{.Int}} NOT NULL,
    kind          {{.Small}} NOT NULL,
    subject       {{.Bytes}},
    artifact_type {{.Text}},
    config_type   {{.Text}},
    config_digest {{.Bytes}},
    layers_size   {{.Int}},
    created_ms    {{.Int}} NOT NULL
){{.Strict}}{{.Grows}};

CREATE TABLE manifest_content (
    manifest_id {{.Int}} PRIMARY KEY REFERENCES manifest (id) ON DELETE CASCADE,
    bytes       {{.Bytes}} NOT NULL
){{.Strict}}{{.Grows}};
{{- if .PostgreSQL}}
-- Where the server can (version 14, built with lz4), manifests are unpacked several times as fast.
DO $$ BEGIN
    EXECUTE 'ALTER TABLE manifest_content ALTER COLUMN bytes SET COMPRESSION lz4';
EXCEPTION WHEN syntax_error OR feature_not_supported OR invalid_parameter_value THEN NULL;
END $$;
{{- end}}

-- pin_until_ms: kept until then whatever refers to it; 0 not pinned, 9223372036854775807 without end.
CREATE TABLE repo_manifest (
    repo_id      {{.Int}} NOT NULL,
    manifest_id  {{.Int}} NOT NULL REFERENCES manifest (id),
    subject      {{.Bytes}},
    pushed_ms    {{.Int}} NOT NULL,
    pin_until_ms {{.Int}} NOT NULL DEFAULT 0,
    deleted_ms   {{.Int}},
    PRIMARY KEY (repo_id, manifest_id)
){{.Link}}{{.Grows}};
CREATE INDEX repo_manifest_manifest ON repo_manifest (manifest_id);
CREATE INDEX repo_manifest_subject ON repo_manifest (repo_id, subject, manifest_id) WHERE subject IS NOT NULL;
CREATE INDEX repo_manifest_pin ON repo_manifest (pin_until_ms) WHERE pin_until_ms > 0;

CREATE TABLE manifest_child (
    repo_id   {{.Int}} NOT NULL,
    parent_id {{.Int}} NOT NULL,
    child     {{.Bytes}} NOT NULL,
    PRIMARY KEY (repo_id, parent_id, child),
    FOREIGN KEY (repo_id, parent_id) REFERENCES repo_manifest (repo_id, manifest_id)
){{.Link}}{{.Grows}};
CREATE INDEX manifest_child_child ON manifest_child (repo_id, child);

-- The table that decides. manifest_id > 0: that manifest of that repository uses the blob. 0: a lease until lease_ms.
-- lease_ms -1 in a manifest's row: the blob was deleted here, and only what a readable manifest names shows it again.
-- A blob is visible in a repository when it has a lease, a row with lease_ms 0, or a deleted one of a readable
-- manifest; it is garbage when no row with its blob_id exists.
CREATE TABLE blob_ref (
    repo_id     {{.Int}} NOT NULL,
    blob_id     {{.Int}} NOT NULL REFERENCES blob (id),
    manifest_id {{.Int}} NOT NULL,
    lease_ms    {{.Int}} NOT NULL DEFAULT 0,
    PRIMARY KEY (repo_id, blob_id, manifest_id)
){{.Link}}{{.Churns}};
CREATE INDEX blob_ref_manifest ON blob_ref (repo_id, manifest_id);
CREATE INDEX blob_ref_blob ON blob_ref (blob_id);
CREATE INDEX blob_ref_lease ON blob_ref (lease_ms) WHERE manifest_id = 0;

-- source: 1 manifest, 2 api, 3 internal
CREATE TABLE manifest_label (
    uuid        {{.Text}} PRIMARY KEY,
    repo_id     {{.Int}} NOT NULL,
    manifest_id {{.Int}} NOT NULL,
    key         {{.Text}} NOT NULL,
    value       TEXT NOT NULL,
    media_type  TEXT NOT NULL,
    source      {{.Small}} NOT NULL
){{.Strict}}{{.Grows}};
CREATE INDEX manifest_label_manifest ON manifest_label (repo_id, manifest_id);

-- flags: 1 reversion, 2 immutable. about: the digest in names such as sha256-<hex>.sig.
CREATE TABLE tag (
    repo_id     {{.Int}} NOT NULL,
    name        {{.Text}} NOT NULL,
    manifest_id {{.Int}} NOT NULL,
    digest      {{.Bytes}} NOT NULL,
    start_ms    {{.Int}} NOT NULL,
    expires_ms  {{.Int}},
    flags       {{.Small}} NOT NULL DEFAULT 0,
    about       {{.Bytes}},
    PRIMARY KEY (repo_id, name){{if .PostgreSQL}} INCLUDE (digest, expires_ms){{end}},
    FOREIGN KEY (repo_id, manifest_id) REFERENCES repo_manifest (repo_id, manifest_id)
){{.Link}}{{.Churns}};
CREATE INDEX tag_manifest ON tag (repo_id, manifest_id);
CREATE INDEX tag_start ON tag (repo_id, start_ms, name);
CREATE INDEX tag_expires ON tag (expires_ms) WHERE expires_ms IS NOT NULL;
CREATE INDEX tag_about ON tag (repo_id, about) WHERE about IS NOT NULL;

-- cause: one uuid for all periods that one deletion closed, so that a restore reopens exactly those.
CREATE TABLE tag_history (
    repo_id     {{.Int}} NOT NULL,
    name        {{.Text}} NOT NULL,
    start_ms    {{.Int}} NOT NULL,
    end_ms      {{.Int}} NOT NULL,
    manifest_id {{.Int}} NOT NULL,
    flags       {{.Small}} NOT NULL DEFAULT 0,
    cause       {{.Text}},
    purge_ms    {{.Int}} NOT NULL,
    PRIMARY KEY (repo_id, name, start_ms),
    FOREIGN KEY (repo_id, manifest_id) REFERENCES repo_manifest (repo_id, manifest_id)
){{.Link}}{{.Grows}};
CREATE INDEX tag_history_manifest ON tag_history (repo_id, manifest_id);
CREATE INDEX tag_history_start ON tag_history (repo_id, start_ms, name);
CREATE INDEX tag_history_end ON tag_history (repo_id, end_ms, name);
CREATE INDEX tag_history_purge ON tag_history (purge_ms);

-- What lost a keeper and is to be looked at by the collector. kind: 1 manifest of a repository (item_id manifest),
-- 2 manifest (repo_id 0), 3 blob (repo_id 0), 4 repository (item_id 0).
CREATE TABLE review (
    kind    {{.Small}} NOT NULL,
    repo_id {{.Int}} NOT NULL,
    item_id {{.Int}} NOT NULL,
    due_ms  {{.Int}} NOT NULL,
    tries   {{.Small}} NOT NULL DEFAULT 0,
    PRIMARY KEY (kind, repo_id, item_id)
){{.Link}}{{.Churns}};
CREATE INDEX review_due ON review (due_ms);

-- Uploads in progress. version fences a stale holder; hash_state and store_state let any process continue.
CREATE TABLE upload (
    uuid        {{.Text}} PRIMARY KEY,
    repo_id     {{.Int}} NOT NULL,
    account_id  {{.Int}} NOT NULL,
    actor       {{.Text}} NOT NULL,
    location_id {{.Int}} NOT NULL REFERENCES storage_location (id),
    path        {{.Text}} NOT NULL,
    algorithm   {{.Small}} NOT NULL,
    received    {{.Int}} NOT NULL DEFAULT 0,
    hash_state  {{.Bytes}},
    store_state {{.Bytes}},
    version     {{.Int}} NOT NULL DEFAULT 0,
    holder      TEXT,
    boot        TEXT NOT NULL DEFAULT '',
    created_ms  {{.Int}} NOT NULL,
    expires_ms  {{.Int}} NOT NULL
){{.Strict}}{{.Churns}};
CREATE INDEX upload_expires ON upload (expires_ms);
CREATE INDEX upload_account ON upload (account_id);

CREATE TABLE upload_part (
    upload_uuid {{.Text}} NOT NULL REFERENCES upload (uuid) ON DELETE CASCADE,
    number      {{.Int}} NOT NULL,
    size        {{.Int}} NOT NULL,
    etag        TEXT NOT NULL,
    PRIMARY KEY (upload_uuid, number)
){{.Link}};

-- People. Users (1), organizations (2) and robots (3) share one id space, as in Quay.
-- access_rev rises with every change of credentials or of what the account may do as a whole.
CREATE TABLE account (
    id               {{.ID}},
    uuid             {{.Text}} NOT NULL UNIQUE,
    kind             {{.Small}} NOT NULL,
    name             {{.Text}} NOT NULL,
    owner_id         {{.Int}} REFERENCES account (id),
    email            {{.Text}},
    password_hash    TEXT,
    enabled          {{.Small}} NOT NULL DEFAULT 1,
    verified         {{.Small}} NOT NULL DEFAULT 1,
    tag_window_s     {{.Int}} NOT NULL,
    access_rev       {{.Int}} NOT NULL DEFAULT 1,
    failed_logins    {{.Int}} NOT NULL DEFAULT 0,
    failed_login_ms  {{.Int}},
    invoice_email    {{.Small}} NOT NULL DEFAULT 0,
    invoice_address  TEXT,
    maximum_builds   {{.Int}},
    profile          TEXT NOT NULL DEFAULT '{}',
    created_ms       {{.Int}},
    last_accessed_ms {{.Int}},
    deleted_ms       {{.Int}},
    CHECK ((kind = 3) = (owner_id IS NOT NULL))
){{.Strict}};
CREATE UNIQUE INDEX account_name ON account (name) WHERE deleted_ms IS NULL;
CREATE UNIQUE INDEX account_email ON account (email) WHERE deleted_ms IS NULL AND kind = 1 AND email IS NOT NULL;
CREATE INDEX account_owner ON account (owner_id) WHERE owner_id IS NOT NULL;

-- A robot's token in Quay's encryption (v0$$…), since the console shows it again.
CREATE TABLE robot_token (
    account_id   {{.Int}} PRIMARY KEY REFERENCES account (id),
    token        TEXT NOT NULL,
    description  TEXT NOT NULL DEFAULT '',
    metadata     TEXT NOT NULL DEFAULT '{}',
    federation   TEXT NOT NULL DEFAULT '[]',
    last_used_ms {{.Int}}
){{.Strict}};

-- role: 1 admin, 2 creator, 3 member
CREATE TABLE team (
    id              {{.ID}},
    organization_id {{.Int}} NOT NULL REFERENCES account (id),
    name            {{.Text}} NOT NULL,
    role            {{.Small}} NOT NULL,
    description     TEXT NOT NULL DEFAULT '',
    UNIQUE (organization_id, name)
){{.Strict}};

CREATE TABLE team_member (
    team_id    {{.Int}} NOT NULL REFERENCES team (id) ON DELETE CASCADE,
    account_id {{.Int}} NOT NULL REFERENCES account (id),
    PRIMARY KEY (team_id, account_id)
){{.Link}};
CREATE INDEX team_member_account ON team_member (account_id);

-- visibility: 1 public, 2 private. kind: 1 image, 2 application.
-- state: 0 normal, 1 read only, 2 mirror, 3 marked for deletion, 4 organization mirror.
CREATE TABLE repository (
    id            {{.ID}},
    namespace_id  {{.Int}} NOT NULL REFERENCES account (id),
    name          {{.Text}} NOT NULL,
    visibility    {{.Small}} NOT NULL,
    kind          {{.Small}} NOT NULL DEFAULT 1,
    state         {{.Small}} NOT NULL DEFAULT 0,
    description   TEXT NOT NULL DEFAULT '',
    badge_token   TEXT NOT NULL,
    trust_enabled {{.Small}} NOT NULL DEFAULT 0,
    created_ms    {{.Int}} NOT NULL,
    deleted_ms    {{.Int}}
){{.Strict}};
CREATE UNIQUE INDEX repository_name ON repository (namespace_id, name) WHERE deleted_ms IS NULL;
CREATE INDEX repository_deleted ON repository (deleted_ms) WHERE deleted_ms IS NOT NULL;

-- role: 1 admin, 2 write, 3 read
CREATE TABLE repository_permission (
    id         {{.ID}},
    repo_id    {{.Int}} NOT NULL REFERENCES repository (id),
    account_id {{.Int}} REFERENCES account (id),
    team_id    {{.Int}} REFERENCES team (id) ON DELETE CASCADE,
    role       {{.Small}} NOT NULL,
    UNIQUE (repo_id, account_id),
    UNIQUE (repo_id, team_id),
    CHECK ((account_id IS NULL) <> (team_id IS NULL))
){{.Strict}};
CREATE INDEX repository_permission_account ON repository_permission (account_id) WHERE account_id IS NOT NULL;
CREATE INDEX repository_permission_team ON repository_permission (team_id) WHERE team_id IS NOT NULL;

CREATE TABLE permission_prototype (
    id                   {{.ID}},
    uuid                 {{.Text}} NOT NULL UNIQUE,
    organization_id      {{.Int}} NOT NULL REFERENCES account (id),
    activating_id        {{.Int}} REFERENCES account (id),
    delegate_account_id  {{.Int}} REFERENCES account (id),
    delegate_team_id     {{.Int}} REFERENCES team (id) ON DELETE CASCADE,
    role                 {{.Small}} NOT NULL,
    CHECK ((delegate_account_id IS NULL) <> (delegate_team_id IS NULL))
){{.Strict}};
CREATE INDEX permission_prototype_organization ON permission_prototype (organization_id);
CREATE INDEX permission_prototype_activating ON permission_prototype (activating_id) WHERE activating_id IS NOT NULL;
CREATE INDEX permission_prototype_account ON permission_prototype (delegate_account_id) WHERE delegate_account_id IS NOT NULL;
CREATE INDEX permission_prototype_team ON permission_prototype (delegate_team_id) WHERE delegate_team_id IS NOT NULL;

-- Credentials. secret columns that Quay encrypts stay in its cipher text.
CREATE TABLE app_token (
    id           {{.ID}},
    uuid         {{.Text}} NOT NULL UNIQUE,
    account_id   {{.Int}} NOT NULL REFERENCES account (id),
    title        TEXT NOT NULL,
    lookup       {{.Text}} NOT NULL UNIQUE,
    secret       TEXT NOT NULL,
    created_ms   {{.Int}} NOT NULL,
    expires_ms   {{.Int}},
    last_used_ms {{.Int}}
){{.Strict}};
CREATE INDEX app_token_account ON app_token (account_id);

-- Quay's repository tokens, used as $token. kind: 1 build worker, 2 push and pull, NULL none.
CREATE TABLE access_token (
    id         {{.ID}},
    repo_id    {{.Int}} NOT NULL REFERENCES repository (id),
    name       TEXT,
    lookup     {{.Text}} NOT NULL UNIQUE,
    secret     TEXT NOT NULL,
    role       {{.Small}} NOT NULL,
    kind       {{.Small}},
    temporary  {{.Small}} NOT NULL DEFAULT 1,
    created_ms {{.Int}} NOT NULL
){{.Strict}};
CREATE INDEX access_token_repository ON access_token (repo_id);

CREATE TABLE oauth_application (
    id              {{.ID}},
    client_id       {{.Text}} NOT NULL UNIQUE,
    client_secret   TEXT,
    organization_id {{.Int}} NOT NULL REFERENCES account (id),
    name            TEXT NOT NULL,
    description     TEXT NOT NULL DEFAULT '',
    redirect_uri    TEXT NOT NULL DEFAULT '',
    application_uri TEXT NOT NULL DEFAULT '',
    avatar_email    TEXT
){{.Strict}};
CREATE INDEX oauth_application_organization ON oauth_application (organization_id);

-- secret_hash: SHA-256 of the secret part; secret_bcrypt: what Quay stored, until the token is first used.
CREATE TABLE oauth_token (
    id             {{.ID}},
    uuid           {{.Text}} NOT NULL UNIQUE,
    application_id {{.Int}} NOT NULL REFERENCES oauth_application (id) ON DELETE CASCADE,
    account_id     {{.Int}} NOT NULL REFERENCES account (id),
    scope          TEXT NOT NULL,
    lookup         {{.Text}} NOT NULL UNIQUE,
    secret_hash    {{.Bytes}},
    secret_bcrypt  TEXT,
    token_type     TEXT NOT NULL DEFAULT 'Bearer',
    data           TEXT NOT NULL DEFAULT '',
    display_name   TEXT,
    created_by     {{.Int}},
    created_ms     {{.Int}},
    expires_ms     {{.Int}} NOT NULL,
    last_used_ms   {{.Int}}
){{.Strict}};
CREATE INDEX oauth_token_account ON oauth_token (account_id);
CREATE INDEX oauth_token_application ON oauth_token (application_id);

CREATE TABLE federated_login (
    id         {{.ID}},
    account_id {{.Int}} NOT NULL REFERENCES account (id),
    service    {{.Text}} NOT NULL,
    subject    {{.Text}} NOT NULL,
    metadata   TEXT NOT NULL DEFAULT '{}',
    UNIQUE (service, subject),
    UNIQUE (service, account_id)
){{.Strict}};
CREATE INDEX federated_login_account ON federated_login (account_id);

-- jwk: the public key. private_key: Quay-encrypted PKCS #8, only for keys this registry signs with.
CREATE TABLE service_key (
    id             {{.ID}},
    kid            {{.Text}} NOT NULL UNIQUE,
    service        {{.Text}} NOT NULL,
    name           TEXT NOT NULL DEFAULT '',
    jwk            TEXT NOT NULL,
    private_key    TEXT,
    metadata       TEXT NOT NULL DEFAULT '{}',
    created_ms     {{.Int}} NOT NULL,
    expires_ms     {{.Int}},
    rotation_s     {{.Int}},
    approval_type  TEXT,
    approved_ms    {{.Int}},
    approver_id    {{.Int}},
    approval_notes TEXT NOT NULL DEFAULT ''
){{.Strict}};
CREATE INDEX service_key_service ON service_key (service);

-- id: SHA-256 of the cookie's token.
CREATE TABLE session (
    id         {{.Bytes}} PRIMARY KEY,
    account_id {{.Int}} REFERENCES account (id),
    data       {{.Bytes}} NOT NULL,
    created_ms {{.Int}} NOT NULL,
    expires_ms {{.Int}} NOT NULL
){{.Strict}}{{.Churns}};
CREATE INDEX session_account ON session (account_id) WHERE account_id IS NOT NULL;
CREATE INDEX session_expires ON session (expires_ms);

-- Running processes: what they are and when they were last seen.
CREATE TABLE instance (
    id       {{.Text}} PRIMARY KEY,
    version  TEXT NOT NULL,
    schema   {{.Int}} NOT NULL,
    seen_ms  {{.Int}} NOT NULL
){{.Strict}};

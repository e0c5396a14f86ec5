-- What surrounds the content: settings, policies, notifications, builds, statistics. It has a place for every fact of a
-- Quay database (docs/quay-database.md), whether or not this version uses it, so that a takeover loses nothing.
-- Columns that Quay encrypts keep its cipher text. Kinds of which later versions have more are kept by name.
INSERT INTO schema_version (version, needs) VALUES (2, 1);

-- Teams and people

CREATE TABLE team_invite (
    id         {{.ID}},
    team_id    {{.Int}} NOT NULL REFERENCES team (id) ON DELETE CASCADE,
    account_id {{.Int}} REFERENCES account (id) ON DELETE CASCADE,
    email      {{.Text}},
    inviter_id {{.Int}} NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    token      {{.Text}} NOT NULL UNIQUE,
    CHECK ((account_id IS NULL) <> (email IS NULL))
){{.Strict}};
CREATE INDEX team_invite_team ON team_invite (team_id);
CREATE INDEX team_invite_account ON team_invite (account_id) WHERE account_id IS NOT NULL;
CREATE INDEX team_invite_inviter ON team_invite (inviter_id);

-- The group of a directory that a team follows. transaction changes with each synchronisation.
CREATE TABLE team_sync (
    team_id     {{.Int}} PRIMARY KEY REFERENCES team (id) ON DELETE CASCADE,
    service     {{.Text}} NOT NULL,
    config      TEXT NOT NULL,
    transaction_id TEXT NOT NULL,
    synced_ms   {{.Int}}
){{.Strict}};

CREATE TABLE star (
    account_id {{.Int}} NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    repo_id    {{.Int}} NOT NULL REFERENCES repository (id) ON DELETE CASCADE,
    created_ms {{.Int}} NOT NULL,
    PRIMARY KEY (account_id, repo_id)
){{.Link}};
CREATE INDEX star_repository ON star (repo_id);

-- What the console still asks a user: confirm_username, enter_name, enter_company.
CREATE TABLE account_prompt (
    account_id {{.Int}} NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    kind       {{.Text}} NOT NULL,
    PRIMARY KEY (account_id, kind)
){{.Link}};

-- Locations that a namespace's content is copied to besides the default ones.
CREATE TABLE account_region (
    account_id  {{.Int}} NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    location_id {{.Int}} NOT NULL REFERENCES storage_location (id),
    PRIMARY KEY (account_id, location_id)
){{.Link}};
CREATE INDEX account_region_location ON account_region (location_id);

-- A link in a mail: to reset a password, confirm an address or change it.
CREATE TABLE email_confirmation (
    id             {{.ID}},
    code           {{.Text}} NOT NULL UNIQUE,
    secret_bcrypt  TEXT,
    account_id     {{.Int}} NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    password_reset {{.Small}} NOT NULL DEFAULT 0,
    email_confirm  {{.Small}} NOT NULL DEFAULT 0,
    new_email      {{.Text}},
    created_ms     {{.Int}} NOT NULL
){{.Strict}};
CREATE INDEX email_confirmation_account ON email_confirmation (account_id);

CREATE TABLE repository_authorized_email (
    repo_id   {{.Int}} NOT NULL REFERENCES repository (id) ON DELETE CASCADE,
    email     {{.Text}} NOT NULL,
    code      {{.Text}} NOT NULL UNIQUE,
    confirmed {{.Small}} NOT NULL DEFAULT 0,
    PRIMARY KEY (repo_id, email)
){{.Link}};

-- OAuth

CREATE TABLE oauth_code (
    id             {{.ID}},
    application_id {{.Int}} NOT NULL REFERENCES oauth_application (id) ON DELETE CASCADE,
    lookup         {{.Text}} NOT NULL UNIQUE,
    secret_bcrypt  TEXT,
    secret_hash    {{.Bytes}},
    scope          TEXT NOT NULL,
    data           TEXT NOT NULL DEFAULT '',
    expires_ms     {{.Int}}
){{.Strict}};
CREATE INDEX oauth_code_application ON oauth_code (application_id);
CREATE INDEX oauth_code_expires ON oauth_code (expires_ms) WHERE expires_ms IS NOT NULL;

-- A token that an organization's administrator offers and its user has not taken yet.
CREATE TABLE oauth_assigned_token (
    id             {{.ID}},
    uuid           {{.Text}} NOT NULL UNIQUE,
    account_id     {{.Int}} NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    application_id {{.Int}} NOT NULL REFERENCES oauth_application (id) ON DELETE CASCADE,
    redirect_uri   TEXT,
    scope          TEXT NOT NULL,
    response_type  TEXT
){{.Strict}};
CREATE INDEX oauth_assigned_token_account ON oauth_assigned_token (account_id);
CREATE INDEX oauth_assigned_token_application ON oauth_assigned_token (application_id);

-- Notifications

-- In the console. lookup_path finds one that must not be shown twice.
CREATE TABLE notification (
    id          {{.ID}},
    uuid        {{.Text}} NOT NULL UNIQUE,
    kind        {{.Text}} NOT NULL,
    account_id  {{.Int}} NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    metadata    TEXT NOT NULL DEFAULT '{}',
    lookup_path {{.Text}},
    dismissed   {{.Small}} NOT NULL DEFAULT 0,
    created_ms  {{.Int}} NOT NULL
){{.Strict}};
CREATE INDEX notification_account ON notification (account_id, id);
CREATE INDEX notification_lookup ON notification (lookup_path) WHERE lookup_path IS NOT NULL;

-- Sent out for a repository or, with repo_id NULL, a whole namespace. event and method are Quay's names.
CREATE TABLE event_notification (
    id           {{.ID}},
    uuid         {{.Text}} NOT NULL UNIQUE,
    namespace_id {{.Int}} NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    repo_id      {{.Int}} REFERENCES repository (id) ON DELETE CASCADE,
    event        {{.Text}} NOT NULL,
    method       {{.Text}} NOT NULL,
    title        TEXT,
    config       TEXT NOT NULL DEFAULT '{}',
    event_config TEXT NOT NULL DEFAULT '{}',
    failures     {{.Int}} NOT NULL DEFAULT 0,
    last_run_ms  {{.Int}}
){{.Strict}};
CREATE INDEX event_notification_repository ON event_notification (repo_id, event) WHERE repo_id IS NOT NULL;
CREATE INDEX event_notification_namespace ON event_notification (namespace_id, event);

-- Tags whose coming end a notification has told already.
CREATE TABLE expiry_told (
    notification_id {{.Int}} NOT NULL REFERENCES event_notification (id) ON DELETE CASCADE,
    repo_id         {{.Int}} NOT NULL,
    name            {{.Text}} NOT NULL,
    start_ms        {{.Int}} NOT NULL,
    PRIMARY KEY (notification_id, repo_id, name, start_ms)
){{.Link}};

-- Banners for everybody.
CREATE TABLE message (
    id         {{.ID}},
    uuid       {{.Text}} NOT NULL UNIQUE,
    content    TEXT NOT NULL,
    severity   {{.Text}} NOT NULL,
    media_type {{.Text}} NOT NULL
){{.Strict}};

-- Mirrors and caches

-- status: -2 cancelled, -1 failed, 0 never run, 1 done, 2 running, 3 to be run now. kind: 1 pull.
CREATE TABLE mirror (
    id                 {{.ID}},
    repo_id            {{.Int}} NOT NULL UNIQUE REFERENCES repository (id) ON DELETE CASCADE,
    enabled            {{.Small}} NOT NULL DEFAULT 1,
    kind               {{.Small}} NOT NULL DEFAULT 1,
    robot_id           {{.Int}} REFERENCES account (id) ON DELETE SET NULL,
    external_reference TEXT NOT NULL,
    username           TEXT,
    password           TEXT,
    config             TEXT NOT NULL DEFAULT '{}',
    architectures      TEXT,
    rule_uuid          {{.Text}} NOT NULL UNIQUE,
    rule_kind          {{.Small}} NOT NULL DEFAULT 1,
    rule_value         TEXT NOT NULL,
    rule_created_ms    {{.Int}} NOT NULL,
    interval_s         {{.Int}} NOT NULL,
    start_ms           {{.Int}},
    expires_ms         {{.Int}},
    timeout_s          {{.Int}} NOT NULL DEFAULT 300,
    retries            {{.Int}} NOT NULL DEFAULT 3,
    status             {{.Small}} NOT NULL DEFAULT 0,
    transaction_id     {{.Text}} NOT NULL,
    created_ms         {{.Int}} NOT NULL
){{.Strict}};
CREATE INDEX mirror_robot ON mirror (robot_id) WHERE robot_id IS NOT NULL;
CREATE INDEX mirror_start ON mirror (start_ms) WHERE enabled = 1;

-- registry_kind: 1 Harbor, 2 Quay. visibility: of the repositories it makes.
CREATE TABLE organization_mirror (
    id                 {{.ID}},
    organization_id    {{.Int}} NOT NULL UNIQUE REFERENCES account (id) ON DELETE CASCADE,
    enabled            {{.Small}} NOT NULL DEFAULT 1,
    kind               {{.Small}} NOT NULL DEFAULT 1,
    registry_kind      {{.Small}} NOT NULL,
    registry_url       TEXT NOT NULL,
    external_namespace TEXT NOT NULL,
    robot_id           {{.Int}} REFERENCES account (id) ON DELETE SET NULL,
    username           TEXT,
    password           TEXT,
    config             TEXT NOT NULL DEFAULT '{}',
    filters            TEXT NOT NULL DEFAULT '[]',
    architectures      TEXT,
    visibility         {{.Small}} NOT NULL,
    delete_stale       {{.Small}} NOT NULL DEFAULT 0,
    interval_s         {{.Int}} NOT NULL,
    start_ms           {{.Int}},
    expires_ms         {{.Int}},
    timeout_s          {{.Int}} NOT NULL DEFAULT 300,
    retries            {{.Int}} NOT NULL DEFAULT 3,
    status             {{.Small}} NOT NULL DEFAULT 0,
    transaction_id     {{.Text}} NOT NULL,
    created_ms         {{.Int}} NOT NULL
){{.Strict}};
CREATE INDEX organization_mirror_robot ON organization_mirror (robot_id) WHERE robot_id IS NOT NULL;

-- status: as mirror; 4 skipped.
CREATE TABLE organization_mirror_repository (
    id             {{.ID}},
    mirror_id      {{.Int}} NOT NULL REFERENCES organization_mirror (id) ON DELETE CASCADE,
    name           {{.Text}} NOT NULL,
    repo_id        {{.Int}} REFERENCES repository (id) ON DELETE SET NULL,
    discovered_ms  {{.Int}} NOT NULL,
    start_ms       {{.Int}},
    expires_ms     {{.Int}},
    retries        {{.Int}} NOT NULL DEFAULT 3,
    status         {{.Small}} NOT NULL DEFAULT 0,
    status_text    TEXT,
    synced_ms      {{.Int}},
    transaction_id {{.Text}} NOT NULL,
    created_ms     {{.Int}} NOT NULL,
    UNIQUE (mirror_id, name)
){{.Strict}};
CREATE INDEX organization_mirror_repository_repository ON organization_mirror_repository (repo_id) WHERE repo_id IS NOT NULL;

-- An organization whose repositories are fetched from elsewhere on first use. expiration_s 0: never asked again.
CREATE TABLE proxy_cache (
    id              {{.ID}},
    organization_id {{.Int}} NOT NULL UNIQUE REFERENCES account (id) ON DELETE CASCADE,
    upstream        TEXT NOT NULL,
    username        TEXT,
    password        TEXT,
    expiration_s    {{.Int}} NOT NULL DEFAULT 86400,
    insecure        {{.Small}} NOT NULL DEFAULT 0,
    created_ms      {{.Int}} NOT NULL
){{.Strict}};

-- Policies

CREATE TABLE quota (
    id           {{.ID}},
    namespace_id {{.Int}} NOT NULL UNIQUE REFERENCES account (id) ON DELETE CASCADE,
    limit_bytes  {{.Int}} NOT NULL
){{.Strict}};

-- kind: 1 warn, 2 reject.
CREATE TABLE quota_limit (
    id       {{.ID}},
    quota_id {{.Int}} NOT NULL REFERENCES quota (id) ON DELETE CASCADE,
    kind     {{.Small}} NOT NULL,
    percent  {{.Int}} NOT NULL,
    UNIQUE (quota_id, kind, percent)
){{.Strict}};

CREATE TABLE quota_told (
    namespace_id {{.Int}} NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    percent      {{.Int}} NOT NULL,
    told_ms      {{.Int}},
    cleared      {{.Small}} NOT NULL DEFAULT 0,
    PRIMARY KEY (namespace_id, percent)
){{.Link}};

-- policy is Quay's JSON; repo_id NULL: for the whole namespace.
CREATE TABLE autoprune_policy (
    id           {{.ID}},
    uuid         {{.Text}} NOT NULL UNIQUE,
    namespace_id {{.Int}} NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    repo_id      {{.Int}} REFERENCES repository (id) ON DELETE CASCADE,
    policy       TEXT NOT NULL
){{.Strict}};
CREATE INDEX autoprune_policy_namespace ON autoprune_policy (namespace_id);
CREATE INDEX autoprune_policy_repository ON autoprune_policy (repo_id) WHERE repo_id IS NOT NULL;

CREATE TABLE autoprune_run (
    namespace_id {{.Int}} PRIMARY KEY REFERENCES account (id) ON DELETE CASCADE,
    last_run_ms  {{.Int}},
    status       TEXT
){{.Strict}};
CREATE INDEX autoprune_run_last ON autoprune_run (last_run_ms);

CREATE TABLE immutability_policy (
    id           {{.ID}},
    uuid         {{.Text}} NOT NULL UNIQUE,
    namespace_id {{.Int}} NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    repo_id      {{.Int}} REFERENCES repository (id) ON DELETE CASCADE,
    policy       TEXT NOT NULL
){{.Strict}};
CREATE INDEX immutability_policy_namespace ON immutability_policy (namespace_id);
CREATE INDEX immutability_policy_repository ON immutability_policy (repo_id) WHERE repo_id IS NOT NULL;

-- Builds

-- service: github, gitlab, bitbucket, custom-git. disabled_reason: user_toggled, successive_build_failures,
-- successive_build_internal_errors.
CREATE TABLE build_trigger (
    id              {{.ID}},
    uuid            {{.Text}} NOT NULL UNIQUE,
    service         {{.Text}} NOT NULL,
    repo_id         {{.Int}} NOT NULL REFERENCES repository (id) ON DELETE CASCADE,
    account_id      {{.Int}} NOT NULL REFERENCES account (id),
    auth_token      TEXT,
    private_key     TEXT,
    config          TEXT NOT NULL DEFAULT '{}',
    write_token_id  {{.Int}} REFERENCES access_token (id) ON DELETE SET NULL,
    robot_id        {{.Int}} REFERENCES account (id) ON DELETE SET NULL,
    enabled         {{.Small}} NOT NULL DEFAULT 1,
    disabled_reason {{.Text}},
    disabled_ms     {{.Int}},
    failures        {{.Int}} NOT NULL DEFAULT 0,
    internal_errors {{.Int}} NOT NULL DEFAULT 0
){{.Strict}};
CREATE INDEX build_trigger_repository ON build_trigger (repo_id);
CREATE INDEX build_trigger_account ON build_trigger (account_id);
CREATE INDEX build_trigger_robot ON build_trigger (robot_id) WHERE robot_id IS NOT NULL;
CREATE INDEX build_trigger_write_token ON build_trigger (write_token_id) WHERE write_token_id IS NOT NULL;

CREATE TABLE build (
    id              {{.ID}},
    uuid            {{.Text}} NOT NULL UNIQUE,
    repo_id         {{.Int}} NOT NULL REFERENCES repository (id) ON DELETE CASCADE,
    access_token_id {{.Int}} REFERENCES access_token (id) ON DELETE SET NULL,
    trigger_id      {{.Int}} REFERENCES build_trigger (id) ON DELETE SET NULL,
    robot_id        {{.Int}} REFERENCES account (id) ON DELETE SET NULL,
    display_name    TEXT NOT NULL,
    resource_key    TEXT,
    job_config      TEXT NOT NULL DEFAULT '{}',
    phase           {{.Text}} NOT NULL,
    logs_archived   {{.Small}} NOT NULL DEFAULT 0,
    started_ms      {{.Int}} NOT NULL
){{.Strict}};
CREATE INDEX build_repository ON build (repo_id, started_ms);
CREATE INDEX build_trigger_of ON build (trigger_id) WHERE trigger_id IS NOT NULL;
CREATE INDEX build_robot ON build (robot_id) WHERE robot_id IS NOT NULL;
CREATE INDEX build_access_token ON build (access_token_id) WHERE access_token_id IS NOT NULL;

-- Scanning

-- status: -4 no more tries, -3 a layer is too large, -2 unsupported, -1 failed, 0 waiting, 1 running, 2 done.
-- indexer_state: the scanner's state the result belongs to.
CREATE TABLE security_status (
    manifest_id     {{.Int}} PRIMARY KEY REFERENCES manifest (id) ON DELETE CASCADE,
    status          {{.Small}} NOT NULL,
    error           TEXT NOT NULL DEFAULT '{}',
    indexer_state   {{.Text}} NOT NULL,
    indexer_version {{.Small}} NOT NULL,
    metadata        TEXT NOT NULL DEFAULT '{}',
    indexed_ms      {{.Int}} NOT NULL
){{.Strict}};
CREATE INDEX security_status_state ON security_status (indexer_state, indexed_ms);

-- Counts. They are written with the entries of the action log that they count.

-- kind: 1 tag, 2 manifest. key: the tag's name or the digest's text. digest: what the tag was at the last pull.
CREATE TABLE pull_stat (
    repo_id {{.Int}} NOT NULL,
    kind    {{.Small}} NOT NULL,
    key     {{.Text}} NOT NULL,
    pulls   {{.Int}} NOT NULL,
    last_ms {{.Int}} NOT NULL,
    digest  {{.Bytes}},
    PRIMARY KEY (repo_id, kind, key)
){{.Link}}{{.Churns}};

-- day: days since 1970-01-01 in UTC. others: actions of an imported Quay, which does not tell pulls from pushes.
CREATE TABLE repo_day (
    repo_id {{.Int}} NOT NULL,
    day     {{.Int}} NOT NULL,
    pulls   {{.Int}} NOT NULL DEFAULT 0,
    pushes  {{.Int}} NOT NULL DEFAULT 0,
    others  {{.Int}} NOT NULL DEFAULT 0,
    PRIMARY KEY (repo_id, day)
){{.Link}};

-- Work

-- What a change makes others do: written in its transaction, turned into jobs afterwards.
CREATE TABLE outbox (
    id      {{.ID}},
    kind    {{.Text}} NOT NULL,
    payload TEXT NOT NULL,
    due_ms  {{.Int}} NOT NULL
){{.Strict}}{{.Churns}};
CREATE INDEX outbox_due ON outbox (due_ms, id);

-- What settings were before and after a change, so that it can be undone. actor_id NULL: the program itself.
CREATE TABLE revision (
    id        {{.ID}},
    kind      {{.Text}} NOT NULL,
    object_id {{.Int}} NOT NULL,
    actor_id  {{.Int}},
    at_ms     {{.Int}} NOT NULL,
    before    TEXT,
    after     TEXT
){{.Strict}};
CREATE INDEX revision_object ON revision (kind, object_id, at_ms);

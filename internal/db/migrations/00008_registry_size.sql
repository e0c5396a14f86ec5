-- How much the registry stores, as last computed: one row. queued_ms: somebody asked for a new result. running_ms: when
-- the process that computes it last said so.
INSERT INTO schema_version (version, needs) VALUES (8, 1);

CREATE TABLE registry_size (
    id          {{.Small}} PRIMARY KEY CHECK (id = 1),
    bytes       {{.Int}} NOT NULL DEFAULT 0,
    measured_ms {{.Int}},
    queued_ms   {{.Int}},
    running_ms  {{.Int}}
){{.Strict}};
INSERT INTO registry_size (id) VALUES (1);

package rest

import (
	"context"
	"encoding/json"

	"github.com/longshore-registry/longshore/internal/config"
)

type configDumpOutput struct {
	Body struct {
		Config  map[string]any  `json:"config" doc:"what was set, secrets replaced"`
		Warning map[string]any  `json:"warning" doc:"what was set and is no key; the values are not shown"`
		Env     map[string]any  `json:"env" doc:"what the environment said"`
		Schema  json.RawMessage `json:"schema" doc:"JSON schema of the configuration"`
	}
}

// getConfigDump is refused, not missing, while FEATURE_SUPERUSER_CONFIGDUMP is off.
func (a *API) getConfigDump(context.Context, *Call, *struct{}) (*configDumpOutput, error) {
	if !a.options.ConfigDump {
		return nil, unauthorized()
	}
	schema, err := config.JSONSchema()
	if err != nil {
		return nil, err
	}
	shown := a.options.Config
	out := &configDumpOutput{}
	out.Body.Config, out.Body.Warning, out.Body.Env, out.Body.Schema = shown.Set, shown.Unknown, shown.Env, schema
	return out, nil
}

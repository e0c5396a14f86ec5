package rest

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/longshore-registry/longshore/internal/content"
)

// panel is rows of the superuser panel: without FEATURE_SUPER_USERS they are switched off.
func (a *API) panel(rows ...*route) []*route {
	if !a.options.Access.Policy().SuperUsersEnabled {
		for _, r := range rows {
			r.switchOff()
		}
	}
	return rows
}

// instanceRoutes are what superusers see and do about the registry itself (rest-api §21).
func (a *API) instanceRoutes() []*route {
	const size = "/api/v1/superuser/registrysize/"
	return a.panel(
		&route{Method: http.MethodGet, Path: "/api/v1/superuser/changelog/", ID: "getChangeLog", Summary: "What changed from version to version", Need: inspectors(), FreshLogin: true, Handler: handle(a.getChangeLog)},
		&route{Method: http.MethodGet, Path: "/api/v1/superuser/registrystatus", ID: "scRegistryStatus", Summary: "Whether the registry is set up", Need: everybody(), Handler: handle(a.getRegistryStatus)},
		&route{Method: http.MethodPost, Path: "/api/v1/superuser/shutdown", ID: "scShutdownContainer", Summary: "Stop this process, after the requests in flight",
			Need: need{onFirstRun, superusers().action, superusers().scope}, Anonymous: true, ReadOnlyOK: true, Handler: handle(a.shutdown)},
		&route{Method: http.MethodGet, Path: size, ID: "getRegistrySize", Summary: "How much the registry stores, as last computed", Need: inspectors(), FreshLogin: true, Handler: handle(a.getRegistrySize)},
		&route{Method: http.MethodPost, Path: size, ID: "queueRegistrySizeCalculation", Summary: "Compute how much the registry stores", Status: http.StatusCreated,
			Need: superusers(), FreshLogin: true, Handler: handleWithHeaders(a.queueRegistrySize)},
		&route{Method: http.MethodGet, Path: "/api/v1/superuser/config", ID: "getConfigDump", Summary: "The configuration without its secrets", Need: inspectors(), FreshLogin: true, Handler: handle(a.getConfigDump)},
	)
}

// emptyOutput is a status without a body.
type emptyOutput struct{ Status int }

type changeLogOutput struct {
	Body struct {
		Log string `json:"log" doc:"Markdown"`
	}
}

func (a *API) getChangeLog(context.Context, *Call, *struct{}) (*changeLogOutput, error) {
	out := &changeLogOutput{}
	out.Body.Log = a.options.Changes
	return out, nil
}

type registryStatusOutput struct {
	Body struct {
		Status   string `json:"status" enum:"ready,setup-incomplete"`
		Provider string `json:"provider_id"`
	}
}

// getRegistryStatus says that the registry is ready: a process without a complete configuration does not start.
func (a *API) getRegistryStatus(context.Context, *Call, *struct{}) (*registryStatusOutput, error) {
	out := &registryStatusOutput{}
	out.Body.Status, out.Body.Provider = "ready", configProvider
	return out, nil
}

// configProvider is where the configuration comes from, in Quay's words: not from a Kubernetes secret of its own.
const configProvider = "file"

type objectOutput struct{ Body struct{} }

// shutdown asks the program to stop. This answer is one of the requests in flight that it waits for.
func (a *API) shutdown(context.Context, *Call, *struct{}) (*objectOutput, error) {
	a.options.Shutdown()
	return &objectOutput{}, nil
}

type registrySizeOutput struct {
	Body struct {
		SizeBytes int64  `json:"size_bytes"`
		LastRan   *int64 `json:"last_ran" doc:"Unix milliseconds"`
		Queued    bool   `json:"queued"`
		Running   bool   `json:"running"`
	}
}

func (a *API) getRegistrySize(ctx context.Context, _ *Call, _ *struct{}) (*registrySizeOutput, error) {
	m, err := a.options.Size.Measured(ctx)
	if err != nil {
		return nil, err
	}
	out := &registrySizeOutput{}
	out.Body.SizeBytes, out.Body.Queued, out.Body.Running = m.Bytes, m.Queued, m.Running
	if !m.At.IsZero() {
		ms := m.At.UnixMilli()
		out.Body.LastRan = &ms
	}
	return out, nil
}

func (a *API) queueRegistrySize(ctx context.Context, _ *Call, _ *struct{}) (*emptyOutput, error) {
	queued, err := a.options.Size.QueueMeasure(ctx)
	if err != nil {
		return nil, err
	}
	if !queued {
		return &emptyOutput{Status: http.StatusAccepted}, nil
	}
	return &emptyOutput{Status: http.StatusCreated}, nil
}

// sizes is what the API needs of the blob store.
type sizes interface {
	// Measured gives the last result, and whether another one is on its way.
	Measured(context.Context) (content.Measurement, error)
	// QueueMeasure asks for a new result; false when somebody has already.
	QueueMeasure(context.Context) (bool, error)
}

type rawOutput struct{ Body func(huma.Context) }

// raw answers with a body as it stands.
func raw(mediaType string, body []byte) *rawOutput {
	return &rawOutput{func(ctx huma.Context) {
		ctx.SetHeader("Content-Type", mediaType)
		_, _ = ctx.BodyWriter().Write(body)
	}}
}

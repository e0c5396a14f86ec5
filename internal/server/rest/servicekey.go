package rest

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/longshore-registry/longshore/internal/identity/bearer"
	"github.com/longshore-registry/longshore/internal/problem"
)

// serviceKeyRoutes are the superusers' side of service keys (rest-api §22). The services' side is /keys.
func (a *API) serviceKeyRoutes() []*route {
	const all, one = "/api/v1/superuser/keys", "/api/v1/superuser/keys/{kid}"
	return a.panel(
		&route{Method: http.MethodGet, Path: all, ID: "listServiceKeys", Summary: "The keys of all services", Need: inspectors(), Handler: handle(a.listServiceKeys)},
		&route{Method: http.MethodPost, Path: all, ID: "createServiceKey", Summary: "Make a key pair for a service", Need: superusers(), FreshLogin: true, MaxBody: smallBody, Handler: handle(a.createServiceKey)},
		&route{Method: http.MethodGet, Path: one, ID: "getServiceKey", Summary: "A service's key", Need: inspectors(), Handler: handle(a.getServiceKey)},
		&route{Method: http.MethodPut, Path: one, ID: "updateServiceKey", Summary: "Change what is kept about a key", Need: superusers(), FreshLogin: true, MaxBody: smallBody, Handler: handle(a.updateServiceKey)},
		&route{Method: http.MethodDelete, Path: one, ID: "deleteServiceKey", Summary: "Delete a key", Need: superusers(), FreshLogin: true, Handler: handle(a.deleteServiceKey)},
		&route{Method: http.MethodPost, Path: "/api/v1/superuser/approvedkeys/{kid}", ID: "approveServiceKey", Summary: "Let a service's own key count", Status: http.StatusCreated,
			Need: superusers(), FreshLogin: true, MaxBody: smallBody, Handler: handleWithHeaders(a.approveServiceKey)},
	)
}

type serviceKeyView struct {
	Name     string          `json:"name"`
	KID      string          `json:"kid"`
	Service  string          `json:"service"`
	JWK      json.RawMessage `json:"jwk"`
	Metadata json.RawMessage `json:"metadata"`
	Created  string          `json:"created_date" doc:"RFC 822 date"`
	Expires  *string         `json:"expiration_date" doc:"RFC 822 date"`
	Rotation *int64          `json:"rotation_duration" doc:"seconds that the key lives on once it has a successor"`
	Approval *approvalView   `json:"approval"`
}

type approvalView struct {
	Approver *superUserView `json:"approver"`
	Type     string         `json:"approval_type"`
	Date     string         `json:"approved_date" doc:"RFC 822 date"`
	Notes    string         `json:"notes"`
}

type (
	serviceKeysOutput struct {
		Body struct {
			Keys []serviceKeyView `json:"keys"`
		}
	}
	serviceKeyOutput struct{ Body serviceKeyView }
)

func (a *API) listServiceKeys(ctx context.Context, _ *Call, _ *struct{}) (*serviceKeysOutput, error) {
	keys, err := a.options.Keys.ServiceKeys(ctx)
	if err != nil {
		return nil, err
	}
	out := &serviceKeysOutput{}
	out.Body.Keys = make([]serviceKeyView, 0, len(keys))
	for _, k := range keys {
		view, err := a.serviceKeyView(ctx, k)
		if err != nil {
			return nil, err
		}
		out.Body.Keys = append(out.Body.Keys, view)
	}
	return out, nil
}

func (a *API) getServiceKey(ctx context.Context, c *Call, _ *struct{}) (*serviceKeyOutput, error) {
	return a.serviceKeyOutput(ctx)(a.options.Keys.ServiceKey(ctx, c.Path.Variable("kid")))
}

// serviceKeyOutput shows one key.
func (a *API) serviceKeyOutput(ctx context.Context) func(bearer.ServiceKey, error) (*serviceKeyOutput, error) {
	return func(k bearer.ServiceKey, err error) (*serviceKeyOutput, error) {
		if err != nil {
			return nil, err
		}
		view, err := a.serviceKeyView(ctx, k)
		return &serviceKeyOutput{view}, err
	}
}

func (a *API) serviceKeyView(ctx context.Context, k bearer.ServiceKey) (serviceKeyView, error) {
	view := serviceKeyView{
		Name: k.Name, KID: k.KID, Service: k.Service, JWK: k.JWK, Metadata: k.Metadata, Created: rfc822(k.Created), Expires: rfc822OrNull(k.Expires),
	}
	if k.Rotation > 0 {
		seconds := int64(k.Rotation / time.Second)
		view.Rotation = &seconds
	}
	if k.Approval == nil {
		return view, nil
	}
	view.Approval = &approvalView{Type: k.Approval.Type, Date: rfc822(k.Approval.At), Notes: k.Approval.Notes}
	who := k.Approval.Approver
	if who.ID == 0 {
		return view, nil
	}
	shown, err := a.superUserView(ctx, who)
	view.Approval.Approver = &shown
	return view, err
}

type createServiceKeyInput struct {
	Body struct {
		Service    string         `json:"service" minLength:"1" maxLength:"255"`
		Expiration *float64       `json:"expiration" nullable:"true" minimum:"0" maximum:"253402300799" doc:"Unix seconds; null for never"`
		Name       string         `json:"name,omitempty" maxLength:"255"`
		Metadata   map[string]any `json:"metadata,omitempty" doc:"an object; created_by, creator and ip are added"`
		Notes      string         `json:"notes,omitempty" maxLength:"4096"`
	}
}

type createServiceKeyOutput struct {
	Body struct {
		KID        string `json:"kid"`
		Name       string `json:"name"`
		Service    string `json:"service"`
		PublicKey  string `json:"public_key" doc:"PEM"`
		PrivateKey string `json:"private_key" doc:"PEM; shown here only"`
	}
}

func (a *API) createServiceKey(ctx context.Context, c *Call, in *createServiceKeyInput) (*createServiceKeyOutput, error) {
	metadata := in.Body.Metadata
	if metadata == nil {
		metadata = map[string]any{}
	}
	metadata["created_by"], metadata["creator"], metadata["ip"] = "Superuser API", c.Principal.Account.Name, c.Record.ClientIP.String()
	pair, err := a.options.Keys.CreateServiceKey(ctx, bearer.NewServiceKey{
		Service: in.Body.Service, Name: in.Body.Name, Metadata: metadata, Expires: timeOf(in.Body.Expiration), Notes: in.Body.Notes, Creator: c.Principal.Account,
	})
	if err != nil {
		return nil, asInvalid(err)
	}
	out := &createServiceKeyOutput{}
	out.Body.KID, out.Body.Name, out.Body.Service = pair.KID, pair.Name, pair.Service
	out.Body.PublicKey, out.Body.PrivateKey = pair.Public, pair.Private.Reveal()
	return out, nil
}

// timeOf is the time of Unix seconds; nil is the zero time.
func timeOf(seconds *float64) time.Time {
	if seconds == nil {
		return time.Time{}
	}
	return time.Unix(int64(*seconds), 0).UTC()
}

type updateServiceKeyInput struct {
	Body struct {
		Name       *string            `json:"name,omitempty" maxLength:"255"`
		Metadata   map[string]any     `json:"metadata,omitempty" doc:"replaces what is kept"`
		Expiration omittable[float64] `json:"expiration,omitempty" doc:"Unix seconds; null for never"`
	}
}

func (a *API) updateServiceKey(ctx context.Context, c *Call, in *updateServiceKeyInput) (*serviceKeyOutput, error) {
	change := bearer.ServiceKeyChange{Name: in.Body.Name, Metadata: in.Body.Metadata}
	if in.Body.Expiration.sent {
		if seconds := in.Body.Expiration.value; seconds != nil && (*seconds < 0 || *seconds > 253402300799) {
			return nil, invalidRequest("body.expiration: a time in Unix seconds is allowed")
		}
		expires := timeOf(in.Body.Expiration.value)
		change.Expires = &expires
	}
	k, err := a.options.Keys.UpdateServiceKey(ctx, c.Path.Variable("kid"), change)
	if problem.Is(err, problem.NotFound) {
		return nil, notFound()
	}
	return a.serviceKeyOutput(ctx)(k, err)
}

func (a *API) deleteServiceKey(ctx context.Context, c *Call, _ *struct{}) (*none, error) {
	return nil, a.options.Keys.DeleteServiceKey(ctx, c.Path.Variable("kid"))
}

type approveServiceKeyInput struct {
	Body struct {
		Notes string `json:"notes,omitempty" maxLength:"4096"`
	}
}

func (a *API) approveServiceKey(ctx context.Context, c *Call, in *approveServiceKeyInput) (*emptyOutput, error) {
	err := a.options.Keys.ApproveServiceKey(ctx, c.Path.Variable("kid"), c.Principal.Account, in.Body.Notes)
	return &emptyOutput{Status: http.StatusCreated}, err
}

package rest

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/longshore-registry/longshore/internal/access"
	"github.com/longshore-registry/longshore/internal/identity"
	"github.com/longshore-registry/longshore/internal/problem"
)

func (a *API) notificationRoutes() []*route {
	own := account(access.AdministerAccount, identity.ScopeUserAdmin)
	const path = "/api/v1/user/notifications"
	return []*route{
		{Method: http.MethodGet, Path: path, ID: "listOwnNotifications", Summary: "Notes for the user, and for organizations the user administers", Need: own, Handler: handle(a.listNotifications)},
		{Method: http.MethodGet, Path: path + "/{uuid}", ID: "getOwnNotification", Summary: "A note", Need: own, Handler: handle(a.getNotification)},
		{Method: http.MethodPut, Path: path + "/{uuid}", ID: "updateOwnNotification", Summary: "Dismiss a note or show it again", Need: own, Handler: handle(a.updateNotification)},
	}
}

type notificationView struct {
	ID           string          `json:"id"`
	Organization *string         `json:"organization"`
	Kind         string          `json:"kind"`
	Created      string          `json:"created"`
	Metadata     json.RawMessage `json:"metadata"`
	Dismissed    bool            `json:"dismissed"`
}

func newNotificationView(n identity.Notification) notificationView {
	view := notificationView{ID: n.UUID, Kind: n.Kind, Created: rfc822(n.Created), Metadata: n.Metadata, Dismissed: n.Dismissed}
	if n.Organization != "" {
		view.Organization = &n.Organization
	}
	return view
}

// lastNotificationPage is far beyond what anybody has.
const lastNotificationPage = 1_000_000

type listNotificationsInput struct {
	Page  int `query:"page" doc:"from 0"`
	Limit int `query:"limit" default:"5" doc:"1 to 100"`
}

type listNotificationsOutput struct {
	Body struct {
		Notifications []notificationView `json:"notifications"`
		Additional    bool               `json:"additional" doc:"whether there is another page"`
	}
}

func (a *API) listNotifications(ctx context.Context, c *Call, in *listNotificationsInput) (*listNotificationsOutput, error) {
	page, limit := min(max(in.Page, 0), lastNotificationPage), min(max(in.Limit, 1), 100)
	list, err := a.options.Identity.Notifications(ctx, c.Principal.Account.ID, page*limit, limit+1)
	if err != nil {
		return nil, err
	}
	out := &listNotificationsOutput{}
	if out.Body.Additional = len(list) > limit; out.Body.Additional {
		list = list[:limit]
	}
	out.Body.Notifications = make([]notificationView, 0, len(list))
	for _, n := range list {
		out.Body.Notifications = append(out.Body.Notifications, newNotificationView(n))
	}
	return out, nil
}

type notificationOutput struct{ Body notificationView }

func (a *API) getNotification(ctx context.Context, c *Call, _ *struct{}) (*notificationOutput, error) {
	n, err := a.options.Identity.Notification(ctx, c.Principal.Account.ID, c.Path.Variable("uuid"))
	return shownNotification(n, err)
}

type updateNotificationInput struct {
	Body struct {
		Dismissed *bool `json:"dismissed,omitempty"`
	}
}

func (a *API) updateNotification(ctx context.Context, c *Call, in *updateNotificationInput) (*notificationOutput, error) {
	dismissed := in.Body.Dismissed != nil && *in.Body.Dismissed
	n, err := a.options.Identity.DismissNotification(ctx, c.Principal.Account.ID, c.Path.Variable("uuid"), dismissed)
	return shownNotification(n, err)
}

func shownNotification(n identity.Notification, err error) (*notificationOutput, error) {
	if problem.Is(err, problem.NotFound) {
		return nil, notFound()
	}
	if err != nil {
		return nil, err
	}
	return &notificationOutput{newNotificationView(n)}, nil
}

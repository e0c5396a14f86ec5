package rest

import (
	"context"
	"net/http"

	"github.com/longshore-registry/longshore/internal/identity"
)

func (a *API) messageRoutes() []*route {
	off := 0
	if !a.options.Access.Policy().SuperUsersEnabled {
		off = http.StatusMethodNotAllowed
	}
	return []*route{
		{Method: http.MethodGet, Path: "/api/v1/messages", ID: "getGlobalMessages", Summary: "Banners for everybody", Need: everybody(), Handler: handle(a.listMessages)},
		{Method: http.MethodPost, Path: "/api/v1/messages", ID: "createGlobalMessage", Summary: "Make a banner", Status: http.StatusCreated, Need: superusers(), FreshLogin: true, Aborts: true, Off: off, Handler: handle(a.createMessage)},
		{Method: http.MethodDelete, Path: "/api/v1/message/{uuid}", ID: "deleteGlobalMessage", Summary: "Remove a banner", Need: superusers(), FreshLogin: true, Aborts: true, Off: off, Handler: handle(a.deleteMessage)},
	}
}

type messageView struct {
	UUID      string `json:"uuid"`
	Content   string `json:"content"`
	Severity  string `json:"severity"`
	MediaType string `json:"media_type"`
}

type listMessagesOutput struct {
	Body struct {
		Messages []messageView `json:"messages"`
	}
}

func (a *API) listMessages(ctx context.Context, _ *Call, _ *struct{}) (*listMessagesOutput, error) {
	messages, err := a.options.Identity.Messages(ctx)
	if err != nil {
		return nil, err
	}
	out := &listMessagesOutput{}
	out.Body.Messages = make([]messageView, 0, len(messages))
	for _, m := range messages {
		out.Body.Messages = append(out.Body.Messages, messageView(m))
	}
	return out, nil
}

type createMessageInput struct {
	Body struct {
		Message struct {
			Content   string `json:"content" maxLength:"10000"`
			MediaType string `json:"media_type" enum:"text/plain,text/markdown"`
			Severity  string `json:"severity" enum:"info,warning,error"`
		} `json:"message"`
	}
}

func (a *API) createMessage(ctx context.Context, _ *Call, in *createMessageInput) (*none, error) {
	m := in.Body.Message
	return nil, asInvalid(a.options.Identity.CreateMessage(ctx, identity.Message{Content: m.Content, MediaType: m.MediaType, Severity: m.Severity}))
}

func (a *API) deleteMessage(ctx context.Context, c *Call, _ *struct{}) (*none, error) {
	return nil, a.options.Identity.DeleteMessage(ctx, c.Path.Variable("uuid"))
}

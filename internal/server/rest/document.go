package rest

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
)

func (a *API) documentRoutes() []*route {
	return []*route{{
		Method: http.MethodGet, Path: "/api/v1/openapi.json", ID: "getOpenAPI", Summary: "This document, OpenAPI 3.1",
		Need: everybody(), Anonymous: true, Browser: true, Handler: page(a.getOpenAPI),
	}}
}

func (a *API) getOpenAPI(_ context.Context, _ *Call, x *exchange) error {
	document, err := a.document()
	if err != nil {
		return err
	}
	x.w.Header().Set("Content-Type", "application/json")
	x.SetStatus(http.StatusOK)
	_, err = x.answer.Write(document)
	return err
}

// parameters documents a pattern's variables.
func (p pattern) parameters() []*huma.Param {
	var all []*huma.Param
	add := func(name, doc string) {
		all = append(all, &huma.Param{
			Name: name, In: "path", Required: true, Description: doc, Schema: &huma.Schema{Type: huma.TypeString},
		})
	}
	for _, s := range p.before {
		if s.variable {
			add(s.text, "")
		}
	}
	if p.nested {
		add(repositoryVariable, "namespace/name[/more]; a name that holds a route's words is sent with %2F for its slashes")
	}
	for _, s := range p.after {
		if s.variable {
			add(s.text, "")
		}
	}
	return all
}

// problemName is the response under which the document has the errors of every operation.
const problemName = "Problem"

// problemResponse documents the errors of every operation.
func problemResponse() *huma.Response {
	text := func(doc string) *huma.Schema { return &huma.Schema{Type: huma.TypeString, Description: doc} }
	return &huma.Response{
		Description: "An error: this object, or a plain one with only error or message",
		Content: map[string]*huma.MediaType{"application/json": {Schema: &huma.Schema{
			Type:                 huma.TypeObject,
			AdditionalProperties: true,
			Properties: map[string]*huma.Schema{
				"detail":        text("what is wrong, for people"),
				"error_message": text("the same as detail"),
				"error_type":    text("what is wrong, for programs, such as invalid_request"),
				"title":         text("the same as error_type"),
				"type":          text("address of the error type's description"),
				"status":        {Type: huma.TypeInteger, Description: "the HTTP status"},
				"message":       text("of plain errors"),
				"error":         text("of plain errors"),
			},
		}}},
	}
}

// hideDefaultErrors takes huma's own error model out of the document: no operation answers with it.
func hideDefaultErrors(document *huma.OpenAPI) {
	schemas := document.Components.Schemas.Map()
	delete(schemas, "ErrorModel")
	delete(schemas, "ErrorDetail")
}

package rest

import "context"

// errorType is a type of error as Quay's API describes it.
type errorType struct{ name, title, description string }

// errorTypes are all values of error_type (rest-api §1.5).
func errorTypes() []errorType {
	return []errorType{
		{"invalid_request", "Invalid request", "A parameter or the body of the request is missing, has a wrong type, or breaks a rule; detail names it."},
		{"invalid_response", "Invalid response", "What the registry has stored does not fit together, so that it cannot answer."},
		{"invalid_token", "Not signed in", "The request has no valid session or token; sign in, or send an OAuth access token."},
		{"expired_token", "Expired token", "The token was valid once and has expired."},
		{"fresh_login_required", "Fresh login required", "The password must have been entered lately; enter it again with POST /api/v1/signin/verify, then repeat the request."},
		{"exceeds_license", "Over the plan's limit", "The plan allows no more private repositories."},
		{"insufficient_scope", "Not allowed", "The caller, or the scope of its token, does not have the right to do this."},
		{"not_found", "Not found", "What the request names does not exist, or the caller may not know."},
		{"external_service_timeout", "Another service is late", "A service that the registry asked did not answer in time."},
		{"downstream_issue", "Another service failed", "A service that the registry asked did not answer as it should."},
		{"tag_immutable", "Immutable tag", "The tag is immutable: it is not moved, deleted or restored."},
		{"token_rotation_failed", "Token not replaced", "The new token could not be stored, or the older ones could not be removed."},
	}
}

type errorTypeOutput struct {
	Body struct {
		Type        string `json:"type"`
		Title       string `json:"title"`
		Description string `json:"description"`
	}
}

func (a *API) getErrorDescription(_ context.Context, c *Call, _ *struct{}) (*errorTypeOutput, error) {
	for _, e := range errorTypes() {
		if e.name == c.Path.Variable("error_type") {
			out := &errorTypeOutput{}
			out.Body.Type, out.Body.Title, out.Body.Description = e.name, e.title, e.description
			return out, nil
		}
	}
	return nil, notFound()
}

package rest

import (
	"context"
	"net/http"

	"github.com/longshore-registry/longshore/internal/identity"
)

type initializeInput struct {
	Body struct {
		Username    string `json:"username" maxLength:"255" doc:"name of the first user"`
		Password    string `json:"password" maxLength:"1024" doc:"at least 8 characters without white space"`
		Email       string `json:"email,omitempty" maxLength:"254" doc:"required when the registry sends mail"`
		AccessToken bool   `json:"access_token,omitempty" doc:"also make an OAuth token for further automation"`
	}
}

type initializeOutput struct {
	Body struct {
		Username          string `json:"username"`
		Email             string `json:"email"`
		EncryptedPassword string `json:"encrypted_password"`
		AccessToken       string `json:"access_token,omitempty" doc:"only when it was asked for"`
	}
}

// initializeUser makes the first user. Of several calls at once one succeeds; as soon as any user exists it refuses.
func (a *API) initializeUser(ctx context.Context, c *Call, in *initializeInput) (*initializeOutput, error) {
	switch {
	case !a.options.DatabaseAuth:
		return nil, message(http.StatusBadRequest, "Cannot initialize user in a non-database auth system")
	case a.options.Mailing && in.Body.Email == "":
		return nil, message(http.StatusBadRequest, "Failed to initialize user: Email address is required")
	}
	first := identity.NewUser{Name: in.Body.Username, Email: in.Body.Email, Password: in.Body.Password, Verified: true}
	user, token, err := a.options.Identity.Initialize(ctx, first, in.Body.AccessToken)
	if err != nil {
		return nil, a.initializeRefused(ctx, err)
	}
	encrypted, err := a.options.Identity.EncryptPassword(in.Body.Password)
	if err != nil {
		return nil, err
	}
	if err := a.signIn(ctx, c, user); err != nil {
		return nil, err
	}
	out := &initializeOutput{}
	out.Body.Username, out.Body.Email = user.Name, user.Email
	out.Body.EncryptedPassword, out.Body.AccessToken = encrypted, token
	return out, nil
}

func (a *API) initializeRefused(ctx context.Context, err error) error {
	if exists, lookup := a.options.Identity.HasUsers(ctx); lookup == nil && exists {
		return message(http.StatusBadRequest, "Cannot initialize user in a non-empty database")
	}
	return refused(err, func(text string) *failure {
		return message(http.StatusBadRequest, "Failed to initialize user: %s", text)
	})
}

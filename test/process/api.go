package process

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// FirstUser is the configuration that Initialize needs.
const FirstUser = "FEATURE_USER_INITIALIZE: true\n"

// Initialize makes the first user through the API and keeps the token that comes back.
func (s *Server) Initialize(ctx context.Context, user, password string) error {
	var first struct {
		Token string `json:"access_token"`
	}
	err := s.API(ctx, http.StatusOK, http.MethodPost, "user/initialize", map[string]any{
		"username": user, "password": password, "email": user + "@example.org", "access_token": true,
	}, &first)
	if err == nil && first.Token == "" {
		err = errors.New("user/initialize returned no access_token")
	}
	s.Token = first.Token
	return err
}

// CreateOrganization makes an organization owned by the first user.
func (s *Server) CreateOrganization(ctx context.Context, name string) error {
	return s.API(ctx, http.StatusCreated, http.MethodPost, "organization/", map[string]any{"name": name, "email": name + "@example.org"}, nil)
}

// CreateRepository makes a private repository.
func (s *Server) CreateRepository(ctx context.Context, namespace, name string) error {
	return s.API(ctx, http.StatusCreated, http.MethodPost, "repository", map[string]any{
		"namespace": namespace, "repository": name, "visibility": "private", "description": "",
	}, nil)
}

// API calls the REST API as the first user. Any other status than want is an error with what the server said.
func (s *Server) API(ctx context.Context, want int, method, path string, body, into any) error {
	data, err := json.Marshal(body)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, method, s.URL("/api/v1/"+path), bytes.NewReader(data))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	if s.Token != "" {
		request.Header.Set("Authorization", "Bearer "+s.Token)
	}
	response, err := s.HTTP.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != want {
		return fmt.Errorf("%s /api/v1/%s: %s, want %d\n%s", method, path, response.Status, want, answer)
	}
	if into == nil {
		return nil
	}
	if err := json.Unmarshal(answer, into); err != nil {
		return fmt.Errorf("%s /api/v1/%s: %w in %s", method, path, err, answer)
	}
	return nil
}

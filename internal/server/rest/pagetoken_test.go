package rest

import (
	"strings"
	"testing"
	"time"
)

func TestPageTokens(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	clock := func() time.Time { return now }
	tokens, err := newPageTokens([]byte("secret"), clock)
	if err != nil {
		t.Fatal(err)
	}
	token, err := tokens.encode("listRepos", "acme/app")
	if err != nil {
		t.Fatal(err)
	}
	read := func(p *pageTokens, operation, token string) (string, error) {
		var after string
		err := p.decode(operation, token, &after)
		return after, err
	}
	if after, err := read(tokens, "listRepos", token); err != nil || after != "acme/app" {
		t.Errorf("the token reads %q, %v", after, err)
	}
	if strings.Contains(token, "acme") {
		t.Error("the token shows its position")
	}
	other, err := newPageTokens([]byte("another secret"), clock)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, operation, token string
		tokens                 *pageTokens
		later                  time.Duration
	}{
		{name: "of another list", operation: "listRepoTags", token: token, tokens: tokens},
		{name: "of another registry", operation: "listRepos", token: token, tokens: other},
		{name: "with a changed byte", operation: "listRepos", token: flipLast(token), tokens: tokens},
		{name: "cut", operation: "listRepos", token: token[:len(token)/2], tokens: tokens},
		{name: "that is no token", operation: "listRepos", token: "äöü", tokens: tokens},
		{name: "older than two days", operation: "listRepos", token: token, tokens: tokens, later: pageTokenLife + time.Second},
	} {
		t.Run("a token "+test.name+" is refused", func(t *testing.T) {
			before := now
			now = now.Add(test.later)
			defer func() { now = before }()
			if after, err := read(test.tokens, test.operation, test.token); err == nil {
				t.Errorf("it reads %q", after)
			}
		})
	}
}

func flipLast(token string) string {
	middle := len(token) / 2
	c := byte('A')
	if token[middle] == c {
		c = 'B'
	}
	return token[:middle] + string(c) + token[middle+1:]
}

package distribution

import (
	"github.com/longshore-registry/longshore/internal/problem"
	"github.com/longshore-registry/longshore/internal/registry"
)

// tell says what the principal's tool does to the pages that the same account has open (rest-api §23).
func (q *request) tell(action, namespace, repository string) {
	if name := q.principal.Account.Name; name != "" {
		q.options.Events.Tell(name, action, namespace, repository)
	}
}

// tellLogin says what a token was asked for: to push, to pull, or nothing yet.
func (q *request) tellLogin(scopes []scope) {
	told := false
	for _, s := range scopes {
		namespace, name, err := registry.ParseName(s.path, q.options.Names)
		switch {
		case s.resource != "repository" || err != nil:
			continue
		case s.push:
			q.tell("push_start", namespace, name)
		case s.pull:
			q.tell("pull_start", namespace, name)
		}
		told = true
	}
	if !told {
		q.tell("login", "", "")
	}
}

// tellFailure tells the account that a wrong credential was shown for. Names of tokens belong to no account.
func (q *request) tellFailure(username string, err error) {
	if problem.Is(err, problem.Unauthenticated) {
		q.options.Events.Tell(username, "loginfailure", "", "")
	}
}

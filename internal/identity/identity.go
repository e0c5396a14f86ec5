// Package identity knows who somebody is: users, organizations, robots, teams, and the credentials that prove it.
//
// Users, organizations and robots are accounts in one table with one id space and one name space, as in Quay. What an
// account may do is package access's business; which repositories exist is package registry's.
package identity

import "time"

// Kind is what an account is.
type Kind uint8

// The kinds of account, as stored.
const (
	User         Kind = 1
	Organization Kind = 2
	Robot        Kind = 3
)

// Account is a user, an organization or a robot.
type Account struct {
	ID           int64
	UUID         string
	Kind         Kind
	Name         string // robots: "owner+short"
	OwnerID      int64  // robots: the namespace they belong to, else 0
	Email        string // empty when there is none
	Enabled      bool
	Verified     bool
	TagWindow    time.Duration // how long deleted tags can be restored
	AccessRev    int64         // rises when credentials or the account's standing change
	CreatedAt    time.Time     // zero when unknown
	LastAccessed time.Time     // zero when never
	HasPassword  bool
}

// Credential is how a principal proved who it is.
type Credential uint8

// The credentials. Their values appear in stored sessions and tokens and never change.
const (
	Anonymous   Credential = 0
	Password    Credential = 1 // user name or e-mail and password (or Quay's encrypted password)
	RobotToken  Credential = 2
	AppToken    Credential = 3 // $app
	OAuthToken  Credential = 4 // $oauthtoken, or Authorization: Bearer on the API
	AccessToken Credential = 5 // $token: Quay's repository token, belongs to a repository and to no account
	Session     Credential = 6 // the console's cookie
)

// Principal is who makes a request. The zero Principal is anonymous.
type Principal struct {
	Credential     Credential
	Account        Account   // zero for anonymous and for access tokens; the owner for application and OAuth tokens
	Reference      string    // uuid of the application or OAuth token, lookup part of the access token
	Title          string    // for audit: the token's title or application name
	ClientID       string    // OAuth tokens: their application's client id
	Scopes         Scopes    // what an OAuth token is limited to; ignored for other credentials
	FreshUntil     time.Time // sessions: until when the password counts as just entered
	RepositoryID   int64     // access tokens: the one repository
	RepositoryRole uint8     // access tokens: 1 admin, 2 write, 3 read
}

// IsAnonymous reports whether nobody is signed in.
func (p Principal) IsAnonymous() bool { return p.Credential == Anonymous }

// Actor names the principal stably, for binding uploads and sessions to it.
func (p Principal) Actor() string {
	switch {
	case p.Account.ID != 0:
		return "account:" + p.Account.UUID
	case p.Credential == AccessToken:
		return "token:" + p.Reference
	}
	return "anonymous"
}

// Scopes is the set of OAuth scopes a token carries.
type Scopes uint16

// The OAuth scopes (Quay's names in ParseScopes).
const (
	ScopeRepoRead Scopes = 1 << iota
	ScopeRepoWrite
	ScopeRepoAdmin
	ScopeRepoCreate
	ScopeUserRead
	ScopeUserAdmin
	ScopeOrgAdmin
	ScopeSuperUser
)

// Has reports whether every scope of want is in s. Repository scopes include the lower ones.
func (s Scopes) Has(want Scopes) bool {
	if s&ScopeRepoAdmin != 0 {
		s |= ScopeRepoWrite
	}
	if s&ScopeRepoWrite != 0 {
		s |= ScopeRepoRead
	}
	if s&ScopeUserAdmin != 0 {
		s |= ScopeUserRead
	}
	return s&want == want
}

package audit

import (
	"net/netip"

	"github.com/longshore-registry/longshore/internal/identity"
)

// agentLimit is how much of a client's User-Agent an entry keeps, in bytes.
const agentLimit = 1 << 10

// ActorFor is who stands behind a request of a principal that came from an address. agent is the client's User-Agent,
// empty where entries do not tell it.
func ActorFor(p identity.Principal, ip netip.Addr, agent string) Actor {
	a := Actor{AccountID: p.Account.ID, IP: ip, Who: AppendWho(nil, p, agent)}
	if p.Credential == identity.OAuthToken {
		a.Fields = appendOAuth(nil, p)
	}
	return a
}

// AppendWho adds the fields that say with which credential and client a principal came (registry-protocol §14): at most
// MaxWho.
func AppendWho(fields []Field, p identity.Principal, agent string) []Field {
	if agent != "" {
		fields = append(fields, Text("user-agent", cut(agent, agentLimit)))
	}
	if p.Account.ID != 0 {
		fields = append(fields, Text("username", p.Account.Name))
	}
	switch p.Credential {
	case identity.RobotToken:
		fields = append(fields, Bool("is_robot", true))
	case identity.AppToken:
		fields = append(fields, Text("app_specific_token", p.Reference), Text("app_specific_token_title", p.Title))
	case identity.OAuthToken:
		fields = appendOAuth(fields, p)
	case identity.AccessToken:
		fields = append(fields, Text("token", p.Title))
	}
	return fields
}

// MaxWho is the largest number of fields that AppendWho adds.
const MaxWho = 5

// appendOAuth adds the fields that every entry has which an OAuth token caused.
func appendOAuth(fields []Field, p identity.Principal) []Field {
	return append(fields, Text("oauth_token_id", p.Reference), Text("oauth_token_application_id", p.ClientID),
		Text("oauth_token_application", p.Title))
}

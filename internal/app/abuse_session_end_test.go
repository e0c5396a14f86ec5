package app

import (
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/longshore-registry/longshore/internal/identity"
	"github.com/longshore-registry/longshore/internal/identity/federated/issuertest"
)

// person makes a user and signs in.
func (s *siege) person(name string) (identity.Account, session) {
	s.t.Helper()
	made, err := s.parts.identity.CreateUser(s.t.Context(), identity.NewUser{Name: name, Password: "canary-" + testPassword, Verified: true, Trusted: true})
	if err != nil {
		s.t.Fatal(err)
	}
	in := s.signIn(s.t, name, "canary-"+testPassword)
	s.secrets = append(s.secrets, in.cookie, in.csrf)
	return made, in
}

// registryToken logs in to the registry as a client does.
func (s *siege) registryToken(name, secret string) string {
	s.t.Helper()
	token := tokenIn(s.t, s.must(s.t, attack{method: "GET", path: "/v2/auth?service=" + abuseHost, header: []string{basicOf(name, secret)}}, 200))
	s.secrets = append(s.secrets, token)
	return token
}

// ends: credentials after what they stand on is gone.
func (s *siege) ends() {
	ctx, people := s.t.Context(), s.parts.identity
	const me, login = "/api/v1/user/", "/v2/auth"
	bearer := func(token string) string { return "Authorization: Bearer " + token }
	keep := func(err error) {
		s.t.Helper()
		if err != nil {
			s.t.Fatal(err)
		}
	}

	app := s.application("revoked")
	token, uuid := s.tokenFor(app, "user:read repo:read")
	granted := s.registryToken("$oauthtoken", token)
	s.api(s.session, "DELETE", "/api/v1/organization/acme/applications/"+app.id+"/tokens/"+uuid, "")
	s.add("an OAuth token", "a revoked OAuth token at the API", "GET", me, 401, "invalid_token", bearer(token))
	s.add("an OAuth token", "a revoked OAuth token at /v2/auth", "GET", login, 401, "UNAUTHORIZED", basicOf("$oauthtoken", token))
	s.add("a registry token", "what was got with an OAuth token that is revoked", "GET", "/v2/", 401, "UNAUTHORIZED", bearer(granted))

	app = s.application("deleted")
	token, _ = s.tokenFor(app, "user:read")
	s.api(s.session, "DELETE", "/api/v1/organization/acme/applications/"+app.id, "")
	s.add("an OAuth token", "the token of a deleted application", "GET", me, 401, "invalid_token", bearer(token))

	gone, in := s.person("gone")
	made := s.api(in, "POST", "/api/v1/user/apptoken", `{"title":"x"}`)["token"].(map[string]any)
	apptoken := made["token_code"].(string)
	s.secrets = append(s.secrets, apptoken)
	granted = s.registryToken("gone", "canary-"+testPassword)
	keep(people.SetEnabled(ctx, gone.ID, false))
	s.as(in, "the session of a disabled user", "GET", me, 401, "invalid_token")
	s.as(in, "a change in the session of a disabled user", "DELETE", me, 403, "error")
	s.add("an application token", "the application token of a disabled user", "GET", login, 401, "UNAUTHORIZED", basicOf("$app", apptoken))
	s.add("a registry token", "the registry token of a disabled user", "GET", "/v2/", 401, "UNAUTHORIZED", bearer(granted))
	s.add("gone", "the password of a disabled user", "GET", login, 401, "UNAUTHORIZED", basicOf("gone", "canary-"+testPassword))

	_, in = s.person("paul")
	made = s.api(in, "POST", "/api/v1/user/apptoken", `{"title":"x"}`)["token"].(map[string]any)
	s.api(in, "DELETE", "/api/v1/user/apptoken/"+made["uuid"].(string), "")
	s.add("an application token", "an application token that was deleted", "GET", login, 401, "UNAUTHORIZED", basicOf("$app", made["token_code"].(string)))
	granted = s.registryToken("paul", "canary-"+testPassword)
	elsewhere := s.signIn(s.t, "paul", "canary-"+testPassword)
	s.api(in, "PUT", "/api/v1/user/", `{"password":"canary-another-one"}`)
	s.as(elsewhere, "another session after the password changed", "GET", me, 401, "invalid_token")
	s.as(in, "the cookie with which the password was changed", "GET", me, 401, "invalid_token")
	s.add("a registry token", "a registry token after the password changed", "GET", "/v2/", 401, "UNAUTHORIZED", bearer(granted))
	s.add("paul", "the password of before", "GET", login, 401, "UNAUTHORIZED", basicOf("paul", "canary-"+testPassword))

	robot := s.api(s.mallory, "PUT", "/api/v1/user/robots/worn", "{}")["token"].(string)
	granted = s.registryToken("mallory+worn", robot)
	s.api(s.mallory, "POST", "/api/v1/user/robots/worn/regenerate", "")
	s.add("robot", "a robot's secret of before it was regenerated", "GET", login, 401, "UNAUTHORIZED", basicOf("mallory+worn", robot))
	s.add("a registry token", "a robot's registry token of before it was regenerated", "GET", "/v2/", 401, "UNAUTHORIZED", bearer(granted))
	robot = s.api(s.mallory, "PUT", "/api/v1/user/robots/brief", "{}")["token"].(string)
	granted = s.registryToken("mallory+brief", robot)
	s.api(s.mallory, "DELETE", "/api/v1/user/robots/brief", "")
	s.add("robot", "the secret of a deleted robot", "GET", login, 401, "UNAUTHORIZED", basicOf("mallory+brief", robot))
	s.add("a registry token", "the registry token of a deleted robot", "GET", "/v2/", 401, "UNAUTHORIZED", bearer(granted))
}

// federated: tokens of issuers that are not what the robot trusts, and passes in the wrong place.
func (s *siege) federated() {
	thief := issuertest.Start(s.t)
	good := s.f.job(s.t)
	pass := s.f.pass(s.t, good)
	s.secrets = append(s.secrets, pass, good)
	s.api(s.mallory, "PUT", "/api/v1/user/robots/other", "{}")
	parts := strings.Split(good, ".")
	now := time.Now()
	hmac := issuertest.Sign(s.t, jose.SigningKey{Algorithm: jose.HS256, Key: s.f.PublicKey(s.t)}, map[string]any{
		"iss": s.f.URL, "sub": jobSubject, "aud": abuseHost, "iat": now.Unix(), "exp": now.Add(time.Minute).Unix(),
	})
	robot := func(name, token string) {
		s.add("an issuer's token", name, "GET", exchangePath, 401, "error", basicOf("alice+bot", token))
	}
	robot("federation: alg none", encoded(map[string]any{"alg": "none"})+"."+parts[1]+".")
	robot("federation: HS256 with the issuer's public key", hmac)
	robot("federation: without its signature", parts[0]+"."+parts[1]+".")
	robot("federation: for another service", s.f.job(s.t, "aud", "other.example"))
	robot("federation: another issuer", s.f.job(s.t, "iss", thief.URL))
	robot("federation: another subject", s.f.job(s.t, "sub", jobSubject+"x"))
	robot("federation: expired", s.f.job(s.t, "exp", now.Add(-time.Minute).Unix()))
	robot("federation: of the future", s.f.job(s.t, "iat", now.Add(time.Hour).Unix()))
	robot("federation: signed by another issuer", thief.Sign(s.t, map[string]any{"iss": s.f.URL, "sub": jobSubject, "aud": abuseHost, "exp": now.Add(time.Minute).Unix()}))
	robot("federation: the robot's own secret", s.robot)
	robot("federation: a pass in place of the issuer's token", pass)
	robot("federation: nothing", "")
	s.add("", "federation: without credentials", "GET", exchangePath, 401, "error")
	s.add("an issuer's token", "federation: for a robot that trusts nobody", "GET", exchangePath, 401, "error", basicOf("mallory+other", good))
	s.add("an issuer's token", "federation: for a robot that does not exist", "GET", exchangePath, 401, "error", basicOf("alice+none", good))
	s.add("an issuer's token", "federation: for a user", "GET", exchangePath, 401, "error", basicOf("alice", good))
	s.add("an issuer's token", "federation: an issuer's token as a registry token", "GET", "/v2/", 401, "UNAUTHORIZED", "Authorization: Bearer "+good)
	s.add("an issuer's token", "federation: an issuer's token at the API", "GET", "/api/v1/user/", 401, "invalid_token", "Authorization: Bearer "+good)
	s.add("a pass", "federation: a pass by another robot", "GET", "/v2/auth", 401, "UNAUTHORIZED", basicOf("mallory+other", pass))
	s.add("a pass", "federation: a pass by a user", "GET", "/v2/auth", 401, "UNAUTHORIZED", basicOf("alice", pass))
	s.add("a pass", "federation: a pass at the API", "GET", "/api/v1/user/", 401, "invalid_token", "Authorization: Bearer "+pass)
	s.add("a pass", "federation: a pass grants nothing by itself", "GET", "/v2/alice/app/manifests/v1", 401, "UNAUTHORIZED", "Authorization: Bearer "+pass)
	s.add("a registry token", "federation: a registry token in place of the robot's secret", "GET", "/v2/auth", 401, "UNAUTHORIZED",
		basicOf("alice+bot", tokenIn(s.t, s.must(s.t, attack{method: "GET", path: "/v2/auth?service=" + abuseHost, header: []string{"Authorization: " + s.basic("robot")}}, 200))))
	impostor := issuertest.Start(s.t)
	impostor.Claim(s.f.URL)
	s.f.trust(s.t, identity.TrustRule{Issuer: s.f.URL, Subject: jobSubject}, identity.TrustRule{Issuer: impostor.URL, Subject: jobSubject})
	s.add("an issuer's token", "federation: an issuer whose discovery names another", "GET", exchangePath, 401, "error",
		basicOf("alice+bot", impostor.Sign(s.t, map[string]any{"iss": impostor.URL, "sub": jobSubject, "aud": abuseHost, "iat": now.Unix(), "exp": now.Add(time.Hour).Unix()})))
	s.add("a pass", "federation: a pass of before the rules changed", "GET", "/v2/auth", 401, "UNAUTHORIZED", basicOf("alice+bot", pass))
	s.add("a pass", "federation: a pass in place of the robot's secret", "GET", "/v2/auth", 200, "", basicOf("alice+bot", s.f.pass(s.t, s.f.job(s.t))))
}

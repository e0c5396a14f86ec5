package rest

import "html/template"

// pageStyle is the whole style of the pages. Colours have a contrast of at least 7:1; the ring around what has the
// focus is never taken away.
const pageStyle = `:root{color-scheme:light dark}body{font:1rem/1.5 system-ui,sans-serif;margin:0;padding:2rem 1rem;color:#1b1b1b;background:#fff}` +
	`main{max-width:38rem;margin:0 auto}h1{font-size:1.5rem;line-height:1.25}dt{font-weight:600}dd{margin:0 0 .75rem}code{font-size:1.05em;overflow-wrap:anywhere}` +
	`.mark{border-left:.25rem solid #a30000;padding-left:.75rem}form{display:inline-block;margin:1rem 1rem 0 0}button{font:inherit;padding:.5rem 1.25rem;border:1px solid #06c;border-radius:.25rem;background:#004d99;color:#fff;cursor:pointer}` +
	`button.second{background:#fff;color:#004d99}:focus-visible{outline:.2rem solid #b35900;outline-offset:.15rem}` +
	`@media (prefers-color-scheme:dark){body{color:#f0f0f0;background:#151515}button.second{background:#151515;color:#9cf}.mark{border-color:#f88}}`

const (
	pageHead = `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{.Title}}</title>
<style>` + pageStyle + `</style>
</head>
<body>
<main>
<h1>{{.Title}}</h1>
`
	pageFoot = `</main>
</body>
</html>
`
)

// consentPage asks a user whether an application gets a token.
var consentPage = template.Must(template.New("consent").Parse(pageHead + `<p><strong>{{.Application.Name}}</strong> of the organization <strong>{{.Application.Organization.Name}}</strong> asks for access to this registry in the name of <strong>{{.User}}</strong>.</p>
{{with .Application.Description}}<p>{{.}}</p>
{{end}}<h2>It will be able to</h2>
<dl>
{{range .Scopes}}<dt>{{.Title}} <code>{{.Scope}}</code></dt>
<dd{{if .Dangerous}} class="mark"{{end}}>{{.Description}}{{if .Dangerous}} <strong>This is far-reaching.</strong>{{end}}</dd>
{{end}}</dl>
<p>Afterwards you are taken to <code>{{.Target}}</code>. The access lasts until you revoke it among your authorizations.</p>
<form method="post" action="/oauth/authorizeapp">
{{template "fields" .}}<button type="submit">Authorize {{.Application.Name}}</button>
</form>
<form method="post" action="/oauth/denyapp">
{{template "fields" .}}<button type="submit" class="second">Deny</button>
</form>
` + pageFoot + `{{define "fields"}}<input type="hidden" name="client_id" value="{{.ClientID}}">
<input type="hidden" name="redirect_uri" value="{{.Redirect}}">
<input type="hidden" name="scope" value="{{.Scope}}">
<input type="hidden" name="response_type" value="{{.ResponseType}}">
<input type="hidden" name="state" value="{{.State}}">
<input type="hidden" name="assignment_uuid" value="{{.Assignment}}">
<input type="hidden" name="_csrf_token" value="{{.CSRF}}">
{{end}}`))

// notePage says one thing.
var notePage = template.Must(template.New("note").Parse(pageHead + `<p>{{.Text}}</p>
` + pageFoot))

// signInFirstPage leads to the sign-in and from there back.
var signInFirstPage = template.Must(template.New("sign in first").Parse(pageHead + `<p>{{.Text}}</p>
<p><a href="{{.Link}}">Sign in</a></p>
` + pageFoot))

// signedInPage goes on by itself (its Refresh header says where), and has a link for browsers that do not.
var signedInPage = template.Must(template.New("signed in").Parse(pageHead + `<p><a href="{{.Link}}">Go on</a></p>
` + pageFoot))

// signInPage takes a name and a password.
var signInPage = template.Must(template.New("sign in").Parse(pageHead + `{{with .Error}}<p class="mark" role="alert">{{.}}</p>
{{end}}<form method="post" action="/signin">
<input type="hidden" name="next" value="{{.Next}}">
<input type="hidden" name="_csrf_token" value="{{.CSRF}}">
<p><label>User name or e-mail address<br><input name="username" value="{{.Username}}" autocomplete="username" maxlength="255" required></label></p>
<p><label>Password<br><input type="password" name="password" autocomplete="current-password" maxlength="1024" required></label></p>
<button type="submit">Sign in</button>
</form>
` + pageFoot))

// invitationPage asks a user whether to become a member of a team.
var invitationPage = template.Must(template.New("invitation").Parse(pageHead + `<p>You are signed in as <strong>{{.User}}</strong>, and are invited to the team <strong>{{.Team}}</strong> of the organization <strong>{{.Organization}}</strong>. Its members get what the team may do.</p>
<form method="post" action="/confirminvite">
<input type="hidden" name="code" value="{{.Code}}">
<input type="hidden" name="_csrf_token" value="{{.CSRF}}">
<button type="submit" name="answer" value="accept">Join the team</button>
<button type="submit" name="answer" value="decline" class="second">Decline</button>
</form>
` + pageFoot))

// placePage stands where the console shows a repository or a namespace.
var placePage = template.Must(template.New("place").Parse(pageHead + `{{with .Pull}}<p><code>docker pull {{.}}</code></p>
{{end}}<p>The web console that shows more comes with a later version; until then the API at <code>/api/v1</code> does.</p>
` + pageFoot))

// tokenPage shows a token that was made for the person who looks at it.
var tokenPage = template.Must(template.New("token").Parse(pageHead + `<p>This is your new access token. It is shown this once; keep it where you keep passwords.</p>
<p><code>{{.Token}}</code></p>
<p>Send it as <code>Authorization: Bearer …</code> to the API, or sign in to the registry as <code>$oauthtoken</code> with it as the password.</p>
` + pageFoot))

type note struct{ Title, Text string }

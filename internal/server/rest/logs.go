package rest

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/longshore-registry/longshore/internal/access"
	"github.com/longshore-registry/longshore/internal/audit"
	"github.com/longshore-registry/longshore/internal/identity"
	"github.com/longshore-registry/longshore/internal/problem"
)

// logsPerPage is the size of a page of the action log.
const logsPerPage = 20

// logForms are the objects whose log can be read, with the permission that reading it and exporting it take.
type logForm struct {
	path, name      string // of the operation: get{name}Logs
	what            string
	shown, exported need
	freshLogin      bool
}

func logForms() []logForm {
	return []logForm{
		{path: "/api/v1/repository/{repository}", name: "Repo", what: "a repository", shown: repository(access.InspectRepository, identity.ScopeRepoAdmin), exported: repository(access.Administer, identity.ScopeRepoAdmin)},
		{path: "/api/v1/user", name: "User", what: "the own namespace", shown: account(access.AdministerAccount, identity.ScopeUserAdmin), exported: account(access.AdministerAccount, identity.ScopeUserAdmin)},
		{path: "/api/v1/organization/{orgname}", name: "Org", what: "an organization", shown: organization(access.InspectNamespace), exported: organization(access.AdministerNamespace)},
		{path: "/api/v1/superuser", name: "All", what: "the registry", shown: inspectors(), freshLogin: true},
	}
}

// logRoutes read the log of each form. Reading is allowed while the registry is read-only, whatever the action is called.
func (a *API) logRoutes() []*route {
	counts, export := 0, 0
	if !a.options.LogCounts {
		counts = http.StatusNotFound
	}
	if !a.options.LogExport {
		export = http.StatusMethodNotAllowed
	}
	var all []*route
	for _, f := range logForms() {
		list, count := "list"+f.name+"Logs", "getAggregate"+f.name+"Logs"
		all = append(all, &route{
			Method: http.MethodGet, Path: f.path + "/logs", ID: list, Summary: "The action log of " + f.what + ", newest first",
			Need: f.shown, FreshLogin: f.freshLogin, ReadOnlyOK: true,
			Handler: handle(func(ctx context.Context, c *Call, in *logsInput) (*logsOutput, error) {
				return a.listLogs(ctx, c, list, f, in)
			}),
		}, &route{
			Method: http.MethodGet, Path: f.path + "/aggregatelogs", ID: count, Summary: "Numbers of log entries of " + f.what + " by kind and day", Off: counts,
			Need: f.shown, FreshLogin: f.freshLogin, ReadOnlyOK: true,
			Handler: handle(func(ctx context.Context, c *Call, in *logsInput) (*countsOutput, error) {
				return a.countLogs(ctx, c, f, in)
			}),
		})
		if f.exported.on != 0 {
			all = append(all, &route{
				Method: http.MethodPost, Path: f.path + "/exportlogs", ID: "export" + f.name + "Logs", Summary: "Export the action log of " + f.what, Off: export,
				Status: http.StatusOK, Need: f.exported, MaxBody: smallBody, Handler: handle(a.exportLogs),
			})
		}
	}
	return all
}

type logsInput struct {
	Start     string `query:"starttime" maxLength:"64" doc:"MM/DD/YYYY, a day in UTC; default: yesterday"`
	End       string `query:"endtime" maxLength:"64" doc:"MM/DD/YYYY, the last day; default: today"`
	Performer string `query:"performer" maxLength:"255" doc:"only what this account did; not for repositories"`
	NextPage  string `query:"next_page" maxLength:"1024" doc:"from the page before"`
}

// logView is an entry. namespace is there in the registry's log only, performer unless nobody is known.
type logView struct {
	Kind      string          `json:"kind"`
	Metadata  json.RawMessage `json:"metadata"`
	IP        *string         `json:"ip"`
	Datetime  string          `json:"datetime" doc:"RFC 822 date"`
	Performer *performerView  `json:"performer,omitempty"`
	Namespace *namespaceView  `json:"namespace,omitempty"`
}

type performerView struct {
	Kind    string `json:"kind" enum:"user"`
	Name    string `json:"name"`
	IsRobot bool   `json:"is_robot"`
	Avatar  avatar `json:"avatar"`
}

type namespaceView struct {
	Kind   string `json:"kind" enum:"user,org"`
	Name   string `json:"name"`
	Avatar avatar `json:"avatar"`
}

type logsOutput struct {
	Body struct {
		StartTime string    `json:"start_time" doc:"RFC 822 date"`
		EndTime   string    `json:"end_time" doc:"RFC 822 date: the end of the last day"`
		Logs      []logView `json:"logs"`
		NextPage  string    `json:"next_page,omitempty"`
	}
}

type countView struct {
	Kind     string `json:"kind"`
	Count    int64  `json:"count"`
	Datetime string `json:"datetime" doc:"RFC 822 date"`
}

type countsOutput struct {
	Body struct {
		Aggregated []countView `json:"aggregated"`
	}
}

func (a *API) listLogs(ctx context.Context, c *Call, operation string, f logForm, in *logsInput) (*logsOutput, error) {
	q, nobody, err := a.logQuery(ctx, c, in)
	if err != nil {
		return nil, err
	}
	var after *audit.Cursor
	if in.NextPage != "" {
		after = &audit.Cursor{}
		if err := a.pages.decode(operation, in.NextPage, after); err != nil {
			return nil, err
		}
	}
	out := &logsOutput{}
	out.Body.StartTime, out.Body.EndTime, out.Body.Logs = rfc822(q.From), rfc822(q.To), []logView{}
	if nobody {
		return out, nil
	}
	a.flushLogs(ctx)
	page, err := a.options.Audit.List(ctx, q, after, logsPerPage)
	if err != nil {
		return nil, err
	}
	for _, e := range page.Entries {
		out.Body.Logs = append(out.Body.Logs, newLogView(e, f.shown.on == onRegistry))
	}
	if page.Next != nil {
		out.Body.NextPage, err = a.pages.encode(operation, page.Next)
	}
	return out, err
}

func (a *API) countLogs(ctx context.Context, c *Call, _ logForm, in *logsInput) (*countsOutput, error) {
	q, nobody, err := a.logQuery(ctx, c, in)
	if err != nil {
		return nil, err
	}
	out := &countsOutput{}
	out.Body.Aggregated = []countView{}
	if nobody {
		return out, nil
	}
	a.flushLogs(ctx)
	counts, err := a.options.Audit.Counts(ctx, q)
	if err != nil {
		return nil, err
	}
	for _, n := range counts {
		out.Body.Aggregated = append(out.Body.Aggregated, countView{Kind: n.Kind, Count: n.Count, Datetime: rfc822(n.Day)})
	}
	return out, nil
}

// flushFor is how long a list waits for the pulls before it to be stored. When much waits the list comes without them.
const flushFor = 2 * time.Second

// flushLogs makes a list show the pulls that were answered before. What cannot be stored now the log itself reports.
func (a *API) flushLogs(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, flushFor)
	defer cancel()
	_ = a.options.Audit.Flush(ctx)
}

// logQuery is which entries a call is about. nobody says that there are none, because the performer does not exist.
func (a *API) logQuery(ctx context.Context, c *Call, in *logsInput) (q audit.Query, nobody bool, err error) {
	if q.From, q.To, err = logSpan(in.Start, in.End, a.options.Clock()); err != nil {
		return q, false, err
	}
	switch {
	case c.Repository.ID != 0:
		q.RepositoryID, q.NamespaceID = c.Repository.ID, c.Repository.NamespaceID
		return q, false, nil
	case c.Organization.ID != 0:
		q.NamespaceID = c.Organization.ID
	case !c.registryWide:
		q.NamespaceID, q.Without = c.Principal.Account.ID, audit.ServiceKeyKinds()
	}
	if in.Performer == "" {
		return q, false, nil
	}
	who, err := a.options.Identity.Account(ctx, in.Performer)
	if problem.Is(err, problem.NotFound) {
		return q, true, nil
	}
	q.PerformerID = who.ID
	return q, false, err
}

// logSpan reads the days of a query: from the beginning of the first to the end of the last. What is no date counts as
// not given, as in Quay.
func logSpan(start, end string, now time.Time) (from, to time.Time, err error) {
	const form = "01/02/2006"
	today := now.UTC().Truncate(24 * time.Hour)
	if from, err = time.Parse(form, start); err != nil {
		from = today.AddDate(0, 0, -1)
	}
	if to, err = time.Parse(form, end); err != nil {
		to = today
	}
	if to.Before(from) {
		return from, to, invalidRequest("Invalid time span selected")
	}
	return from, to.AddDate(0, 0, 1), nil
}

func newLogView(e audit.Recorded, withNamespace bool) logView {
	v := logView{Kind: e.Kind, Metadata: e.Metadata, Datetime: rfc822(e.At)}
	if e.IP != "" {
		v.IP = &e.IP
	}
	if p := e.Performer; p != nil {
		v.Performer = &performerView{Kind: "user", Name: p.Name, IsRobot: p.Kind == identity.Robot, Avatar: accountAvatar(partyAccount(p))}
	}
	if p := e.Namespace; p != nil && withNamespace {
		v.Namespace = &namespaceView{Kind: "user", Name: p.Name, Avatar: accountAvatar(partyAccount(p))}
		if p.Kind == identity.Organization {
			v.Namespace.Kind = "org"
		}
	}
	return v
}

func partyAccount(p *audit.Party) identity.Account {
	return identity.Account{ID: p.ID, Name: p.Name, Kind: p.Kind, Email: p.Email}
}

package rest

import (
	"context"
	"strings"

	"github.com/longshore-registry/longshore/internal/audit"
	"github.com/longshore-registry/longshore/internal/outbound"
	"github.com/longshore-registry/longshore/internal/problem"
	"github.com/longshore-registry/longshore/internal/server/logexport"
)

type exportLogsInput struct {
	Start string `query:"starttime" maxLength:"64" doc:"MM/DD/YYYY, a day in UTC; default: yesterday"`
	End   string `query:"endtime" maxLength:"64" doc:"MM/DD/YYYY, the last day; default: today"`
	Body  struct {
		CallbackURL   string `json:"callback_url,omitempty" maxLength:"2048" doc:"is told when the export is finished"`
		CallbackEmail string `json:"callback_email,omitempty" maxLength:"254"`
	}
}

type exportLogsOutput struct {
	Body struct {
		ID string `json:"export_id" doc:"the finished export is at /exportedlogs/{export_id} for a day"`
	}
}

// exportLogs queues an export of the log of what the call is about.
func (a *API) exportLogs(ctx context.Context, c *Call, in *exportLogsInput) (*exportLogsOutput, error) {
	q, _, err := a.logQuery(ctx, c, &logsInput{Start: in.Start, End: in.End})
	if err != nil {
		return nil, err
	}
	if err := a.checkCallbacks(ctx, in); err != nil {
		return nil, err
	}
	details := audit.ExportDetails{StartTime: rfc822(q.From), EndTime: rfc822(q.To)}
	switch {
	case c.Repository.ID != 0:
		details.Namespace, details.Repository = &c.Repository.Namespace, &c.Repository.Name
	case c.Organization.ID != 0:
		details.Namespace = &c.Organization.Name
	default:
		details.Namespace = &c.Principal.Account.Name
	}
	record := *c.Record
	out := &exportLogsOutput{}
	out.Body.ID, err = a.options.Exports.Start(logexport.Request{
		Query: q, Details: details, CallbackURL: in.Body.CallbackURL, CallbackEmail: in.Body.CallbackEmail,
		Entry: func(e audit.Recorded) any { return newLogView(e, false) },
		Date:  rfc822, URL: record.URL,
		Actor: audit.ActorFor(c.Principal, c.Record.ClientIP, ""),
	})
	return out, err
}

func (a *API) checkCallbacks(ctx context.Context, in *exportLogsInput) error {
	if email := in.Body.CallbackEmail; email != "" {
		switch {
		case !strings.Contains(email, "@"):
			return invalidRequest("Invalid callback e-mail")
		case !a.options.Exports.Mails():
			return invalidRequest("Invalid callback e-mail: this registry sends no mail")
		}
	}
	if in.Body.CallbackURL == "" {
		return nil
	}
	err := a.options.Exports.CheckCallback(ctx, in.Body.CallbackURL)
	switch {
	case problem.HasCode(err, outbound.CodeUnresolved):
		return invalidRequest("%s", problem.From(err).Message)
	case problem.Is(err, problem.Invalid):
		return invalidRequest("Invalid callback URL")
	}
	return err
}

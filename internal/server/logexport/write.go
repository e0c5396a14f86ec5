package logexport

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/longshore-registry/longshore/internal/audit"
)

const (
	callTimeout = 30 * time.Second
	callTries   = 3
	callPause   = 5 * time.Second
	lookBytes   = 1 << 20 // after this much the room on the disk is looked at
)

// export writes one export, records how it went, and tells who asked.
func (x *Exporter) export(ctx context.Context, r Request) {
	result := Result{
		ID: r.id, StartTime: r.Details.StartTime, EndTime: r.Details.EndTime,
		Namespace: r.Details.Namespace, Repository: r.Details.Repository, Status: "success",
	}
	n, missing, err := x.write(ctx, r)
	x.finished(r)
	if err == nil {
		address := r.URL("/exportedlogs/" + r.id)
		result.URL = &address
		if !missing.IsZero() {
			result.Missing = r.Date(missing)
		}
	} else {
		result.Status = "failed"
		if errors.Is(err, context.DeadlineExceeded) {
			result.Status = "timedout"
		}
		x.options.Logger.Warn("an export of the action log failed", "status", result.Status, "error", err)
	}
	if ctx.Err() != nil { // the process stops: there is a moment left to say so
		late, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewell)
		defer cancel()
		ctx = late
	}
	if err := x.record(ctx, r, result, n); err != nil {
		x.options.Logger.Warn("an export of the action log could not be recorded", "error", err)
	}
	if err := x.tell(ctx, r, result); err != nil {
		x.options.Logger.Warn("who asked for an export of the action log could not be told", "error", err)
	}
}

// write writes the file under another name first, so that what can be fetched is whole. missing is the time of the
// oldest entry in it if it ends there for want of room.
func (x *Exporter) write(ctx context.Context, r Request) (n int64, missing time.Time, err error) {
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	if err := x.makeRoom(); err != nil {
		return 0, missing, fmt.Errorf("make room for an export: %w", err)
	}
	final := x.newPath(r)
	file, err := os.OpenFile(final+partial, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return 0, missing, fmt.Errorf("make the file of an export: %w", err)
	}
	defer func() {
		_ = file.Close()
		if err != nil {
			_ = os.Remove(final + partial)
		}
	}()
	looked := int64(0)
	what := audit.Export{ID: r.id, Details: r.Details, Enough: func(bytes int64, last audit.Recorded) bool {
		enough := bytes >= x.options.MaxFile
		if bytes-looked >= lookBytes {
			looked, enough = bytes, enough || !x.hasRoom()
		}
		if enough {
			missing = last.At
		}
		return enough
	}}
	if n, err = x.options.Log.WriteExport(ctx, file, what, r.Query, r.Entry); err != nil {
		return n, missing, err
	}
	now := x.options.Clock()
	if err = os.Chtimes(final+partial, now, now); err != nil {
		return n, missing, err
	}
	return n, missing, os.Rename(final+partial, final)
}

// record writes export_logs_success or export_logs_failure. The identifier stays out of it: it is the key to the file.
func (x *Exporter) record(ctx context.Context, r Request, result Result, n int64) error {
	kind := audit.ExportLogsFailure
	if result.Status == "success" {
		kind = audit.ExportLogsSuccess
	}
	fields := []audit.Field{
		audit.Text("status", result.Status), audit.Text("start_time", result.StartTime), audit.Text("end_time", result.EndTime),
		audit.Int("entries", n),
	}
	if result.Missing != "" {
		fields = append(fields, audit.Text("missing_before", result.Missing))
	}
	for name, value := range map[string]*string{"namespace": r.Details.Namespace, "repo": r.Details.Repository} {
		if value != nil {
			fields = append(fields, audit.Text(name, *value))
		}
	}
	return x.options.Log.Record(audit.WithActor(ctx, r.Actor), audit.Entry{
		Kind: kind, NamespaceID: r.Query.NamespaceID, RepositoryID: r.Query.RepositoryID, Metadata: fields,
	})
}

func (x *Exporter) tell(ctx context.Context, r Request, result Result) error {
	var errs []error
	if r.CallbackURL != "" {
		errs = append(errs, x.call(ctx, r.CallbackURL, result))
	}
	if r.CallbackEmail != "" && x.options.Mail != nil {
		link := ""
		if result.URL != nil {
			link = *result.URL
		}
		errs = append(errs, x.options.Mail.LogsExported(ctx, r.CallbackEmail, result.whose(), result.Status, link, result.Missing, Life))
	}
	return errors.Join(errs...)
}

// whose is the namespace or the repository that the log is of.
func (r Result) whose() string {
	var names []string
	for _, name := range []*string{r.Namespace, r.Repository} {
		if name != nil {
			names = append(names, *name)
		}
	}
	return strings.Join(names, "/")
}

// call posts the result to the callback, which must answer 200. It tries a few times.
func (x *Exporter) call(ctx context.Context, address string, result Result) error {
	body, err := json.Marshal(result)
	if err != nil {
		return err
	}
	for try := 1; ; try++ {
		err := x.post(ctx, address, body)
		if err == nil || try == callTries {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(callPause):
		}
	}
}

func (x *Exporter) post(ctx context.Context, address string, body []byte) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	answer, err := x.client.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, 64<<10))
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("the callback answered %d, expected 200", answer.StatusCode)
	}
	return nil
}

package audit

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"

	"github.com/longshore-registry/longshore/internal/db"
)

// exportRows are read at once.
const exportRows = 1000

// All gives every entry of a query, the newest first, read in slices while they are asked for. After an error there is
// nothing more. Entries that are stored meanwhile may be missing.
func (l *Log) All(ctx context.Context, q Query) iter.Seq2[Recorded, error] {
	return func(yield func(Recorded, error) bool) {
		at, enough := begin(q, nil), false
		err := l.overMonths(ctx, q, at, func(all []month) error {
			for len(all) > 0 && !enough {
				entries, err := l.entries(ctx, q, all[:1], at, exportRows)
				if err != nil {
					return err
				}
				for i := 0; i < len(entries) && !enough; i++ {
					at = Cursor{AtMS: entries[i].atMS, ID: entries[i].id}
					enough = !yield(entries[i].Recorded, nil)
				}
				if len(entries) < exportRows {
					all = all[1:]
				}
			}
			return nil
		})
		if err != nil {
			yield(Recorded{}, fmt.Errorf("export the action log: %w", err))
		}
	}
}

// Export names what WriteExport writes.
type Export struct {
	ID      string        `json:"export_id"`
	Details ExportDetails `json:"details"`
	// Enough is asked after each entry, with the bytes of all entries so far, whether older ones are to be left out; nil
	// for never.
	Enough func(bytes int64, last Recorded) bool `json:"-"`
}

// ExportDetails are Quay's, with times as the API writes them. Namespace and repository are null when none was asked for.
type ExportDetails struct {
	StartTime  string  `json:"start_time"`
	EndTime    string  `json:"end_time"`
	Namespace  *string `json:"namespace"`
	Repository *string `json:"repository"`
}

// WriteExport writes the entries of a query as Quay's export file does: one JSON object whose "logs" ends with a
// terminator, so that a file that was cut off is known by it. Where Enough ended it a member "truncated" follows. entry gives the JSON form of an entry. The number of
// entries comes back, also with an error.
func (l *Log) WriteExport(ctx context.Context, w io.Writer, x Export, q Query, entry func(Recorded) any) (int64, error) {
	ctx = db.Heavy(ctx)
	out := bufio.NewWriterSize(w, 64<<10)
	details, err := json.Marshal(x.Details)
	if err != nil {
		return 0, err
	}
	id, err := json.Marshal(x.ID)
	if err != nil {
		return 0, err
	}
	_, _ = fmt.Fprintf(out, `{"export_id": %s, "details": %s, "logs": [`, id, details) // Flush reports it
	var n, bytes int64
	end := `{"terminator": true}]}`
	for e, err := range l.All(ctx, q) {
		if err != nil {
			return n, err
		}
		line, err := json.Marshal(entry(e))
		if err != nil {
			return n, err
		}
		if _, err := out.Write(append(line, ",\n"...)); err != nil {
			return n, fmt.Errorf("write the export: %w", err)
		}
		n++
		if bytes += int64(len(line)); x.Enough != nil && x.Enough(bytes, e) {
			end = `{"terminator": true}], "truncated": true}`
			break
		}
	}
	_, _ = out.WriteString(end)
	if err := out.Flush(); err != nil {
		return n, fmt.Errorf("write the export: %w", err)
	}
	return n, nil
}

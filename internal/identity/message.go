package identity

import (
	"context"
	"fmt"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/problem"
)

// maxMessages bounds the banners, which every page shows.
const maxMessages = 100

// Message is a banner for everybody.
type Message struct {
	UUID      string
	Content   string
	Severity  string // info, warning or error
	MediaType string // text/plain or text/markdown
}

// Messages lists the banners in the order in which they were made.
func (s *Service) Messages(ctx context.Context) ([]Message, error) {
	rows, err := s.read.Query(ctx, `SELECT uuid, content, severity, media_type FROM message ORDER BY id LIMIT $1`, maxMessages)
	if err != nil {
		return nil, fmt.Errorf("list the messages: %w", err)
	}
	defer rows.Close()
	var all []Message
	for rows.Next() {
		var m Message
		if err := rows.Scan(&m.UUID, &m.Content, &m.Severity, &m.MediaType); err != nil {
			return nil, fmt.Errorf("list the messages: %w", err)
		}
		all = append(all, m)
	}
	return all, rows.Err()
}

// CreateMessage makes a banner. It is Invalid when there are too many.
func (s *Service) CreateMessage(ctx context.Context, m Message) error {
	return s.db.Hard(ctx, "create message", func(ctx context.Context, tx db.Tx) error {
		n, err := tx.Exec(ctx, `INSERT INTO message (uuid, content, severity, media_type)
			SELECT CAST($1 AS TEXT), CAST($2 AS TEXT), CAST($3 AS TEXT), CAST($4 AS TEXT) WHERE (SELECT COUNT(*) FROM message) < $5`,
			newUUID(), m.Content, m.Severity, m.MediaType, maxMessages)
		if err != nil {
			return fmt.Errorf("create a message: %w", err)
		}
		if n == 0 {
			return problem.New(problem.Invalid, "There are %d messages already, which is the limit: delete one first", maxMessages)
		}
		return nil
	})
}

// DeleteMessage removes a banner; one that does not exist is removed already.
func (s *Service) DeleteMessage(ctx context.Context, uuid string) error {
	return s.db.Hard(ctx, "delete message", func(ctx context.Context, tx db.Tx) error {
		if _, err := tx.Exec(ctx, `DELETE FROM message WHERE uuid = $1`, uuid); err != nil {
			return fmt.Errorf("delete a message: %w", err)
		}
		return nil
	})
}

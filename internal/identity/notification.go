package identity

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/problem"
)

// Notification is a note in the console: for a user, or for the administrators of an organization.
type Notification struct {
	UUID         string
	Kind         string // Quay's name, such as org_team_invite
	Organization string // empty for a user's own
	Metadata     json.RawMessage
	Dismissed    bool
	Created      time.Time
}

// NewNotification is a notification to be made.
type NewNotification struct {
	AccountID int64
	Kind      string
	Metadata  map[string]any
	Lookup    string // finds it again, empty for none; see DropNotificationsTx
}

// NotifyTx makes a notification in the transaction of what it is about.
func (s *Service) NotifyTx(ctx context.Context, tx db.Tx, n NewNotification) error {
	metadata, err := json.Marshal(n.Metadata)
	if err != nil {
		return err
	}
	if n.Metadata == nil {
		metadata = []byte("{}")
	}
	_, err = tx.Exec(ctx, `INSERT INTO notification (uuid, kind, account_id, metadata, lookup_path, created_ms) VALUES ($1, $2, $3, $4, $5, $6)`,
		newUUID(), n.Kind, n.AccountID, string(metadata), nullText(n.Lookup), s.nowMillis())
	if err != nil {
		return fmt.Errorf("notify account %d: %w", n.AccountID, err)
	}
	return nil
}

// DropNotificationsTx removes the notifications that were made with a Lookup.
func (s *Service) DropNotificationsTx(ctx context.Context, tx db.Tx, lookup string) error {
	if _, err := tx.Exec(ctx, `DELETE FROM notification WHERE lookup_path = $1`, lookup); err != nil {
		return fmt.Errorf("drop notifications: %w", err)
	}
	return nil
}

// notified are the notifications that the user $1 sees: the own ones, and those of organizations that it administers.
const notified = ` FROM notification n
	JOIN account o ON o.id = n.account_id AND o.deleted_ms IS NULL
	WHERE n.account_id IN (
		SELECT CAST($1 AS BIGINT)
		UNION
		SELECT t.organization_id FROM team_member m JOIN team t ON t.id = m.team_id WHERE m.account_id = $1 AND t.role = 1)`

const notificationColumns = `SELECT n.uuid, n.kind, CASE WHEN o.kind = 2 THEN o.name ELSE '' END, n.metadata, n.dismissed, n.created_ms`

func scanNotification(row db.Row) (Notification, error) {
	var n Notification
	var metadata string
	var created int64
	if err := row.Scan(&n.UUID, &n.Kind, &n.Organization, &metadata, &n.Dismissed, &created); err != nil {
		return Notification{}, err
	}
	n.Metadata, n.Created = json.RawMessage(metadata), db.Time(created)
	return n, nil
}

// Notifications lists what a user has not dismissed, newest first, after skipping some.
func (s *Service) Notifications(ctx context.Context, accountID int64, skip, limit int) ([]Notification, error) {
	rows, err := s.read.Query(ctx, notificationColumns+notified+` AND n.dismissed = 0 ORDER BY n.id DESC LIMIT $2 OFFSET $3`, accountID, limit, skip)
	if err != nil {
		return nil, fmt.Errorf("list the notifications of account %d: %w", accountID, err)
	}
	defer rows.Close()
	var all []Notification
	for rows.Next() {
		n, err := scanNotification(rows)
		if err != nil {
			return nil, fmt.Errorf("list the notifications of account %d: %w", accountID, err)
		}
		all = append(all, n)
	}
	return all, rows.Err()
}

// Notification gives one that a user sees; NotFound for any other.
func (s *Service) Notification(ctx context.Context, accountID int64, uuid string) (Notification, error) {
	return notificationTx(ctx, s.read, accountID, uuid)
}

func notificationTx(ctx context.Context, q db.Queryer, accountID int64, uuid string) (Notification, error) {
	n, err := scanNotification(q.QueryRow(ctx, notificationColumns+notified+` AND n.uuid = $2`, accountID, uuid))
	if errors.Is(err, db.ErrNoRows) {
		return Notification{}, problem.New(problem.NotFound, "There is no notification %s", quoted(uuid))
	}
	if err != nil {
		return Notification{}, fmt.Errorf("look up a notification: %w", err)
	}
	return n, nil
}

// DismissNotification hides a notification from lists, or shows it again. One that the user does not see is NotFound.
func (s *Service) DismissNotification(ctx context.Context, accountID int64, uuid string, dismissed bool) (Notification, error) {
	var n Notification
	err := s.db.Hard(ctx, "dismiss notification", func(ctx context.Context, tx db.Tx) (err error) {
		if n, err = notificationTx(ctx, tx, accountID, uuid); err != nil {
			return err
		}
		n.Dismissed = dismissed
		if _, err := tx.Exec(ctx, `UPDATE notification SET dismissed = $1 WHERE uuid = $2`, db.Bool(dismissed), uuid); err != nil {
			return fmt.Errorf("dismiss a notification: %w", err)
		}
		return nil
	})
	return n, err
}

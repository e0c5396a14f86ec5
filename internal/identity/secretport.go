package identity

import "github.com/longshore-registry/longshore/internal/db"

// What package oauth, which keeps applications, needs of what this package keeps of secrets.

// NewSecret gives n random characters A–Z and 0–9, more than five bits each.
func NewSecret(n int) string { return randomToken(n) }

// Seal encrypts a secret that can be shown again as Quay does, with DATABASE_SECRET_KEY.
func (s *Service) Seal(secret string) (string, error) { return s.fields.Encrypt(secret) }

// Open decrypts what Seal made; what names it in the log when DATABASE_SECRET_KEY is not the one it was made with.
func (s *Service) Open(what, sealed string) (string, error) { return s.decrypt(what, sealed) }

// CredentialsChangedTx registers with a transaction that deletes tokens that memory is dropped when it is committed, so
// that they are refused at once.
func (s *Service) CredentialsChangedTx(tx db.Tx) { s.changed(tx) }

package app

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/longshore-registry/longshore/internal/config"
	"github.com/longshore-registry/longshore/internal/problem"
	"github.com/longshore-registry/longshore/internal/secret"
)

// installationKeys are the secrets a configuration may leave out on SQLite. They are made once, kept beside the
// database with mode 0600, and never printed: whoever has them and the database can read stored tokens.
type installationKeys struct {
	SecretKey         string `json:"SECRET_KEY"`
	DatabaseSecretKey string `json:"DATABASE_SECRET_KEY"`
}

// fillKeys takes from the data folder what the configuration leaves out.
func fillKeys(keys *config.Keys, data string) error {
	if keys.Secret.IsSet() && keys.DatabaseSecret.IsSet() {
		return nil
	}
	own, err := loadKeys(data)
	if err != nil {
		return err
	}
	if !keys.Secret.IsSet() {
		keys.Secret = secret.New(own.SecretKey)
	}
	if !keys.DatabaseSecret.IsSet() {
		keys.DatabaseSecret = secret.New(own.DatabaseSecretKey)
	}
	return nil
}

// loadKeys reads <data>/keys.json, making it at the first start.
func loadKeys(data string) (installationKeys, error) {
	path := filepath.Join(data, "keys.json")
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return makeKeys(path)
	}
	if err != nil {
		return installationKeys{}, problem.Wrap(err, problem.Unavailable, "the installation's keys cannot be read")
	}
	var keys installationKeys
	if err := json.Unmarshal(b, &keys); err != nil || keys.SecretKey == "" || keys.DatabaseSecretKey == "" {
		return keys, problem.New(problem.Invalid, "%s is damaged: restore it from a backup; without it stored robot tokens cannot be read", path)
	}
	return keys, nil
}

// makeKeys writes new keys so that they are on disk before anything is encrypted with them, and so that two processes
// that start at once agree on one set.
func makeKeys(path string) (installationKeys, error) {
	keys := installationKeys{SecretKey: rand.Text() + rand.Text(), DatabaseSecretKey: rand.Text() + rand.Text()}
	b, err := json.MarshalIndent(keys, "", "  ")
	if err != nil {
		return keys, err
	}
	file, err := os.CreateTemp(filepath.Dir(path), ".keys-*")
	if err != nil {
		return keys, problem.Wrap(err, problem.Unavailable, "the installation's keys cannot be written")
	}
	defer os.Remove(file.Name())
	_, err = file.Write(append(b, '\n'))
	err = errors.Join(err, file.Sync(), file.Close())
	if err != nil {
		return keys, fmt.Errorf("writing %s: %w", path, err)
	}
	err = os.Link(file.Name(), path) // unlike a rename, a link does not replace what another process made
	if errors.Is(err, fs.ErrExist) {
		return loadKeys(filepath.Dir(path))
	}
	return keys, errors.Join(err, syncFolder(filepath.Dir(path)))
}

func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

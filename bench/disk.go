package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// files calls f for every file under a folder; none for an empty name. Files that go meanwhile are left out.
func files(folder string, f func(path string, info fs.FileInfo) error) error {
	if folder == "" {
		return nil
	}
	return filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		return f(path, info)
	})
}

// size is how many bytes the files under a folder hold.
func size(folder string) (sum int64, err error) {
	err = files(folder, func(_ string, info fs.FileInfo) error {
		sum += info.Size()
		return nil
	})
	return sum, err
}

// removeSince removes the blobs of 1 MiB and more that were written since a time: what a push row left.
func removeSince(folder string, start time.Time) error {
	return files(folder, func(path string, info fs.FileInfo) error {
		if info.Size() < mib || info.ModTime().Before(start) {
			return nil
		}
		if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	})
}

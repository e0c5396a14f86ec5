package app

import (
	"context"
	"fmt"
	"os"

	blobfiles "github.com/longshore-registry/longshore/internal/content/fs"
	"github.com/longshore-registry/longshore/internal/problem"
	"github.com/longshore-registry/longshore/internal/server"
)

// The shares of the data folder's disk that must be free. Below the second nothing can be stored before long, below the
// first hardly anything can already.
const (
	leastFree   = 0.005
	warningFree = 0.05
)

// checks are the parts that the health endpoints report, under Quay's names (rest-api §23). There is one process where
// Quay has two, whose names it answers for: that it answers is all there is to know. There is no Redis.
func (i *installation) checks(s *parts) []server.Check {
	answers := func(context.Context) error { return nil }
	return []server.Check{
		{Name: "registry_gunicorn", Instance: true, Run: answers},
		{Name: "web_gunicorn", Instance: true, Run: answers},
		{Name: "service_key", Instance: true, Run: func(context.Context) error {
			if s.tokens.SigningKey() == "" {
				return problem.New(problem.Unavailable, "there is no key to sign registry tokens with")
			}
			return nil
		}},
		{Name: "database", Instance: true, EndToEnd: true, Run: s.db.Ping},
		{Name: "auth", Instance: true, EndToEnd: true, Run: func(ctx context.Context) error {
			_, err := s.identity.HasUsers(ctx)
			return err
		}},
		{Name: "storage", EndToEnd: true, Run: s.content.Check},
		{Name: "disk_space", Instance: true, Run: func(context.Context) error { return enoughSpace(i.data, leastFree) }},
		{Name: "disk_space_warning", Warning: true, Run: func(context.Context) error { return enoughSpace(i.data, warningFree) }},
	}
}

// enoughSpace fails when a folder is missing or less than a share of its disk is free.
func enoughSpace(folder string, share float64) error {
	if _, err := os.Stat(folder); err != nil {
		return err
	}
	free, total, err := blobfiles.OS{}.Space(folder)
	if err != nil || total == 0 {
		return nil // the system does not say
	}
	if float64(free) < share*float64(total) {
		return fmt.Errorf("%.1f %% of the data folder's disk is free, %.1f %% should be", 100*float64(free)/float64(total), 100*share)
	}
	return nil
}

// hostname is this machine's name, empty when the system does not say.
func (i *installation) hostname() string {
	name, err := os.Hostname()
	if err != nil {
		i.log.Warn("the machine has no name", "error", err)
	}
	return name
}

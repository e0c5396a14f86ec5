package logexport

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"
)

// Finished files are called <identifier>.<account that asked>.json.
const suffix = ".json"

// kept is a finished export.
type kept struct {
	path    string
	account int64
	size    int64
	ms      int64 // when it was finished
}

// newPath is where an account's export will lie.
func (x *Exporter) newPath(r Request) string {
	return filepath.Join(x.options.Dir, fmt.Sprintf("%s.%d%s", r.id, r.Actor.AccountID, suffix))
}

// path is where an export lies; empty for what is no identifier, so that no name leads elsewhere, and for one that is
// not there.
func (x *Exporter) path(id string) string {
	parsed, err := uuid.Parse(id)
	if err != nil || parsed.String() != id {
		return ""
	}
	found, err := filepath.Glob(filepath.Join(x.options.Dir, id+".*"+suffix))
	if err != nil || len(found) == 0 {
		return ""
	}
	return found[0]
}

// shelf lists what is finished, the oldest first.
func (x *Exporter) shelf() (all []kept, err error) {
	entries, err := os.ReadDir(x.options.Dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		name, finished := strings.CutSuffix(e.Name(), suffix)
		info, err := e.Info()
		if !finished || err != nil { // it is gone
			continue
		}
		_, of, _ := strings.Cut(name, ".")
		account, _ := strconv.ParseInt(of, 10, 64) // 0: what somebody has put there
		all = append(all, kept{filepath.Join(x.options.Dir, e.Name()), account, info.Size(), info.ModTime().UnixMilli()})
	}
	slices.SortFunc(all, func(a, b kept) int { return cmp.Compare(a.ms, b.ms) })
	return all, nil
}

// makeRoom removes files until another one of the largest size fits: each time the oldest of the account that holds the
// most, so that nobody's exports push out those of others who have fewer.
func (x *Exporter) makeRoom() error {
	all, err := x.shelf()
	if err != nil {
		return err
	}
	holds, total := map[int64]int64{}, int64(0)
	for _, k := range all {
		holds[k.account] += k.size
		total += k.size
	}
	for total > x.options.MaxAll-x.options.MaxFile && len(all) > 0 {
		most := slices.MaxFunc(all, func(a, b kept) int { return cmp.Compare(holds[a.account], holds[b.account]) }).account
		i := slices.IndexFunc(all, func(k kept) bool { return k.account == most })
		if err := os.Remove(all[i].path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		x.options.Logger.Info("an export of logs was removed before its day was over, to make room", "account", most, "bytes", all[i].size)
		holds[most] -= all[i].size
		total -= all[i].size
		all = slices.Delete(all, i, i+1)
	}
	return nil
}

// hasRoom reports whether the disk takes more without touching what is kept free for others.
func (x *Exporter) hasRoom() bool {
	spare, err := x.options.Spare(x.options.Dir)
	return err != nil || spare > 0 // one that does not say is tried
}

package rest

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// tagWindow is how long deleted tags of a namespace can be restored from now on, nil for as before: nothing was asked for,
// or nobody may choose. As in Quay what is chosen must be one of the options.
func (a *API) tagWindow(seconds *int64) (*time.Duration, error) {
	if seconds == nil || !a.options.ChangeTagWindow {
		return nil, nil
	}
	i := slices.IndexFunc(a.options.TagWindows, func(w time.Duration) bool { return int64(w/time.Second) == *seconds })
	if i < 0 {
		allowed := make([]string, len(a.options.TagWindows))
		for i, w := range a.options.TagWindows {
			allowed[i] = strconv.FormatInt(int64(w/time.Second), 10)
		}
		return nil, message(http.StatusBadRequest, "tag_expiration_s: found %d, allowed by TAG_EXPIRATION_OPTIONS: %s", *seconds, strings.Join(allowed, ", "))
	}
	return &a.options.TagWindows[i], nil
}

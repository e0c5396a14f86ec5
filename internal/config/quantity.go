package config

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/longshore-registry/longshore/internal/config/document"
)

// ParseDuration reads Quay's durations: a whole number and one of w, d, h, m (minutes) and s. ok is false for
// anything else and for more than 290 years.
func ParseDuration(text string) (d time.Duration, ok bool) {
	unit := map[byte]time.Duration{
		'w': 7 * 24 * time.Hour, 'd': 24 * time.Hour, 'h': time.Hour, 'm': time.Minute, 's': time.Second,
	}
	n, u, ok := splitUnit(text)
	if !ok || unit[u] == 0 || n > int64(math.MaxInt64/unit[u]) {
		return 0, false
	}
	return time.Duration(n) * unit[u], true
}

// FormatDuration is the shortest text that ParseDuration reads as d, which is whole seconds.
func FormatDuration(d time.Duration) string {
	if d == 0 {
		return "0s"
	}
	for _, u := range []struct {
		name string
		is   time.Duration
	}{{"w", 7 * 24 * time.Hour}, {"d", 24 * time.Hour}, {"h", time.Hour}, {"m", time.Minute}} {
		if d%u.is == 0 {
			return fmt.Sprintf("%d%s", d/u.is, u.name)
		}
	}
	return fmt.Sprintf("%ds", d/time.Second)
}

// ParseSize reads Quay's sizes: a whole number of M (2^20 bytes) or G (2^30 bytes).
func ParseSize(text string) (bytes int64, ok bool) {
	unit := map[byte]int64{'M': 1 << 20, 'G': 1 << 30}
	n, u, ok := splitUnit(text)
	if !ok || unit[u] == 0 || n > math.MaxInt64/unit[u] {
		return 0, false
	}
	return n * unit[u], true
}

// splitUnit cuts a text of digits and one letter.
func splitUnit(text string) (n int64, unit byte, ok bool) {
	if len(text) < 2 {
		return 0, 0, false
	}
	digits := text[:len(text)-1]
	for _, c := range []byte(digits) {
		if c < '0' || c > '9' {
			return 0, 0, false
		}
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	return n, text[len(text)-1], err == nil
}

func duration() valueType[time.Duration] {
	return quantity("duration", "a whole number and w, d, h, m (minutes) or s, such as 2w", `^[0-9]+[wdhms]$`, ParseDuration)
}

func size() valueType[int64] {
	return quantity("size", "a whole number and M or G, such as 20G", `^[0-9]+[MG]$`, ParseSize)
}

func quantity[T any](name, allowed, pattern string, parse func(string) (T, bool)) valueType[T] {
	return valueType[T]{
		name: name, allowed: allowed, schema: object{"type": "string", "pattern": pattern},
		read: func(r *reader, n *document.Node) T {
			value, ok := parse(n.Text)
			if n.Shape != document.Text || !ok {
				r.wrong(n)
			}
			return value
		},
	}
}

package rest

import "time"

// rfc822 is a date as Quay's API writes it, in UTC: "Thu, 01 Jan 1970 00:00:00 -0000".
func rfc822(t time.Time) string { return t.UTC().Format("Mon, 02 Jan 2006 15:04:05 -0000") }

// rfc822OrNull is nil for the zero time.
func rfc822OrNull(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	s := rfc822(t)
	return &s
}

// iso8601 is a date as newer parts of Quay's API write it, in UTC: "1970-01-01T00:00:00Z".
func iso8601(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

// iso8601OrNull is nil for the zero time.
func iso8601OrNull(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	s := iso8601(t)
	return &s
}

package config

import (
	"log/slog"
	"slices"
	"strings"
)

// environment reads what variables say beside the keys.
func (l *loader) environment() {
	if value := strings.ToLower(l.env(envDebugLog)); value == "true" || value == "1" {
		l.config.Observability.LogLevel = slog.LevelDebug
	}
	for _, name := range []string{"QUAY_SERVICES", "QUAY_OVERRIDE_SERVICES"} {
		if l.env(name) != "" {
			l.report.Warnings = append(l.report.Warnings, Finding{File: name, Text: "has no effect; --roles says what a process does"})
		}
	}
}

// scheme is what stands before :// in a database URI, without Quay's driver.
func scheme(uri string) string {
	before, _, _ := strings.Cut(uri, "://")
	return baseScheme(before)
}

// database refuses MySQL and demands, on PostgreSQL, the keys that all processes must share.
func (l *loader) database() {
	d := &l.config.Database
	if l.anyBad("DB_URI") {
		return
	}
	if name := scheme(d.URI.Reveal()); name == "mysql" || name == "mariadb" {
		l.report.Refusals = append(l.report.Refusals, l.at("DB_URI",
			"found %s; allowed: postgresql:// or sqlite:///. The command longshore import moves such a Quay to PostgreSQL; it comes with a later version", name))
		return
	}
	if !d.Postgres() {
		return
	}
	for _, key := range []string{"SECRET_KEY", "DATABASE_SECRET_KEY"} {
		if _, given := l.settings[key]; !given {
			l.mustNot(key, "is missing; PostgreSQL needs it, because several processes may use the database. Keep the one of the Quay that is taken over, else set a random text of 80 characters")
		}
	}
	l.databaseFiles()
}

// storage refuses drivers that this version lacks and puts the locations into reading order.
func (l *loader) storage() {
	const key, order = "DISTRIBUTED_STORAGE_CONFIG", "DISTRIBUTED_STORAGE_PREFERENCE"
	if l.anyBad(key, order) {
		return
	}
	if s, given := l.settings[key]; given {
		l.locations(s)
	}
	st := &l.config.Storage
	ids := make([]string, 0, len(st.Locations))
	for _, location := range st.Locations {
		ids = append(ids, location.ID)
	}
	for _, id := range st.Preference {
		if slices.Contains(ids, id) {
			continue
		}
		defined := "no location is defined"
		if len(ids) > 0 {
			defined = "allowed: " + quoteList(ids)
		}
		l.mustNot(order, "found the location %q, which %s does not define; %s", id, key, defined)
	}
	rank := func(id string) int {
		if i := slices.Index(st.Preference, id); i >= 0 {
			return i
		}
		return len(st.Preference)
	}
	slices.SortStableFunc(st.Locations, func(a, b Location) int { return rank(a.ID) - rank(b.ID) })
}

func (l *loader) locations(s setting) {
	for _, f := range s.value.Fields {
		driver, arguments := f.Value.Items[0], f.Value.Items[1]
		if driver.Text != localStorage {
			l.report.Refusals = append(l.report.Refusals, Finding{s.file, driver.Line, s.name,
				"location " + f.Name + ": the driver " + driver.Text + " is not in this version, which starts only with " + localStorage})
			continue
		}
		for _, a := range arguments.Fields {
			if a.Name != "storage_path" {
				l.report.Warnings = append(l.report.Warnings, Finding{s.file, a.Line, s.name,
					"location " + f.Name + ": LocalStorage has no argument " + a.Name + "; it has no effect"})
			}
		}
	}
}

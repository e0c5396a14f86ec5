package server

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/longshore-registry/longshore/internal/audit"
)

// auditFigures are the action log's counters and gauges.
func auditFigures(namespace string, stats func() audit.Stats) []prometheus.Collector {
	if stats == nil {
		return nil
	}
	counter := func(name, help string, value func(audit.Stats) uint64) prometheus.Collector {
		return prometheus.NewCounterFunc(prometheus.CounterOpts{Namespace: namespace, Name: "action_log_" + name + "_total", Help: help},
			func() float64 { return float64(value(stats())) })
	}
	gauge := func(name, help string, value func(audit.Stats) float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: namespace, Name: "action_log_" + name, Help: help},
			func() float64 { return value(stats()) })
	}
	return []prometheus.Collector{
		counter("recorded", "Entries written in the transaction of a change.", func(s audit.Stats) uint64 { return s.Recorded }),
		counter("pulled", "Entries of pulls and sign-ins taken into the spool.", func(s audit.Stats) uint64 { return s.Pulled }),
		counter("stored", "Entries brought from the spool to the database.", func(s audit.Stats) uint64 { return s.Stored }),
		counter("skipped", "Pulls and sign-ins of namespaces that are not recorded.", func(s audit.Stats) uint64 { return s.Skipped }),
		counter("dropped", "Pulls and sign-ins that went unrecorded because the spool was full.", func(s audit.Stats) uint64 { return s.Dropped }),
		counter("refused", "Pulls and sign-ins refused because they could not be recorded.", func(s audit.Stats) uint64 { return s.Refused }),
		counter("late", "Entries that reached the database after their month was removed.", func(s audit.Stats) uint64 { return s.Late }),
		counter("uncounted", "Pushes, and pulls that are not recorded, missing in the counts of repositories and tags.", func(s audit.Stats) uint64 { return s.Uncounted }),
		counter("damaged_bytes", "Bytes of spools that could not be read.", func(s audit.Stats) uint64 { return s.Damaged }),
		counter("damaged_files", "Files of spools that could not be read and were set aside.", func(s audit.Stats) uint64 { return s.SetAside }),
		gauge("spool_reserve_bytes", "Room on the disk that is set aside for when the disk is full, not used yet.", func(s audit.Stats) float64 { return float64(s.SpoolReserve) }),
		gauge("spool_bytes", "What the spools hold on disk and in memory.", func(s audit.Stats) float64 { return float64(s.SpoolBytes) }),
		gauge("spool_limit_bytes", "What the spools may hold.", func(s audit.Stats) float64 { return float64(s.SpoolLimit) }),
		gauge("lag_seconds", "Age of the oldest entry that waits in the spool.", func(s audit.Stats) float64 { return s.Lag.Seconds() }),
	}
}

// spoolNote says so when the action log's spool is more than half full, which long before it is full means that the
// database is away or too slow; empty otherwise.
func spoolNote(stats func() audit.Stats) string {
	if stats == nil {
		return ""
	}
	s := stats()
	if s.SpoolLimit <= 0 || s.SpoolBytes <= s.SpoolLimit/2 {
		return ""
	}
	return fmt.Sprintf("the action log's spool holds %d of %d MiB: pulls do not reach the database; when it is full they are refused or go unrecorded",
		s.SpoolBytes>>20, s.SpoolLimit>>20)
}

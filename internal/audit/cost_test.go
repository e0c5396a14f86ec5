package audit

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/longshore-registry/longshore/internal/db/dbtest"
)

// typical is a pull as the registry records it: by one robot of one repository, or of so many namespaces with ten
// repositories and five robots each.
func typical(n, namespaces int, at time.Time) Entry {
	ns := int64(1 + n*7919%namespaces)
	repo, robot := int64(n/3*104729%10), int64(n/5%5)
	if namespaces == 1 {
		repo, robot = 0, 0
	}
	return Entry{
		Kind: PullRepo, At: at, NamespaceID: ns, RepositoryID: 10*ns + repo, PerformerID: 1000 + 5*ns + robot,
		IP: netip.AddrFrom4([4]byte{10, 3, byte(n >> 8), byte(n)}),
		Metadata: []Field{
			Text("repo", fmt.Sprintf("service-%d", repo)), Text("namespace", fmt.Sprintf("team%d", ns)), Text("user-agent", "containerd/2.1.4"),
			Text("manifest_digest", fmt.Sprintf("sha256:%064x", n/20)), Text("username", fmt.Sprintf("team%d+puller%d", ns, robot)),
			Bool("is_robot", true), Text("mediaType", "application/vnd.oci.image.manifest.v1+json"),
		},
	}
}

// BenchmarkPull tells what a pull costs the process from Pulled to the commit, as CPU/pull in µs, in a month that has
// 50,000 already: of one robot in one repository, and of many all over the registry, which touch most pages of the
// indexes. What PostgreSQL's own processes take is not in it.
func BenchmarkPull(b *testing.B) {
	for _, kind := range dbtest.Kinds() {
		for _, namespaces := range []int{1, 100} {
			b.Run(fmt.Sprint(kind, " ", namespaces), func(b *testing.B) { benchmarkPull(b, kind, namespaces) })
		}
	}
}

func benchmarkPull(b *testing.B, kind dbtest.Kind, namespaces int) {
	o := optionsFor(b, dbtest.Open(b, kind), at("2026-11-26 10:00:00"))
	o.storeEvery, o.gather = 0, 0
	l := open(b, o)
	begin := time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC)
	n := 0
	pulls := func(count int) {
		for range count {
			check(b, l.Pulled(typical(n, namespaces, begin.Add(time.Duration(n)*time.Millisecond))))
			if n++; n%2000 == 0 {
				check(b, l.Flush(b.Context()))
			}
		}
		check(b, l.Flush(b.Context()))
	}
	pulls(50_000)
	b.ResetTimer()
	before := cpu(b)
	pulls(b.N)
	b.ReportMetric(float64((cpu(b)-before).Nanoseconds())/1000/float64(b.N), "CPU/pull")
}

// cpu is what the process has used.
func cpu(t testing.TB) time.Duration {
	t.Helper()
	var u unix.Rusage
	check(t, unix.Getrusage(unix.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

package intake

import (
	"math"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
)

const (
	// MinBudget is the smallest budget, in bytes: half of it is what one large body may need.
	MinBudget = 16 << 20
	// maxBudget is the budget where memory is not short.
	maxBudget = 64 << 20
	// memoryShare is the part of a memory limit that a budget takes.
	memoryShare = 8
)

// Suggested is the budget for this process, in bytes: 64 MiB, or an eighth of the memory that GOMEMLIMIT or the
// control group allows, but at least MinBudget.
func Suggested() int64 {
	return suggest(debug.SetMemoryLimit(-1), os.ReadFile)
}

func suggest(limit int64, read func(string) ([]byte, error)) int64 {
	for _, file := range []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"} {
		limit = min(limit, limitIn(file, read))
	}
	return min(max(limit/memoryShare, MinBudget), maxBudget)
}

// limitIn reads a control group's limit; there is none where the file is missing or says "max".
func limitIn(file string, read func(string) ([]byte, error)) int64 {
	text, err := read(file)
	if err != nil {
		return math.MaxInt64
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil || n <= 0 {
		return math.MaxInt64
	}
	return n
}

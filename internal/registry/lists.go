package registry

import (
	"iter"
	"strconv"
	"strings"
)

// maxList is how many values or rows one statement takes.
const maxList = 64

// batches cuts a list into pieces of 1, 2, 4, … 64, the last padded with its last value, so that few statements are
// ever prepared. Padding repeats a value or a row, which is harmless in an IN list and with ON CONFLICT DO NOTHING.
func batches[T any](list []T) iter.Seq[[]T] {
	return func(yield func([]T) bool) {
		for len(list) > 0 {
			n := min(len(list), maxList)
			size := 1
			for size < n {
				size *= 2
			}
			batch := make([]T, size)
			copied := copy(batch, list[:n])
			for i := copied; i < size; i++ {
				batch[i] = list[n-1]
			}
			list = list[n:]
			if !yield(batch) {
				return
			}
		}
	}
}

// values gives n parameters from $first on, as "$3, $4, $5".
func values(first, n int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteByte('$')
		b.WriteString(strconv.Itoa(first + i))
	}
	return b.String()
}

// rows gives parameters for n rows of a VALUES list, as "($1, $2), ($3, $4)".
func rows(n, columns int) string {
	parts := make([]string, n)
	for i := range parts {
		parts[i] = "(" + values(1+i*columns, columns) + ")"
	}
	return strings.Join(parts, ", ")
}

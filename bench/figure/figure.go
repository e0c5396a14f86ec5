// Package figure sums up what several rounds have measured.
package figure

import (
	"fmt"
	"slices"
)

// Median is the middle one of some values, of an even number the greater of the two. There must be one.
func Median[T float64 | int64](v []T) T {
	s := slices.Sorted(slices.Values(v))
	return s[len(s)/2]
}

// Spread prints the median with the lowest and the highest.
func Spread(v []float64) string {
	return fmt.Sprintf("%.4g [%.4g %.4g]", Median(v), slices.Min(v), slices.Max(v))
}

// Quotient is the median of the ratios within rounds; ok is false when there is none.
func Quotient(v, base []float64) (median float64, ok bool) {
	var ratios []float64
	for i := range min(len(v), len(base)) {
		if base[i] > 0 {
			ratios = append(ratios, v[i]/base[i])
		}
	}
	if len(ratios) == 0 {
		return 0, false
	}
	return Median(ratios), true
}

// Ratio prints Quotient.
func Ratio(v, base []float64) string {
	q, ok := Quotient(v, base)
	if !ok {
		return "-"
	}
	return fmt.Sprintf("%.2f", q)
}

package config

import (
	"math/big"
	"regexp"
	"testing"
	"time"
)

// FuzzQuantities compares durations and sizes with exact arithmetic.
func FuzzQuantities(f *testing.F) {
	for _, s := range []string{"2w", "0s", "1d", "15250w", "15251w", "9223372036854775807s", "20G", "8796093022207M", "8589934592G", "-1s", "1 s", "s", "", "１s", "00001h"} {
		f.Add(s)
	}
	durations := map[byte]int64{'w': 7 * 86400e9, 'd': 86400e9, 'h': 3600e9, 'm': 60e9, 's': 1e9}
	sizes := map[byte]int64{'M': 1 << 20, 'G': 1 << 30}
	exact := func(text, pattern string, units map[byte]int64) (int64, bool) {
		if !regexp.MustCompile(pattern).MatchString(text) {
			return 0, false
		}
		n, _ := new(big.Int).SetString(text[:len(text)-1], 10)
		n.Mul(n, big.NewInt(units[text[len(text)-1]]))
		return n.Int64(), n.IsInt64()
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, ok := ParseDuration(text)
		if want, valid := exact(text, `\A[0-9]+[wdhms]\z`, durations); valid != ok || ok && d != time.Duration(want) {
			t.Errorf("duration %q: %d, %v, want %d, %v", text, d, ok, want, valid)
		}
		if ok {
			if again, ok := ParseDuration(FormatDuration(d)); !ok || again != d {
				t.Errorf("%s is written as %q, which reads as %s, %v", d, FormatDuration(d), again, ok)
			}
		}
		n, ok := ParseSize(text)
		if want, valid := exact(text, `\A[0-9]+[MG]\z`, sizes); valid != ok || ok && n != want {
			t.Errorf("size %q: %d, %v, want %d, %v", text, n, ok, want, valid)
		}
	})
}

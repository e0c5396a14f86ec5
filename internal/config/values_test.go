package config

import (
	"testing"
	"time"
)

func TestDurations(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"0s": 0, "45s": 45 * time.Second, "10m": 10 * time.Minute, "1h": time.Hour, "31d": 744 * time.Hour, "104w": 17472 * time.Hour, "007d": 168 * time.Hour,
	} {
		if got, ok := ParseDuration(text); !ok || got != want {
			t.Errorf("%s: %v, %v, want %v", text, got, ok, want)
		}
	}
	for _, text := range []string{"", "s", "10", "-1d", "+1d", "1.5h", "1D", "1 d", " 1d", "1d ", "1y", "1ms", "1w2d", "99999999999999999999s", "20000w", "٣d"} {
		if got, ok := ParseDuration(text); ok {
			t.Errorf("%q is read as %v", text, got)
		}
	}
}

func TestFormatDurationIsReadBack(t *testing.T) {
	for text, d := range map[string]time.Duration{"0s": 0, "90s": 90 * time.Second, "90m": 90 * time.Minute, "25h": 25 * time.Hour, "10d": 240 * time.Hour, "2w": 336 * time.Hour} {
		if got := FormatDuration(d); got != text {
			t.Errorf("%v: %q, want %q", d, got, text)
		}
		if back, ok := ParseDuration(text); !ok || back != d {
			t.Errorf("%s: read back as %v", text, back)
		}
	}
}

func TestSizes(t *testing.T) {
	for text, want := range map[string]int64{"20G": 20 << 30, "512M": 512 << 20, "0M": 0} {
		if got, ok := ParseSize(text); !ok || got != want {
			t.Errorf("%s: %d, %v, want %d", text, got, ok, want)
		}
	}
	for _, text := range []string{"", "G", "20", "20GB", "20g", "20K", "1.5G", "-1G", "9999999999G"} {
		if got, ok := ParseSize(text); ok {
			t.Errorf("%q is read as %d", text, got)
		}
	}
}

func TestHostNames(t *testing.T) {
	for _, host := range []string{"quay", "quay.example.org", "quay.example.org:443", "localhost:5000", "10.0.0.1", "10.0.0.1:80", "[::1]", "[2001:db8::1]:8443", "my_host", "xn--bcher-kva.example", "quay.example.org."} {
		if !isHostPort(host) {
			t.Errorf("%q is refused", host)
		}
	}
	for _, host := range []string{"http://quay", "quay/", "quay/x", "quay:", "quay:x", "quay:0", "quay:65536", ":5000", "-quay", "quay-", "a..b", "a b", "user@quay", "quay?x", "quay#x", "::1", "büch.er", "a\nb"} {
		if isHostPort(host) {
			t.Errorf("%q is accepted", host)
		}
	}
}

func TestNearestToleratesSmallMistakesOnly(t *testing.T) {
	known := []string{"FEATURE_MAILING", "SUPER_USERS", "SECRET_KEY"}
	for unknown, want := range map[string]string{
		"FEATURE_MALING": "FEATURE_MAILING", "SUPERUSERS": "SUPER_USERS", "secret_key": "SECRET_KEY", "SECRT_KYE": "SECRET_KEY", "X": "", "": "", "SOMETHING_ELSE": "",
	} {
		if got := nearest(unknown, known); got != want {
			t.Errorf("%s: %q, want %q", unknown, got, want)
		}
	}
}

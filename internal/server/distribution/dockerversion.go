package distribution

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/longshore-registry/longshore/internal/problem"
)

// version is a Docker engine's version. Suffixes such as "-ce" do not take part in comparisons.
type version [3]int

var (
	dockerAgent = regexp.MustCompile(`(?:^|\s)docker/(\d{1,6})\.(\d{1,6})(?:\.(\d{1,6}))?`)
	comparator  = regexp.MustCompile(`^(<=|>=|==|!=|<|>)\s*(\d{1,6})\.(\d{1,6})(?:\.(\d{1,6}))?$`)
)

// versionSpec is BLACKLIST_V2_SPEC: comparisons between commas, all of which must hold. Docker engines for which they
// do are told that there is no /v2. The empty one matches nothing.
type versionSpec []comparison

type comparison struct {
	operator string
	version  version
}

func parseVersionSpec(text string) (versionSpec, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	var spec versionSpec
	for part := range strings.SplitSeq(text, ",") {
		m := comparator.FindStringSubmatch(strings.TrimSpace(part))
		if m == nil {
			return nil, problem.New(problem.Invalid, "BLACKLIST_V2_SPEC is %q: expected comparisons such as <1.6.0, between commas", clip(text))
		}
		spec = append(spec, comparison{operator: m[1], version: versionOf(m[2:])})
	}
	return spec, nil
}

// matches reports whether a User-Agent is a Docker engine that the specification means. One that does not say its
// version is taken for a new one.
func (s versionSpec) matches(userAgent string) bool {
	m := dockerAgent.FindStringSubmatch(userAgent)
	if m == nil || len(s) == 0 {
		return false
	}
	v := versionOf(m[1:])
	return !slices.ContainsFunc(s, func(c comparison) bool { return !c.holds(v) })
}

func (c comparison) holds(v version) bool {
	order := slices.CompareFunc(v[:], c.version[:], cmp.Compare[int])
	switch c.operator {
	case "<":
		return order < 0
	case "<=":
		return order <= 0
	case ">":
		return order > 0
	case ">=":
		return order >= 0
	case "!=":
		return order != 0
	}
	return order == 0
}

// versionOf reads digits that a pattern has matched; a missing third number is 0.
func versionOf(numbers []string) version {
	var v version
	for i := range v {
		v[i], _ = strconv.Atoi(numbers[i])
	}
	return v
}

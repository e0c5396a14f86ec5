package distribution

import "testing"

func TestOldDockerEnginesAreToldThatThereIsNoV2(t *testing.T) {
	for _, row := range []struct {
		spec, agent string
		want        bool
	}{
		{"<1.6.0", "docker/1.5.0 go/go1.4 kernel/3.1 os/linux arch/amd64", true},
		{"<1.6.0", "docker/1.6.0 go/go1.4", false},
		{"<1.6.0", "docker/1.12 go/go1.4", false},
		{"<1.6.0", "docker/17.03.0-ce go/go1.7.5", false},
		{"<1.6.0", "docker/29.1.3 go/go1.25 UpstreamClient(Docker-Client/29.1.3 (linux))", false},
		{"<1.6.0", "Docker-Client/1.2.3 (linux)", false},
		{"<1.6.0", "containers/5.36.2 (github.com/containers/image)", false},
		{"<1.6.0", "", false},
		{"", "docker/1.0.0", false},
		{">=1.0.0,<2.0.0", "docker/1.9.1", true},
		{">=1.0.0,<2.0.0", "docker/2.0.0", false},
		{"==1.5.0", "docker/1.5.0", true},
		{"!=1.5.0", "docker/1.5.0", false},
		{"<=1.5", "docker/1.5.0", true},
		{">1.5", "docker/1.5.1", true},
	} {
		spec, err := parseVersionSpec(row.spec)
		if err != nil {
			t.Fatal(err)
		}
		if got := spec.matches(row.agent); got != row.want {
			t.Errorf("%q of %q: %v", row.spec, row.agent, got)
		}
	}
	for _, text := range []string{"1.6.0", "<one", "<1.6.0,", "~1.6", "<1.6.0 >1"} {
		if _, err := parseVersionSpec(text); err == nil {
			t.Errorf("%q is accepted", text)
		}
	}
}

// Command bench measures registries side by side and prints ratios to a bare reference server.
//
// The reference (package reference) and bin/longshore are started with empty folders; any other server is given by
// URL and, for its CPU and memory, process id:
//
//	bench -rounds 7 -rows 'manifest' -server zot=http://127.0.0.1:5001,pid=4711
//
// Each round measures every server in turn, so that a machine whose speed drifts slows all alike. A figure is the
// median of the rounds, with the lowest and highest in brackets.
//
// Longshore runs with its action log on, so that every row that pulls a manifest is one with pull logging, and strict:
// a pull that cannot be recorded fails.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/longshore-registry/longshore/bench/reference"
)

var (
	errSkip   = errors.New("not applicable")
	errEnough = errors.New("time is up")
)

// server is one registry under measurement.
type server struct {
	name   string
	pid    int
	client *client
	ready  time.Duration // from start to the first answer
}

func main() {
	if len(os.Args) == 4 && os.Args[1] == "reference" {
		os.Exit(serveReference(os.Args[2], os.Args[3]))
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func serveReference(folder, listen string) int {
	handler, err := reference.New(folder, true)
	if err == nil {
		err = http.ListenAndServe(listen, handler)
	}
	fmt.Fprintln(os.Stderr, "bench reference:", err)
	return 1
}

func run() error {
	rounds := flag.Int("rounds", 7, "rounds, at least seven for figures to quote")
	span := flag.Duration("span", time.Second, "how long an operation is repeated in a round")
	only := flag.String("rows", ".", "regular expression of rows to measure")
	program := flag.String("longshore", "bin/longshore", "the program to measure")
	dsn := flag.String("postgres", "", "also measure it on this PostgreSQL database, which must be empty")
	var others []string
	flag.Func("server", "another server: name=URL[,pid=N][,user=U,password=P]", func(s string) error { others = append(others, s); return nil })
	flag.Parse()
	match, err := regexp.Compile(*only)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	folder, err := os.MkdirTemp("", "longshore-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)

	servers, halt, err := startAll(ctx, folder, *program, *dsn, others)
	defer halt()
	if err != nil {
		return err
	}
	for _, s := range servers {
		anonymous, resident := memory(s.pid)
		fmt.Printf("%s: first answer after %d ms; idle %.1f MB anonymous, %.1f MB resident\n", s.name, s.ready.Milliseconds(), mb(anonymous), mb(resident))
	}
	if err := measureAll(ctx, servers, match, *rounds, *span); err != nil {
		return err
	}
	for _, s := range servers {
		anonymous, resident := memory(s.pid)
		fmt.Printf("%s: after load %.1f MB anonymous, %.1f MB resident\n", s.name, mb(anonymous), mb(resident))
	}
	return nil
}

func mb(n int64) float64 { return float64(n) / 1e6 }

type figure struct{ rate, cpu []float64 }

func measureAll(ctx context.Context, servers []*server, match *regexp.Regexp, rounds int, span time.Duration) error {
	out := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	defer out.Flush()
	fmt.Fprintln(out, "row\tserver\trate /s\tto reference\tserver CPU ms/op\tto reference")
	for _, r := range rows() {
		if !match.MatchString(r.name) && r.setup == nil {
			continue
		}
		wanted := match.MatchString(r.name)
		figures := make([]figure, len(servers))
		for i, s := range servers {
			if r.setup != nil {
				if err := r.setup(ctx, s.client); err != nil {
					return fmt.Errorf("%s, set-up of %s: %w", s.name, r.name, err)
				}
			}
			_ = i
		}
		if !wanted {
			continue
		}
		for range rounds {
			for i, s := range servers {
				before := cpuTime(s.pid)
				ops, took, err := r.measure(ctx, s.client, span)
				if errors.Is(err, errSkip) {
					continue
				}
				if err != nil {
					return fmt.Errorf("%s, %s: %w", s.name, r.name, err)
				}
				figures[i].rate = append(figures[i].rate, float64(ops)/took.Seconds())
				figures[i].cpu = append(figures[i].cpu, float64((cpuTime(s.pid)-before).Microseconds())/1000/float64(max(ops, 1)))
			}
		}
		for i, s := range servers {
			if len(figures[i].rate) == 0 {
				continue
			}
			fmt.Fprintf(out, "%s\t%s\t%s\t%s\t%s\t%s\n", r.name, s.name, spread(figures[i].rate), ratio(figures[i].rate, figures[0].rate), spread(figures[i].cpu), ratio(figures[i].cpu, figures[0].cpu))
		}
		_ = out.Flush()
	}
	return nil
}

func median(v []float64) float64 {
	s := slices.Sorted(slices.Values(v))
	return s[len(s)/2]
}

func spread(v []float64) string {
	return fmt.Sprintf("%.4g [%.4g %.4g]", median(v), slices.Min(v), slices.Max(v))
}

// ratio is the median of the ratios within rounds.
func ratio(v, base []float64) string {
	var ratios []float64
	for i := range min(len(v), len(base)) {
		if base[i] > 0 {
			ratios = append(ratios, v[i]/base[i])
		}
	}
	if len(ratios) == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f", median(ratios))
}

// startAll starts the reference and longshore and connects to the others. The reference is first.
func startAll(ctx context.Context, folder, program, dsn string, others []string) (servers []*server, halt func(), err error) {
	var running []*exec.Cmd
	halt = func() {
		for _, c := range running {
			_ = c.Process.Signal(os.Interrupt)
			_ = c.Wait()
		}
	}
	start := func(name string, user, password string, args func(listen string) *exec.Cmd) error {
		listen, err := freeAddress()
		if err != nil {
			return err
		}
		cmd := args(listen)
		log, err := os.Create(filepath.Join(folder, name+".log"))
		if err != nil {
			return err
		}
		cmd.Stdout, cmd.Stderr = log, log
		begin := time.Now()
		if err := cmd.Start(); err != nil {
			return err
		}
		running = append(running, cmd)
		s := &server{name: name, pid: cmd.Process.Pid, client: newClient("http://"+listen, user, password)}
		for {
			res, err := http.Get("http://" + listen + "/v2/")
			if err == nil {
				res.Body.Close()
				break
			}
			if time.Since(begin) > 30*time.Second {
				text, _ := os.ReadFile(log.Name())
				return fmt.Errorf("%s does not answer: %s", name, text)
			}
			time.Sleep(2 * time.Millisecond)
		}
		s.ready = time.Since(begin)
		servers = append(servers, s)
		return nil
	}
	self, err := os.Executable()
	if err != nil {
		return nil, halt, err
	}
	if err := start("reference", "", "", func(listen string) *exec.Cmd {
		return exec.CommandContext(ctx, self, "reference", filepath.Join(folder, "reference"), listen)
	}); err != nil {
		return servers, halt, err
	}
	databases := map[string]string{"longshore": ""}
	if dsn != "" {
		databases["longshore-postgresql"] = dsn
	}
	for _, name := range slices.Sorted(func(yield func(string) bool) {
		for k := range databases {
			if !yield(k) {
				return
			}
		}
	}) {
		data := filepath.Join(folder, name)
		config, err := writeConfig(data, databases[name])
		if err != nil {
			return servers, halt, err
		}
		create := exec.CommandContext(ctx, program, "user", "create", "bench", "--password-stdin", "--config", config, "--data", data)
		create.Stdin = strings.NewReader("benchmark-password\n")
		if text, err := create.CombinedOutput(); err != nil {
			return servers, halt, fmt.Errorf("%s user create: %w: %s", program, err, text)
		}
		if err := start(name, "bench", "benchmark-password", func(listen string) *exec.Cmd {
			return exec.CommandContext(ctx, program, "serve", "--listen", listen, "--admin-listen", "", "--config", config, "--data", data)
		}); err != nil {
			return servers, halt, err
		}
	}
	for _, o := range others {
		s, err := other(o)
		if err != nil {
			return servers, halt, err
		}
		servers = append(servers, s)
	}
	return servers, halt, nil
}

func writeConfig(data, dsn string) (string, error) {
	if err := os.MkdirAll(data, 0o700); err != nil {
		return "", err
	}
	text := "LOGGING_LEVEL: INFO\nALLOW_PULLS_WITHOUT_STRICT_LOGGING: false\n"
	if dsn != "" {
		text += fmt.Sprintf("DB_URI: %q\nSECRET_KEY: benchmark-secret-key\nDATABASE_SECRET_KEY: benchmark-database-key\n", dsn)
	}
	path := filepath.Join(data, "config.yaml")
	return path, os.WriteFile(path, []byte(text), 0o600)
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// other reads name=URL[,pid=N][,user=U,password=P].
func other(text string) (*server, error) {
	name, rest, ok := strings.Cut(text, "=")
	if !ok {
		return nil, fmt.Errorf("-server %q: want name=URL[,pid=N][,user=U,password=P]", text)
	}
	parts := strings.Split(rest, ",")
	values := map[string]string{}
	for _, p := range parts[1:] {
		k, v, _ := strings.Cut(p, "=")
		values[k] = v
	}
	pid, _ := strconv.Atoi(values["pid"])
	return &server{name: name, pid: pid, client: newClient(parts[0], values["user"], values["password"])}, nil
}

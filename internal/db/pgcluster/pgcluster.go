// Package pgcluster starts private PostgreSQL clusters for tests.
//
// A cluster lives in a temporary folder, listens on loopback only, gives up durability for speed, and ends with the
// process that started it, however that ends. PostgreSQL refuses to run as root, so root starts it as nobody.
package pgcluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// ErrNotInstalled means that this machine has no PostgreSQL server programs.
var ErrNotInstalled = errors.New("PostgreSQL is not installed: install Debian's package postgresql, or put initdb and postgres on the PATH")

// Collation says how a cluster compares text unless a column says otherwise.
type Collation string

// The collations that tests run on.
const (
	C   Collation = "c"   // bytewise
	ICU Collation = "icu" // as a person in the United States would sort
)

// Cluster is a running server. It stops when Stop is called, when the process ends, and when the Cluster is no longer
// referred to and its pipe is closed by the garbage collector: keep it.
type Cluster struct {
	// URI is the address of its maintenance database, as the superuser.
	URI string

	dir      string
	keeper   *exec.Cmd
	lifeline io.Closer // the keeper lives while this is open
}

// startTimeout allows for a machine that runs much else.
const startTimeout = 2 * time.Minute

// Start makes a new cluster and waits until it answers.
func Start(ctx context.Context, collation Collation) (*Cluster, error) {
	bin, err := programs()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	dir, err := makeDir()
	if err != nil {
		return nil, err
	}
	c := &Cluster{dir: dir}
	if err := c.start(ctx, bin, collation); err != nil {
		return nil, errors.Join(fmt.Errorf("starting PostgreSQL: %w%s", err, c.tail()), c.Stop())
	}
	return c, nil
}

func (c *Cluster) start(ctx context.Context, bin string, collation Collation) error {
	if err := c.initialize(ctx, bin, collation); err != nil {
		return err
	}
	port, err := freePort()
	if err != nil {
		return err
	}
	if err := c.launch(bin, port); err != nil {
		return err
	}
	address := url.URL{Scheme: "postgresql", User: url.User("postgres"), Host: net.JoinHostPort("127.0.0.1", port), Path: "postgres"}
	c.URI = address.String()
	return waitFor(ctx, c.URI)
}

func (c *Cluster) initialize(ctx context.Context, bin string, collation Collation) error {
	args := []string{"-D", filepath.Join(c.dir, "data"), "-U", "postgres", "-A", "trust", "--no-sync", "--no-locale", "-E", "UTF8"}
	if collation == ICU {
		args = append(args, "--locale-provider=icu", "--icu-locale=en-US")
	}
	cmd := exec.CommandContext(ctx, filepath.Join(bin, "initdb"), args...)
	unprivileged(cmd)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, out)
	}
	return nil
}

// keeperScript runs the server until its standard input ends, which it does when the process that holds the other end
// closes it or dies; then it stops the server and removes the folder.
const keeperScript = `dir=$1; shift
"$@" </dev/null &
server=$!
cat >/dev/null
kill -QUIT $server 2>/dev/null
wait $server
rm -rf "$dir"`

func (c *Cluster) launch(bin, port string) error {
	log, err := os.Create(filepath.Join(c.dir, "log"))
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command("/bin/sh", "-c", keeperScript, "keeper", c.dir, filepath.Join(bin, "postgres"), "-D", filepath.Join(c.dir, "data"))
	for _, setting := range []string{
		"port=" + port, "listen_addresses=127.0.0.1", "unix_socket_directories=" + c.dir, "max_connections=200",
		"fsync=off", "full_page_writes=off", "wal_level=minimal", "max_wal_senders=0", "jit=off", "log_checkpoints=off",
	} {
		cmd.Args = append(cmd.Args, "-c", setting)
	}
	unprivileged(cmd)
	cmd.Stdout, cmd.Stderr = log, log
	lifeline, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	c.keeper, c.lifeline = cmd, lifeline
	return nil
}

// Stop ends the server and removes its folder.
func (c *Cluster) Stop() error {
	if c.keeper == nil {
		return os.RemoveAll(c.dir)
	}
	_ = c.lifeline.Close()
	if err := c.keeper.Wait(); err != nil {
		return fmt.Errorf("stopping PostgreSQL: %w", err)
	}
	return nil
}

// tail gives the end of the server's log.
func (c *Cluster) tail() string {
	text, err := os.ReadFile(filepath.Join(c.dir, "log"))
	if err != nil || len(text) == 0 {
		return ""
	}
	return "\n" + string(text[max(0, len(text)-2000):])
}

func waitFor(ctx context.Context, uri string) error {
	for {
		conn, err := pgx.Connect(ctx, uri)
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, errors.Join(err, l.Close())
}

// programs finds the folder of initdb and postgres: Debian's newest, or that of the initdb on the PATH.
func programs() (string, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil {
		return "", err
	}
	best, bin := -1, ""
	for _, path := range found {
		dir := filepath.Dir(path)
		version, err := strconv.Atoi(strings.TrimPrefix(filepath.Dir(dir), "/usr/lib/postgresql/"))
		if err == nil && version > best {
			best, bin = version, dir
		}
	}
	if bin != "" {
		return bin, nil
	}
	path, err := exec.LookPath("initdb")
	if err != nil {
		return "", ErrNotInstalled
	}
	if path, err = filepath.EvalSymlinks(path); err != nil {
		return "", err
	}
	return filepath.Dir(path), nil
}

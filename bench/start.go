package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

const password = "benchmark-password"

// startAll starts the reference and longshore and connects to the others. The reference is first.
func (b *bench) startAll(ctx context.Context, others []string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	data := filepath.Join(b.folder, "reference")
	s := &server{name: "reference", data: data}
	if _, err := b.start(s, func(listen string) *exec.Cmd {
		return exec.CommandContext(ctx, self, "reference", data, listen)
	}); err != nil {
		return err
	}
	b.servers = append(b.servers, s)
	if err := b.startLongshore(ctx, "longshore", ""); err != nil {
		return err
	}
	if b.unlogged {
		if err := b.startLongshore(ctx, unlogged, ""); err != nil {
			return err
		}
	}
	if b.dsn != "" {
		if err := b.startLongshore(ctx, "longshore-postgresql", b.dsn); err != nil {
			return err
		}
	}
	for _, o := range others {
		s, err := other(o)
		if err != nil {
			return err
		}
		b.servers = append(b.servers, s)
	}
	return nil
}

// startLongshore starts the program on an empty folder, and makes a user and a robot.
func (b *bench) startLongshore(ctx context.Context, name, dsn string) error {
	data := filepath.Join(b.folder, name)
	config, err := writeConfig(data, dsn, name == unlogged)
	if err != nil {
		return err
	}
	s := &server{name: name, data: filepath.Join(data, "storage")}
	if dsn != "" {
		s.database = b.postmaster
	}
	command := func(listen string) *exec.Cmd {
		return exec.CommandContext(ctx, b.program, "serve", "--listen", listen, "--admin-listen", "", "--config", config, "--data", data)
	}
	process, err := b.start(s, command)
	if err != nil {
		return err
	}
	s.again = func() (time.Duration, error) {
		if err := stop(process); err != nil {
			return 0, err
		}
		begin := &server{name: name + "-again"}
		_, err := b.start(begin, command)
		return begin.ready, err
	}
	b.servers = append(b.servers, s)
	robot, token, err := firstPeople(ctx, s.client.base)
	if err != nil {
		return err
	}
	if name == unlogged { // a namespace that was there at the start is silent at once
		if err := stop(process); err != nil {
			return err
		}
		if process, err = b.start(s, command); err != nil {
			return err
		}
	}
	s.client.user, s.client.password, s.client.robot, s.client.robotToken = "bench", password, robot, token
	return nil
}

// start runs a server and waits for its first answer.
func (b *bench) start(s *server, command func(listen string) *exec.Cmd) (*exec.Cmd, error) {
	listen, err := freeAddress()
	if err != nil {
		return nil, err
	}
	cmd := command(listen)
	log, err := os.Create(filepath.Join(b.folder, s.name+".log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	begin := time.Now()
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	b.running = append(b.running, cmd)
	for {
		res, err := http.Get("http://" + listen + "/v2/")
		if err == nil {
			res.Body.Close()
			break
		}
		if time.Since(begin) > 30*time.Second {
			text, _ := os.ReadFile(log.Name())
			return nil, fmt.Errorf("%s does not answer: %s", s.name, text)
		}
		time.Sleep(time.Millisecond)
	}
	s.ready, s.pid, s.client, s.prepared = time.Since(begin), cmd.Process.Pid, newClient("http://"+listen), map[*preparation]bool{}
	return cmd, nil
}

func stop(c *exec.Cmd) error {
	if c.ProcessState != nil {
		return nil
	}
	return errors.Join(c.Process.Signal(os.Interrupt), c.Wait())
}

func (b *bench) halt() {
	for _, c := range b.running {
		_ = stop(c)
	}
}

// firstPeople makes the user "bench" of an empty registry, and a robot.
func firstPeople(ctx context.Context, base string) (robot, token string, err error) {
	call := func(method, path, bearer string, body any, answer any) error {
		b, err := json.Marshal(body)
		if err != nil {
			return err
		}
		req, err := http.NewRequestWithContext(ctx, method, base+path, bytes.NewReader(b))
		if err != nil {
			return err
		}
		req.Header.Set("Content-Type", "application/json")
		if bearer != "" {
			req.Header.Set("Authorization", "Bearer "+bearer)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		if err == nil && res.StatusCode >= 300 {
			err = fmt.Errorf("%s %s: %s %s", method, path, res.Status, text)
		}
		if err != nil {
			return err
		}
		return json.Unmarshal(text, answer)
	}
	var first struct {
		AccessToken string `json:"access_token"`
	}
	if err := call(http.MethodPost, "/api/v1/user/initialize", "", map[string]any{
		"username": "bench", "password": password, "email": "bench@example.org", "access_token": true}, &first); err != nil {
		return "", "", err
	}
	var made struct{ Name, Token string }
	err = call(http.MethodPut, "/api/v1/user/robots/puller", first.AccessToken, map[string]any{}, &made)
	return made.Name, made.Token, err
}

// unlogged is a Longshore that records no pulls, to tell what recording them costs.
const unlogged = "longshore-unlogged"

func writeConfig(data, dsn string, silent bool) (string, error) {
	if err := os.MkdirAll(data, 0o700); err != nil {
		return "", err
	}
	text := "LOGGING_LEVEL: INFO\nFEATURE_USER_INITIALIZE: true\n"
	if dsn != "" {
		text += fmt.Sprintf("DB_URI: %q\nSECRET_KEY: benchmark-secret-key\nDATABASE_SECRET_KEY: benchmark-database-key\n", dsn)
	}
	if silent {
		text += "DISABLED_FOR_PULL_LOGS: [bench]\n"
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

// other reads name=URL[,pid=N][,user=U,password=P][,data=FOLDER].
func other(text string) (*server, error) {
	name, rest, ok := strings.Cut(text, "=")
	if !ok {
		return nil, fmt.Errorf("-server %q: want name=URL[,pid=N][,user=U,password=P][,data=FOLDER]", text)
	}
	parts := strings.Split(rest, ",")
	values := map[string]string{}
	for _, p := range parts[1:] {
		k, v, _ := strings.Cut(p, "=")
		values[k] = v
	}
	pid, _ := strconv.Atoi(values["pid"])
	c := newClient(parts[0])
	c.user, c.password = values["user"], values["password"]
	return &server{name: name, pid: pid, client: c, data: values["data"], prepared: map[*preparation]bool{}}, nil
}

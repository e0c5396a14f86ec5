// Package mailtest is an SMTP server for tests: it speaks the protocol over TCP (RFC 5321, STARTTLS, AUTH PLAIN),
// keeps what it was given, and fails on demand.
package mailtest

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"net/textproto"
	"strings"
	"sync"
	"testing"
)

// Options say what the server can do and what it refuses.
type Options struct {
	Certificate    *tls.Certificate // offered by STARTTLS; nil: no STARTTLS
	User, Password string           // demanded by AUTH PLAIN; empty: no AUTH
	RefuseTo       string           // a recipient that is refused for good
	RefuseData     bool             // the letter itself is refused for now
	Silent         bool             // connections are taken and never greeted
}

// Letter is what was delivered.
type Letter struct {
	From, To   string // of the envelope
	Subject    string
	Text, HTML string
	TLS        bool
	User       string
}

// Server is a running server.
type Server struct {
	options  Options
	listener net.Listener
	letters  chan Letter

	mu    sync.Mutex
	conns map[net.Conn]bool
}

// Start runs a server on loopback until the test ends.
func Start(t testing.TB, o Options) *Server {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{options: o, listener: listener, letters: make(chan Letter, 100), conns: map[net.Conn]bool{}}
	var running sync.WaitGroup
	running.Go(func() { s.accept(&running) })
	t.Cleanup(func() {
		s.Stop()
		running.Wait()
	})
	return s
}

// Port is where the server listens on 127.0.0.1.
func (s *Server) Port() int { return s.listener.Addr().(*net.TCPAddr).Port }

// Stop ends the server and every connection.
func (s *Server) Stop() {
	_ = s.listener.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	for conn := range s.conns {
		_ = conn.Close()
	}
}

// Next waits for the next letter; the test's deadline is the only limit.
func (s *Server) Next(t testing.TB) Letter {
	t.Helper()
	select {
	case l := <-s.letters:
		return l
	case <-t.Context().Done():
		t.Fatal("the test ended before a letter came")
		return Letter{}
	}
}

// Count is how many letters wait to be read.
func (s *Server) Count() int { return len(s.letters) }

func (s *Server) accept(running *sync.WaitGroup) {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.conns[conn] = true
		s.mu.Unlock()
		running.Go(func() {
			(&dialogue{s: s, conn: conn}).run()
			_ = conn.Close()
			s.mu.Lock()
			delete(s.conns, conn)
			s.mu.Unlock()
		})
	}
}

// dialogue is one connection.
type dialogue struct {
	s      *Server
	conn   net.Conn
	in     *bufio.Reader
	secure bool
	user   string
	letter Letter
}

func (d *dialogue) say(line string) { _, _ = io.WriteString(d.conn, line+"\r\n") }

func (d *dialogue) run() {
	d.in = bufio.NewReader(d.conn)
	if d.s.options.Silent {
		_, _ = d.in.ReadByte()
		return
	}
	d.say("220 test ready")
	for {
		line, err := d.in.ReadString('\n')
		if err != nil {
			return
		}
		verb, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		if !d.answer(strings.ToUpper(verb), rest) {
			return
		}
	}
}

func (d *dialogue) answer(verb, rest string) bool {
	o := d.s.options
	switch verb {
	case "EHLO", "HELO":
		d.say("250-test")
		if o.Certificate != nil && !d.secure {
			d.say("250-STARTTLS")
		}
		if o.User != "" {
			d.say("250-AUTH PLAIN")
		}
		d.say("250 8BITMIME")
	case "STARTTLS":
		d.say("220 go")
		secured := tls.Server(d.conn, &tls.Config{Certificates: []tls.Certificate{*o.Certificate}})
		if secured.Handshake() != nil {
			return false
		}
		d.conn, d.in, d.secure = secured, bufio.NewReader(secured), true
	case "AUTH":
		d.authenticate(rest)
	case "MAIL":
		if o.User != "" && d.user == "" {
			d.say("530 sign in first")
			return true
		}
		d.letter = Letter{From: address(rest), TLS: d.secure, User: d.user}
		d.say("250 ok")
	case "RCPT":
		if d.letter.To = address(rest); d.letter.To == o.RefuseTo {
			d.say("550 no such mailbox")
			return true
		}
		d.say("250 ok")
	case "DATA":
		return d.data()
	case "QUIT":
		d.say("221 bye")
		return false
	default:
		d.say("250 ok")
	}
	return true
}

func (d *dialogue) authenticate(rest string) {
	_, encoded, _ := strings.Cut(rest, " ")
	plain, _ := base64.StdEncoding.DecodeString(encoded)
	parts := strings.Split(string(plain), "\x00")
	if len(parts) != 3 || parts[1] != d.s.options.User || parts[2] != d.s.options.Password {
		d.say("535 wrong user or password")
		return
	}
	d.user = parts[1]
	d.say("235 welcome")
}

func (d *dialogue) data() bool {
	d.say("354 go on")
	raw, err := textproto.NewReader(d.in).ReadDotBytes()
	if err != nil {
		return false
	}
	if d.s.options.RefuseData {
		d.say("451 not now")
		return true
	}
	d.letter.parse(raw)
	d.s.letters <- d.letter
	d.say("250 taken")
	return true
}

func address(rest string) string {
	_, after, _ := strings.Cut(rest, "<")
	inside, _, _ := strings.Cut(after, ">")
	return inside
}

func (l *Letter) parse(raw []byte) {
	message, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		l.Text = "unreadable: " + err.Error()
		return
	}
	l.Subject, _ = (&mime.WordDecoder{}).DecodeHeader(message.Header.Get("Subject"))
	_, parameters, _ := mime.ParseMediaType(message.Header.Get("Content-Type"))
	parts := multipart.NewReader(message.Body, parameters["boundary"])
	for {
		part, err := parts.NextRawPart()
		if err != nil {
			return
		}
		var body io.Reader = part
		if strings.EqualFold(part.Header.Get("Content-Transfer-Encoding"), "quoted-printable") {
			body = quotedprintable.NewReader(part)
		}
		content, _ := io.ReadAll(body)
		text := strings.ReplaceAll(string(content), "\r\n", "\n")
		if strings.HasPrefix(part.Header.Get("Content-Type"), "text/html") {
			l.HTML = text
		} else {
			l.Text = text
		}
	}
}

// Roots believes a certificate.
func Roots(c *tls.Certificate) *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(c.Leaf)
	return pool
}

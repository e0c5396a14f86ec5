package manifest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"unicode/utf8"
)

// scan makes sure that b is one JSON object that every reader understands alike: valid UTF-8, no member named twice
// in any object, and within the limits of depth and number. Readers take the first or the last of two members of one
// name as they like; a registry that read another one than its clients would check one manifest and serve another.
func scan(b []byte, l Limits) error {
	if !utf8.Valid(b) {
		return malformed("it is not valid UTF-8")
	}
	s := scanner{limits: l, dec: json.NewDecoder(bytes.NewReader(b))}
	s.dec.UseNumber()
	for {
		token, err := s.dec.Token()
		if errors.Is(err, io.EOF) && s.done {
			return nil
		}
		if err != nil {
			return malformed("%s", syntax(err))
		}
		if err := s.take(token); err != nil {
			return err
		}
	}
}

// scanner follows the tokens of one document.
type scanner struct {
	limits Limits
	dec    *json.Decoder
	open   []scope
	values int
	done   bool // the outermost object is closed
}

// scope is an object or array that is not closed yet.
type scope struct {
	names map[string]bool // nil for an array
	value bool            // in an object: the next token is a value, not a name
}

func (s *scanner) take(token json.Token) error {
	if s.done {
		return malformed("there is more after the document's end")
	}
	if s.values++; s.values > s.limits.Values {
		return tooLarge("it has more than %d JSON values", s.limits.Values)
	}
	switch t := token.(type) {
	case json.Delim:
		return s.delim(t)
	case string:
		if top := s.top(); top != nil && top.names != nil && !top.value {
			return s.name(top, t)
		}
	}
	return s.scalar()
}

func (s *scanner) top() *scope {
	if len(s.open) == 0 {
		return nil
	}
	return &s.open[len(s.open)-1]
}

func (s *scanner) name(top *scope, name string) error {
	if top.names[name] {
		return malformed("the member %s stands twice in one object", quote(name))
	}
	top.names[name] = true
	top.value = true
	return nil
}

func (s *scanner) scalar() error {
	top := s.top()
	if top == nil {
		return mismatch("it is not a JSON object")
	}
	top.value = false
	return nil
}

func (s *scanner) delim(d json.Delim) error {
	switch d {
	case '{', '[':
		if len(s.open) == 0 && d == '[' {
			return mismatch("it is not a JSON object")
		}
		if top := s.top(); top != nil {
			top.value = false
		}
		if len(s.open) == s.limits.Depth {
			return tooLarge("it is nested more than %d deep", s.limits.Depth)
		}
		next := scope{}
		if d == '{' {
			next.names = map[string]bool{}
		}
		s.open = append(s.open, next)
	default:
		s.open = s.open[:len(s.open)-1]
		s.done = len(s.open) == 0
	}
	return nil
}

// syntax gives an error of encoding/json in words that do not name a Go type.
func syntax(err error) string {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return "unexpected end"
	}
	return strings.TrimPrefix(err.Error(), "json: ")
}

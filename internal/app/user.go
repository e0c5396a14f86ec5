package app

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"golang.org/x/term"

	"github.com/longshore-registry/longshore/internal/identity"
	"github.com/longshore-registry/longshore/internal/problem"
)

type userCommand struct {
	Create userCreateCommand `cmd:"" help:"Make a user. The first one is superuser unless SUPER_USERS names others."`
	Passwd userPasswdCommand `cmd:"" help:"Set a user's password."`
	List   userListCommand   `cmd:"" help:"List users."`
}

// passwordFlags say where a new password comes from: the terminal, standard input, or chance.
type passwordFlags struct {
	PasswordStdin bool `help:"Read the password from the first line of standard input." xor:"password"`
	Generate      bool `help:"Make a password and print it." xor:"password"`
}

type userCreateCommand struct {
	place
	passwordFlags
	Name  string `arg:"" help:"User name: lower-case letters, digits, and . _ - between them."`
	Email string `help:"E-mail address."`
}

// Run makes a user beside a running server or without one.
func (c userCreateCommand) Run(ctx context.Context, p Program) error {
	return c.withIdentity(ctx, p, func(people *identity.Service) error {
		password, err := c.password(p)
		if err != nil {
			return err
		}
		account, err := people.CreateUser(ctx, identity.NewUser{Name: c.Name, Email: c.Email, Password: password, Verified: true, Trusted: true})
		if err != nil {
			return err
		}
		fmt.Fprintf(p.Stdout, "user %s created\n", account.Name)
		return nil
	})
}

type userPasswdCommand struct {
	place
	passwordFlags
	Name string `arg:"" help:"User name."`
}

// Run sets a password; the user's sessions and registry tokens end within a minute.
func (c userPasswdCommand) Run(ctx context.Context, p Program) error {
	return c.withIdentity(ctx, p, func(people *identity.Service) error {
		account, err := people.Account(ctx, c.Name)
		if err != nil {
			return err
		}
		if account.Kind != identity.User {
			return problem.New(problem.Invalid, "%s is not a user: only users have passwords", c.Name)
		}
		password, err := c.password(p)
		if err != nil {
			return err
		}
		if err := people.SetPassword(ctx, account.ID, password); err != nil {
			return err
		}
		fmt.Fprintf(p.Stdout, "password of %s changed\n", account.Name)
		return nil
	})
}

type userListCommand struct{ place }

// Run prints users in order of their names.
func (c userListCommand) Run(ctx context.Context, p Program) error {
	return c.withIdentity(ctx, p, func(people *identity.Service) error {
		table := tabwriter.NewWriter(p.Stdout, 0, 4, 2, ' ', 0)
		fmt.Fprintln(table, "NAME\tE-MAIL\tENABLED\tLAST SEEN")
		after := ""
		for {
			page, err := people.Users(ctx, after, 200)
			if err != nil {
				return err
			}
			for _, u := range page {
				seen := "never"
				if !u.LastAccessed.IsZero() {
					seen = u.LastAccessed.UTC().Format(time.DateTime)
				}
				fmt.Fprintf(table, "%s\t%s\t%t\t%s\n", u.Name, u.Email, u.Enabled, seen)
				after = u.Name
			}
			if len(page) < 200 {
				return table.Flush()
			}
		}
	})
}

// password gets the new password, asking twice on a terminal. A generated one is printed.
func (f passwordFlags) password(p Program) (string, error) {
	if f.Generate {
		password := rand.Text()
		fmt.Fprintf(p.Stdout, "password: %s\n", password)
		return password, nil
	}
	if f.PasswordStdin {
		line, err := bufio.NewReader(io.LimitReader(p.Stdin, 4096)).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return "", err
		}
		return strings.TrimRight(line, "\r\n"), nil
	}
	file, ok := p.Stdin.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return "", problem.New(problem.Invalid, "no terminal to ask for the password: use --password-stdin or --generate")
	}
	first, err := ask(p, file, "Password: ")
	if err != nil {
		return "", err
	}
	second, err := ask(p, file, "Again: ")
	if err != nil {
		return "", err
	}
	if first != second {
		return "", problem.New(problem.Invalid, "the two passwords differ")
	}
	return first, nil
}

func ask(p Program, file *os.File, prompt string) (string, error) {
	fmt.Fprint(p.Stderr, prompt)
	b, err := term.ReadPassword(int(file.Fd()))
	fmt.Fprintln(p.Stderr)
	return string(b), err
}

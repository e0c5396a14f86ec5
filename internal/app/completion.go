package app

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

type completionCommand struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

// Run prints a script that completes commands and flags. It is made from the grammar of the command line itself.
func (c completionCommand) Run(p Program, parser *kong.Kong) error {
	words := map[string][]string{}
	collect(parser.Model.Node, "", words)
	switch c.Shell {
	case "fish":
		return p.printFish(words)
	case "zsh":
		fmt.Fprintln(p.Stdout, "autoload -U +X bashcompinit && bashcompinit")
	}
	return p.printBash(words)
}

// collect lists, for each command path ("user create"), the words that may follow it.
func collect(node *kong.Node, path string, words map[string][]string) {
	next := []string{}
	for _, child := range node.Children {
		if child.Type == kong.CommandNode {
			next = append(next, child.Name)
			collect(child, strings.TrimSpace(path+" "+child.Name), words)
		}
	}
	for _, flag := range node.Flags {
		next = append(next, "--"+flag.Name)
	}
	words[path] = append(next, "--help")
}

func (p Program) printBash(words map[string][]string) error {
	fmt.Fprint(p.Stdout, `_longshore() {
    local path="" word
    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        case "$word" in -*) ;; *) path="${path:+$path }$word" ;; esac
    done
    local next="--help"
    case "$path" in
`)
	for _, path := range slices.Sorted(maps.Keys(words)) {
		fmt.Fprintf(p.Stdout, "        %q) next=%q ;;\n", path, strings.Join(words[path], " "))
	}
	_, err := fmt.Fprint(p.Stdout, `    esac
    case "${COMP_WORDS[COMP_CWORD-1]}" in
        --config|--data) COMPREPLY=($(compgen -f -- "${COMP_WORDS[COMP_CWORD]}")) ;;
        *) COMPREPLY=($(compgen -W "$next" -- "${COMP_WORDS[COMP_CWORD]}")) ;;
    esac
}
complete -o default -F _longshore longshore
`)
	return err
}

func (p Program) printFish(words map[string][]string) error {
	for _, path := range slices.Sorted(maps.Keys(words)) {
		condition := "__fish_use_subcommand"
		if path != "" {
			condition = "__fish_seen_subcommand_from " + path[strings.LastIndexByte(path, ' ')+1:]
		}
		if _, err := fmt.Fprintf(p.Stdout, "complete -c longshore -n %q -a %q\n", condition, strings.Join(words[path], " ")); err != nil {
			return err
		}
	}
	return nil
}

package document

import (
	"math/big"
	"regexp"
	"strings"
)

// scalars decides what an unquoted YAML scalar is. The rules are those of the YAML 1.1 type repository as PyYAML
// applies them, with one difference: dates stay texts.
type scalars struct {
	integer, float *regexp.Regexp
}

func newScalars() scalars {
	return scalars{
		integer: regexp.MustCompile(`^[-+]?(0b[01_]+|0x[0-9a-fA-F_]+|0[0-7_]+|0|[1-9][0-9_]*(:[0-5]?[0-9])*)$`),
		float: regexp.MustCompile(`^([-+]?[0-9][0-9_]*\.[0-9_]*([eE][-+][0-9]+)?|\.[0-9][0-9_]*([eE][-+][0-9]+)?` +
			`|[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+\.[0-9_]*|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))$`),
	}
}

func (s scalars) read(plain string) (Shape, string) {
	switch plain {
	case "", "~", "null", "Null", "NULL":
		return Null, ""
	case "true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON":
		return Bool, "true"
	case "false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF":
		return Bool, "false"
	}
	if s.integer.MatchString(plain) {
		if digits, ok := decimal(plain); ok {
			return Int, digits
		}
		return Text, plain
	}
	if s.float.MatchString(plain) {
		return Float, plain
	}
	return Text, plain
}

// decimal writes an integer of any base in decimal digits. It gives up on absurdly long ones that are not decimal
// already, and on prefixes without a digit.
func decimal(plain string) (string, bool) {
	text := strings.TrimPrefix(plain, "+")
	digits, negative := strings.CutPrefix(text, "-")
	if digits[0] != '0' && !strings.ContainsAny(digits, "_:") {
		return text, true
	}
	digits = strings.ReplaceAll(digits, "_", "")
	const longest = 4096
	if len(digits) > longest {
		return "", false
	}
	value, ok := parseInt(digits)
	if !ok {
		return "", false
	}
	if negative {
		value.Neg(value)
	}
	return value.String(), true
}

func parseInt(digits string) (*big.Int, bool) {
	switch {
	case strings.HasPrefix(digits, "0b"):
		return new(big.Int).SetString(digits[2:], 2)
	case strings.HasPrefix(digits, "0x"):
		return new(big.Int).SetString(digits[2:], 16)
	case strings.HasPrefix(digits, "0"):
		return new(big.Int).SetString(digits, 8)
	}
	value := new(big.Int) // sexagesimal, such as 1:30 for 90
	for part := range strings.SplitSeq(digits, ":") {
		n, ok := new(big.Int).SetString(part, 10)
		if !ok {
			return nil, false
		}
		value.Add(value.Mul(value, big.NewInt(60)), n)
	}
	return value, true
}

package config

import "strings"

// nearest is the known name that is most like an unknown one, whatever the case; empty when none is much like it.
func nearest(unknown string, known []string) string {
	unknown = strings.ToUpper(unknown)
	best, distance := "", len(unknown)/3+1
	for _, name := range known {
		upper := strings.ToUpper(name)
		if difference := len(upper) - len(unknown); difference >= distance || -difference >= distance {
			continue
		}
		if d := editDistance(unknown, upper); d < distance {
			best, distance = name, d
		}
	}
	return best
}

// editDistance is how many bytes must be inserted, removed or replaced to make b of a.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}

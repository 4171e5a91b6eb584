package settings

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// suggestion names the known key that is most like the unknown one, or else all of them.
func suggestion(path, unknown string, fields map[string]reflect.Value) string {
	known := slices.Sorted(maps.Keys(fields))
	if best := Nearest(unknown, known, max(2, len(unknown)/3)); best != "" {
		return fmt.Sprintf(", did you mean %s%s?", path, best)
	}
	return ", known here are " + strings.Join(known, ", ")
}

// Nearest is the word of known that takes the fewest edits to become word, or "" when none takes limit or fewer.
func Nearest(word string, known []string, limit int) string {
	best, least := "", limit+1
	for _, k := range known {
		if d := distance(word, k); d < least {
			best, least = k, d
		}
	}
	return best
}

// distance is the number of letters to insert, remove or replace to make b of a (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

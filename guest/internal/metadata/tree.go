package metadata

import (
	"encoding/json"
	"sort"
	"strings"
)

// find walks down a tree by the segments of a path; empty ones count for nothing.
func find(tree any, path string) (any, bool) {
	for _, name := range strings.Split(path, "/") {
		if name == "" {
			continue
		}
		object, ok := tree.(map[string]any)
		if !ok {
			return nil, false
		}
		if tree, ok = object[name]; !ok {
			return nil, false
		}
	}
	return tree, true
}

// text is a part of the tree as EC2 answers: a value as it is, of an object its names, those of further objects with a
// slash. What EC2 does not have (numbers, lists, null) is JSON.
func text(part any) (string, error) {
	switch v := part.(type) {
	case string:
		return v, nil
	case map[string]any:
		names := make([]string, 0, len(v))
		for name, below := range v {
			if _, further := below.(map[string]any); further {
				name += "/"
			}
			names = append(names, name)
		}
		sort.Strings(names)
		return strings.Join(names, "\n"), nil
	}
	b, err := json.Marshal(part)
	return string(b), err
}

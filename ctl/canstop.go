package main

import (
	"strings"

	"github.com/dyad-db/dyad/pkg/wire"
)

// canStop returns the line that says whether a node can be stopped now.
func canStop(s wire.ClusterStatus, id string) (line string, can bool, err error) {
	reasons, err := s.CanStop(id)
	if err != nil {
		return "", false, err
	}
	if len(reasons) > 0 {
		return id + " must not be stopped now: " + strings.Join(strings.Fields(strings.Join(reasons, "; ")), " "), false, nil
	}
	var others []string
	line = id + " can be stopped"
	for _, n := range s.Nodes {
		switch {
		case n.ID != id:
			others = append(others, n.ID)
		case n.State == wire.StateDown:
			line = id + " is down already"
		}
	}
	return line + ": " + strings.Join(others, " and ") + " serve every user without it", true, nil
}

package wire

import "strings"

// Check is one thing that must be so for a process to be ready.
type Check struct {
	Name    string
	Problem string // why it is not so; empty if it is
	Note    string // more about one that is so; may be empty
}

// ReadyText renders the answer of PathReady and says whether all is well: a line
// for each check when verbose, else the problems alone.
func ReadyText(checks []Check, verbose bool) (text string, ready bool) {
	var lines, problems []string
	for _, c := range checks {
		switch {
		case c.Problem != "":
			lines = append(lines, "[-] "+c.Name+": "+c.Problem)
			problems = append(problems, c.Problem)
		case c.Note != "":
			lines = append(lines, "[+] "+c.Name+" ok: "+c.Note)
		default:
			lines = append(lines, "[+] "+c.Name+" ok")
		}
	}
	end := "ready"
	if len(problems) > 0 {
		end = "not ready"
	}
	switch {
	case verbose:
		return strings.Join(append(lines, end), "\n"), len(problems) == 0
	case len(problems) > 0:
		return end + ": " + strings.Join(problems, "; "), false
	}
	return end, true
}

package statusview

import (
	"fmt"
	"strings"
	"time"

	"github.com/dyad-db/dyad/pkg/wire"
)

// tellingSize is from where on bytes on disk against bytes of documents say
// something: below it the engine's own files outweigh all.
const tellingSize = 1_000_000

// details returns a line for whatever the table has no room for.
func details(s wire.ClusterStatus, now time.Time) []string {
	var lines []string
	for _, n := range s.Nodes {
		if n.Status == nil {
			continue
		}
		for _, h := range n.Status.Hints {
			if h.Count() > 0 {
				lines = append(lines, n.ID+" holds "+held(h, s, now))
			}
		}
		if p := n.Status.Rebuild; p != nil {
			lines = append(lines, fmt.Sprintf("%s has rebuilt %d of %s, %s copied", n.ID, p.Done, things(int64(p.Of), "partition"), things(p.Records, "record")))
		}
		if n.State == wire.StateSlow {
			lines = append(lines, fmt.Sprintf("%s is slow: its reply typically takes %.0f ms", n.ID, n.ReplyMillis))
		}
	}
	if s.DocumentBytes > 0 {
		line := fmt.Sprintf("%s on all disks for %s of documents", size(s.DiskBytes), size(s.DocumentBytes))
		if s.DocumentBytes >= tellingSize {
			line += fmt.Sprintf(": %.2f times", float64(s.DiskBytes)/float64(s.DocumentBytes))
		}
		lines = append(lines, line)
	}
	return lines
}

// held describes hints: how much they are, and when they will have been delivered.
func held(h wire.HintHolding, s wire.ClusterStatus, now time.Time) string {
	text := fmt.Sprintf("%s, %s", things(h.Count(), "hint"), size(h.Bytes))
	if h.Oldest != nil {
		text += ", the oldest " + ago(*h.Oldest, now) + " old"
	}
	if h.CatchUpSeconds > 0 {
		return text + ": delivered in about " + duration(max(time.Second, time.Duration(h.CatchUpSeconds*float64(time.Second))))
	}
	var when []string
	for _, n := range s.Nodes {
		for _, id := range h.For {
			switch {
			case n.ID != id:
			case n.State == wire.StateJoining:
				when = append(when, id+" is rebuilt")
			case n.State == wire.StateDown, n.State == wire.StateWaiting:
				when = append(when, id+" is back")
			}
		}
	}
	if len(when) == 0 {
		return text + ": being delivered"
	}
	return text + ": to be delivered when " + strings.Join(when, " and ")
}

// things writes how many there are of something, such as "1 hint".
func things(n int64, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return count(n) + " " + one + "s"
}

// Package audit proves, from what the nodes themselves hold on disk, that a
// cluster at rest is whole: both data replicas of every partition hold the same
// records at the same ballots with the same content, the witness holds none,
// and no id is anywhere else.
//
// Invariants: nothing is taken from a gateway; a page that is cut short is an
// error, never a shorter list; memory is bounded by the largest partition.
package audit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/dyad-db/dyad/pkg/placement"
	"github.com/dyad-db/dyad/pkg/register"
	"github.com/dyad-db/dyad/pkg/wire"
)

const (
	maxFaults = 20      // that a report names
	maxStatus = 1 << 20 // bytes
	maxPage   = 8 << 20 // bytes; a line is less than 500
	timeout   = 30 * time.Second
)

// Report is what an audit found. Counts are of distinct ids.
type Report struct {
	Partitions int
	Records    int      // live users
	Tombstones int      // deleted users whose deletion is still kept
	Compared   int      // records read from data replicas
	Hints      int      // records read from witnesses
	Wrong      int      // faults
	Faults     []string // the first of them, in words
}

// String is one line for a log.
func (r Report) String() string {
	return fmt.Sprintf("%d partitions, %d users and %d deletions, %d records compared, %d hints, %d faults",
		r.Partitions, r.Records, r.Tombstones, r.Compared, r.Hints, r.Wrong)
}

// Err is nil when the audit found nothing wrong.
func (r Report) Err() error {
	if r.Wrong == 0 {
		return nil
	}
	return fmt.Errorf("%s:\n%s", r, strings.Join(r.Faults, "\n"))
}

func (r *Report) fault(format string, args ...any) {
	r.Wrong++
	if len(r.Faults) < maxFaults {
		r.Faults = append(r.Faults, fmt.Sprintf(format, args...))
	}
}

// Audit reads every record of the three nodes and compares. expected, unless
// nil, is the ids of all users that there are. Nothing may be written
// meanwhile, and no hint be under way. An error means that the nodes could not
// be read; what they hold is judged in the report.
func Audit(ctx context.Context, nodeURLs []string, expected []string) (Report, error) {
	a := auditor{http: &http.Client{Timeout: timeout}}
	defer a.http.CloseIdleConnections()
	if err := a.open(ctx, nodeURLs); err != nil {
		return Report{}, err
	}
	a.report.Partitions = a.places.Partitions()
	wanted := make([]map[string]bool, a.places.Partitions())
	for _, id := range expected {
		p := a.places.Partition(id)
		if wanted[p] == nil {
			wanted[p] = map[string]bool{}
		}
		wanted[p][id] = true
	}
	for p := range a.places.Partitions() {
		live, err := a.partition(ctx, p)
		if err != nil {
			return Report{}, err
		}
		if expected != nil {
			a.expect(wanted[p], live)
		}
	}
	return a.report, nil
}

type member struct{ id, url string }

type auditor struct {
	http   *http.Client
	nodes  []member // sorted by id, as every program numbers them
	places placement.Map
	report Report
}

// open asks the nodes who they are.
func (a *auditor) open(ctx context.Context, nodeURLs []string) error {
	if len(nodeURLs) != placement.Nodes {
		return fmt.Errorf("an audit needs all %d nodes, not %d", placement.Nodes, len(nodeURLs))
	}
	partitions := map[int]bool{}
	ids := map[string]bool{}
	for _, url := range nodeURLs {
		body, err := a.get(ctx, url+wire.PathStatus, maxStatus)
		if err != nil {
			return err
		}
		var s wire.NodeStatus
		if err := json.Unmarshal(body, &s); err != nil {
			return fmt.Errorf("status of %s: %w", url, err)
		}
		a.nodes = append(a.nodes, member{s.ID, url})
		a.places, err = placement.New(s.Partitions)
		if err != nil {
			return fmt.Errorf("status of %s: %w", url, err)
		}
		partitions[s.Partitions], ids[s.ID] = true, true
	}
	if len(partitions) != 1 || len(ids) != placement.Nodes {
		return fmt.Errorf("these are not the nodes of one cluster: %v", a.nodes)
	}
	slices.SortFunc(a.nodes, func(x, y member) int { return strings.Compare(x.id, y.id) })
	return nil
}

// partition compares the copies of one partition and returns its live ids.
func (a *auditor) partition(ctx context.Context, p int) (live map[string]bool, err error) {
	group := a.places.Group(p)
	var held [register.Seats]map[string]wire.RecordLine
	for seat, node := range group {
		if held[seat], err = a.records(ctx, a.nodes[node], p); err != nil {
			return nil, err
		}
		for key := range held[seat] {
			if a.places.Partition(key) != p {
				a.report.fault("%s holds %s in partition %d, where it doesn't belong", a.nodes[node].id, key, p)
			}
		}
	}
	a.report.Hints += len(held[register.SeatW])
	for _, key := range slices.Sorted(maps.Keys(held[register.SeatW])) {
		a.report.fault("%s, the witness, still holds %s", a.nodes[group[register.SeatW]].id, key)
	}
	a.report.Compared += len(held[register.SeatD1]) + len(held[register.SeatD2])
	return a.compare(a.nodes[group[register.SeatD1]], a.nodes[group[register.SeatD2]], held[register.SeatD1], held[register.SeatD2]), nil
}

func (a *auditor) compare(d1, d2 member, x, y map[string]wire.RecordLine) (live map[string]bool) {
	all := maps.Clone(x)
	maps.Copy(all, y)
	live = map[string]bool{}
	for _, key := range slices.Sorted(maps.Keys(all)) {
		if all[key].Tombstone {
			a.report.Tombstones++
		} else {
			a.report.Records++
			live[key] = true
		}
		one, inX := x[key]
		other, inY := y[key]
		switch {
		case all[key].Tombstone && inX != inY:
			// Being collected: deleted at one, and no more than that at the other.
		case !inX:
			a.report.fault("%s lacks %s, which %s holds at %s", d1.id, key, d2.id, ballot(other))
		case !inY:
			a.report.fault("%s lacks %s, which %s holds at %s", d2.id, key, d1.id, ballot(one))
		case one.Ballot != other.Ballot:
			a.report.fault("%s holds %s at %s, %s at %s", d1.id, key, ballot(one), d2.id, ballot(other))
		case one != other:
			a.report.fault("%s and %s hold %s at %s with different content", d1.id, d2.id, key, ballot(one))
		}
	}
	return live
}

func ballot(l wire.RecordLine) register.Ballot { return register.Ballot(l.Ballot) }

// expect compares the live ids of a partition with those that there should be.
func (a *auditor) expect(wanted, live map[string]bool) {
	for _, id := range slices.Sorted(maps.Keys(wanted)) {
		if !live[id] {
			a.report.fault("no node holds %s, which should be there", id)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(live)) {
		if !wanted[id] {
			a.report.fault("%s is there and should not be", id)
		}
	}
}

// records reads what one node holds of a partition, page by page.
func (a *auditor) records(ctx context.Context, m member, partition int) (map[string]wire.RecordLine, error) {
	held := map[string]wire.RecordLine{}
	q := wire.RecordsQuery{Partition: uint16(partition), Limit: wire.MaxRecordLines}
	for {
		page, err := a.get(ctx, m.url+wire.PathRecords+"?"+q.Values().Encode(), maxPage)
		if err != nil {
			return nil, err
		}
		lines, err := wire.ReadRecordLines(strings.NewReader(string(page)), q.Limit)
		if err != nil {
			return nil, fmt.Errorf("records of %s: %w", m.id, err)
		}
		for _, line := range lines {
			if line.Key <= q.After {
				return nil, fmt.Errorf("records of %s: %s follows %s", m.id, line.Key, q.After)
			}
			q.After = line.Key
			held[line.Key] = line
		}
		if len(lines) < q.Limit {
			return held, nil
		}
	}
}

func (a *auditor) get(ctx context.Context, url string, limit int64) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, err
	}
	reply, err := a.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer reply.Body.Close()
	body, err := io.ReadAll(io.LimitReader(reply.Body, limit+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("GET %s: %w", url, err)
	case reply.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("GET %s: %s: %s", url, reply.Status, strings.TrimSpace(string(body)))
	case int64(len(body)) > limit:
		return nil, fmt.Errorf("GET %s: %w", url, errors.New("the reply is too long"))
	}
	return body, nil
}

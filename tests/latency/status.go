package latency

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/dyad-db/dyad/pkg/wire"
)

// Status is what this suite wants to know of a cluster.
type Status struct {
	Whole      bool     // as the gateway says
	Missing    string   // what it lacks for that
	Hints      int64    // on all nodes that answer
	Records    int64    // on data replicas, tombstones not counted: twice the users, when whole
	Tombstones int64    // on data replicas
	Disk       int64    // bytes, of all nodes that answer
	Silent     []string // nodes that answer, and do not vote
	Down       []string // nodes that do not answer
	Ill        []string // nodes that are not simply up, and what they are
}

// maxStatus bounds the gateway's answer, in bytes.
const maxStatus = 1 << 20

// ReadStatus asks a gateway.
func ReadStatus(ctx context.Context, gateway string) (Status, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, gateway+wire.PathStatus, http.NoBody)
	if err != nil {
		return Status{}, err
	}
	reply, err := http.DefaultClient.Do(request)
	if err != nil {
		return Status{}, fmt.Errorf("ask the gateway for the status: %w", err)
	}
	defer reply.Body.Close()
	body, err := io.ReadAll(io.LimitReader(reply.Body, maxStatus))
	if err != nil {
		return Status{}, fmt.Errorf("read the status: %w", err)
	}
	var cluster wire.ClusterStatus
	if err := json.Unmarshal(body, &cluster); err != nil {
		return Status{}, fmt.Errorf("read the status (%s): %w", reply.Status, err)
	}
	s := Status{Whole: cluster.Whole, Missing: strings.Join(cluster.Missing, "; ")}
	for _, node := range cluster.Nodes {
		if node.State == wire.StateDown {
			s.Down = append(s.Down, node.ID)
		}
		if node.State != wire.StateUp {
			s.Ill = append(s.Ill, fmt.Sprintf("%s %s", node.ID, node.State))
		}
		if node.Status != nil {
			s.Hints += node.Status.HintCount()
			s.Records += node.Status.Data.Records
			s.Tombstones += node.Status.Data.Tombstones
			s.Disk += node.Status.DiskBytes
			if node.Status.Joining || !node.Status.Serving {
				s.Silent = append(s.Silent, node.ID)
			}
		}
	}
	return s, nil
}

// AwaitStatus waits until done is content with what every gateway says, and
// returns what the last one said; an error says what one of them said at the end
// of the time given.
func AwaitStatus(ctx context.Context, gateways []string, bound time.Duration, done func(Status) bool) (Status, error) {
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	for limit := time.Now().Add(bound); ; {
		s, err := agreed(ctx, gateways, done)
		if err == nil {
			return s, nil
		}
		if time.Now().After(limit) {
			return s, fmt.Errorf("not within %v: %w", bound, err)
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return s, ctx.Err()
		}
	}
}

func agreed(ctx context.Context, gateways []string, done func(Status) bool) (s Status, err error) {
	for _, gateway := range gateways {
		if s, err = readSoon(ctx, gateway); err != nil {
			return s, fmt.Errorf("%s: %w", gateway, err)
		}
		if !done(s) {
			return s, fmt.Errorf("%s says: %+v", gateway, s)
		}
	}
	return s, nil
}

func readSoon(ctx context.Context, gateway string) (Status, error) {
	ctx, cancel := context.WithTimeout(ctx, statusBudget)
	defer cancel()
	return ReadStatus(ctx, gateway)
}

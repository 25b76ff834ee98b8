package latency

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"

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

package wire

import (
	"fmt"
	"strings"
)

// Paths that a node serves, and, but for the first three, the gateway as well.
const (
	PathFrame   = "/v1/frame"   // POST: a RequestFrame; the replies come back
	PathCompact = "/v1/compact" // POST: rewrites the store to its smallest form
	PathRecords = "/v1/records" // GET: a RecordsQuery; RecordLines come back
	PathLive    = "/livez"      // 200 while the process runs
	PathReady   = "/readyz"     // 200 while it serves
	PathStatus  = "/status"     // NodeStatus or ClusterStatus
	FrameType   = "application/vnd.dyad.frame"
)

// Holding is how many records are held, and their bytes before compression.
type Holding struct {
	Records    int64 `json:"records"`    // without tombstones
	Tombstones int64 `json:"tombstones"` // deletions that are still kept
	Bytes      int64 `json:"bytes"`
}

// Messages counts protocol messages by kind since the start of a process.
type Messages struct {
	Read    int64 `json:"read"`
	Prepare int64 `json:"prepare"`
	Accept  int64 `json:"accept"`
	Chosen  int64 `json:"chosen"`
}

// HintHolding is what a node keeps as witness until the data replicas named
// are known to hold it.
type HintHolding struct {
	For []string `json:"for"`
	Holding
}

// NodeStatus is what a node says of itself.
type NodeStatus struct {
	ID string `json:"id"`
	Life
	Serving       bool          `json:"serving"` // its acceptors answer
	UptimeSeconds float64       `json:"uptime_seconds"`
	Partitions    int           `json:"partitions"`
	Data          Holding       `json:"data"`
	Hints         []HintHolding `json:"hints"`
	DiskBytes     int64         `json:"disk_bytes"`
	AsData        Messages      `json:"as_data"`    // messages taken as data replica
	AsWitness     Messages      `json:"as_witness"` // messages taken as witness
	Unreadable    int64         `json:"unreadable"` // requests refused for a damaged record
	Scrub         Scrub         `json:"scrub"`
}

// Scrub is what reading all records over and over came to since the start.
type Scrub struct {
	Passes  int64 `json:"passes"`  // through all records of the node
	Last    int64 `json:"last"`    // end of the last pass, microseconds since the Unix epoch; 0 before
	Checked int64 `json:"checked"` // records read
	Damaged int64 `json:"damaged"` // damaged records found, by whatever met them
	Healed  int64 `json:"healed"`  // of these, replaced from the other nodes
}

// HintCount returns the hints that the node holds, tombstones included.
func (s NodeStatus) HintCount() int64 {
	var n int64
	for _, h := range s.Hints {
		n += h.Records + h.Tombstones
	}
	return n
}

// NodeReport is a node as a gateway sees it.
type NodeReport struct {
	ID     string      `json:"id"`
	URL    string      `json:"url"`
	Up     bool        `json:"up"`
	Error  string      `json:"error,omitempty"` // why it is not up
	Status *NodeStatus `json:"status,omitempty"`
}

// Operations counts what a gateway's coordinator did since its start.
type Operations struct {
	Reads      int64 `json:"reads"`
	Changes    int64 `json:"changes"`
	ThirdAsked int64 `json:"third_asked"` // operations that touched more than two nodes
}

// ClusterStatus is a gateway's view of the cluster.
type ClusterStatus struct {
	Whole      bool         `json:"whole"`
	Missing    []string     `json:"missing"` // what keeps it from being whole, in words
	Nodes      []NodeReport `json:"nodes"`
	Operations Operations   `json:"operations"`
}

// Judge fills in Whole and Missing from Nodes: whole means that every node is up
// and that no hint is left.
func (c *ClusterStatus) Judge() {
	c.Missing = []string{}
	for _, n := range c.Nodes {
		if !n.Up || n.Status == nil {
			c.Missing = append(c.Missing, fmt.Sprintf("%s is down: %s", n.ID, n.Error))
			continue
		}
		if n.Status.Joining {
			c.Missing = append(c.Missing, fmt.Sprintf("%s is being rebuilt", n.ID))
		} else if !n.Status.Serving {
			c.Missing = append(c.Missing, fmt.Sprintf("%s waits for another node before it serves", n.ID))
		}
		for _, h := range n.Status.Hints {
			if k := h.Records + h.Tombstones; k > 0 {
				c.Missing = append(c.Missing, fmt.Sprintf("%s holds %d hints for %s", n.ID, k, strings.Join(h.For, " or ")))
			}
		}
	}
	c.Whole = len(c.Missing) == 0
}

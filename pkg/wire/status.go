package wire

import "time"

// Paths that a node serves, and, but for the first three, the gateway as well.
const (
	PathStream  = "/v1/stream"           // GET: upgrades the connection to a stream of frames
	PathCompact = "/v1/compact"          // POST: rewrites the store to its smallest form
	PathRecords = "/v1/records"          // GET: a RecordsQuery; RecordLines come back
	PathLive    = "/livez"               // 200 while the process runs
	PathReady   = "/readyz"              // 200 while it serves
	PathStatus  = "/status"              // NodeStatus or ClusterStatus
	BinaryType  = "application/vnd.dyad" // of what is not JSON
)

// Holding is how many records are held, and their bytes before compression.
type Holding struct {
	Records    int64 `json:"records"`    // without tombstones
	Tombstones int64 `json:"tombstones"` // deletions that are still kept
	Bytes      int64 `json:"bytes"`
	Documents  int64 `json:"documents"` // bytes of the users' documents alone
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
	// Oldest is when the oldest was written, or before; nil if there is none.
	Oldest *time.Time `json:"oldest"`
	// CatchUpSeconds is how long their delivery will take at its present pace; 0
	// if it is not under way.
	CatchUpSeconds float64 `json:"catch_up_seconds,omitzero"`
}

// Count returns how many hints these are, tombstones included.
func (h HintHolding) Count() int64 { return h.Records + h.Tombstones }

// RebuildProgress is how far a node is that lost its disk.
type RebuildProgress struct {
	Done    int   `json:"done"` // partitions in which it votes again
	Of      int   `json:"of"`   // partitions
	Records int64 `json:"records"`
}

// EntropyFindings are what anti-entropy did since the node's start.
type EntropyFindings struct {
	Passes int64      `json:"passes"` // complete ones
	Last   *time.Time `json:"last"`   // end of the last complete pass
	Found  int64      `json:"found"`  // records that two data replicas did not share, and which were healed
}

// ScrubFindings are what reading all stored records found since the node's start.
type ScrubFindings struct {
	Passes  int64      `json:"passes"`  // complete ones
	Last    *time.Time `json:"last"`    // end of the last complete pass
	Checked int64      `json:"checked"` // records read
	Damaged int64      `json:"damaged"` // of them
	Healed  int64      `json:"healed"`  // of those
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
	// ReadOnly says that it takes no write for want of space on its disk.
	ReadOnly  bool  `json:"read_only"`
	FreeBytes int64 `json:"free_bytes"` // on its disk
	// Rebuild is there while the node is joining.
	Rebuild     *RebuildProgress `json:"rebuild,omitempty"`
	AntiEntropy EntropyFindings  `json:"anti_entropy"`
	Scrub       ScrubFindings    `json:"scrub"`
	// Incarnations are the disks of all nodes, by id, as this one knows them.
	Incarnations map[string]uint32 `json:"incarnations"`
	AsData       Messages          `json:"as_data"`    // messages taken as data replica
	AsWitness    Messages          `json:"as_witness"` // messages taken as witness
	Unreadable   int64             `json:"unreadable"` // requests refused for a damaged record
}

// HintCount returns the hints that the node holds, tombstones included.
func (s NodeStatus) HintCount() int64 {
	var n int64
	for _, h := range s.Hints {
		n += h.Count()
	}
	return n
}

// NodeReport is a node as a gateway sees it.
type NodeReport struct {
	ID    string    `json:"id"`
	URL   string    `json:"url"`
	Up    bool      `json:"up"`
	State NodeState `json:"state"`
	// ReplyMillis is how long a reply to this gateway typically took of late.
	ReplyMillis float64     `json:"reply_ms"`
	Error       string      `json:"error,omitempty"` // why it is not up
	Status      *NodeStatus `json:"status,omitempty"`
}

// Operations counts what a gateway's coordinator did since its start.
type Operations struct {
	Reads      int64 `json:"reads"`
	Changes    int64 `json:"changes"`
	ThirdAsked int64 `json:"third_asked"` // operations that touched more than two nodes
}

// ClusterStatus is a gateway's view of the cluster.
type ClusterStatus struct {
	Whole   bool         `json:"whole"`
	Missing []string     `json:"missing"` // what keeps it from being whole, in words
	Nodes   []NodeReport `json:"nodes"`
	// DiskBytes is what the nodes that answer have on disk, DocumentBytes what
	// the users' documents amount to, each counted once; 0 unless it is whole.
	DiskBytes     int64      `json:"disk_bytes"`
	DocumentBytes int64      `json:"document_bytes"`
	Operations    Operations `json:"operations"`
}

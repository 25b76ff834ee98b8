package replica

import (
	"encoding/json"
	"fmt"

	"github.com/dyad-db/dyad/dbnode/store"
)

// Identity says whose store this is. Peers will tell a lost or rolled-back disk
// by incarnation and boots.
type Identity struct {
	NodeID      string `json:"node_id"`
	Partitions  int    `json:"partitions"`
	Incarnation uint64 `json:"incarnation"` // of this disk
	Boots       uint64 `json:"boots"`       // how often it was started
}

// identify reads whose store this is, or claims an empty one for this node, and
// returns the write that counts this start.
func (r *Replica) identify() (store.Op, error) {
	key := metaKey()
	value, err := r.store.Get(key)
	if err != nil {
		return store.Op{}, fmt.Errorf("read the identity: %w", err)
	}
	id := Identity{NodeID: r.cfg.NodeID, Partitions: r.cfg.Places.Partitions(), Incarnation: 1}
	if value != nil {
		plain, err := unseal(key, value)
		if err != nil {
			return store.Op{}, fmt.Errorf("read the identity: %w", err)
		}
		if err := json.Unmarshal(plain, &id); err != nil {
			return store.Op{}, fmt.Errorf("read the identity: %w", err)
		}
	}
	if id.NodeID != r.cfg.NodeID {
		return store.Op{}, fmt.Errorf("the data belongs to node %q, not %q: start that node here, or give this one a directory of its own", id.NodeID, r.cfg.NodeID)
	}
	if id.Partitions != r.cfg.Places.Partitions() {
		return store.Op{}, fmt.Errorf("the data was made with %d partitions, not %d: the number is fixed when a cluster is made", id.Partitions, r.cfg.Places.Partitions())
	}
	id.Boots++
	plain, err := json.Marshal(id)
	if err != nil {
		return store.Op{}, err
	}
	r.identity = id
	return store.Op{Key: key, Value: seal(key, plain)}, nil
}

// Identity returns whose store this is.
func (r *Replica) Identity() Identity { return r.identity }

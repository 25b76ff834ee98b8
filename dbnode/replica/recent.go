package replica

import (
	"github.com/dyad-db/dyad/pkg/placement"
	"github.com/dyad-db/dyad/pkg/register"
)

// recentSlots bounds the records that a partition keeps in memory. They are for
// the next message of an operation, which comes within milliseconds: a change
// asks for its record with its prepare, its accept and its mark.
const recentSlots = 256

// recent are records of keys that were met lately, blank ones too.
//
// Invariant: a slot holds what the store holds of its key, or will hold once what
// was handed to it is durable; a key whose record is damaged there has none.
type recent struct {
	slots []recentSlot // none until the first is put
}

type recentSlot struct {
	key    string // empty: nothing is known
	record register.Record
}

func (c *recent) get(key string) (register.Record, bool) {
	if c.slots == nil {
		return register.Record{}, false
	}
	s := c.slot(key)
	return s.record, s.key == key
}

// put makes room for key by forgetting whatever is in its slot. The document is
// kept as it is: it must not be part of something larger.
func (c *recent) put(key string, rec register.Record) {
	if c.slots == nil {
		c.slots = make([]recentSlot, recentSlots)
	}
	*c.slot(key) = recentSlot{key, rec}
}

func (c *recent) drop(key string) {
	if _, ok := c.get(key); ok {
		*c.slot(key) = recentSlot{}
	}
}

func (c *recent) slot(key string) *recentSlot {
	return &c.slots[placement.Hash(key)>>32%recentSlots] // the low bits chose the partition
}

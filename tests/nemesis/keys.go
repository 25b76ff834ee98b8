package nemesis

import (
	"fmt"
	"sync"
	"time"

	"github.com/dyad-db/dyad/tests/history"
)

const (
	warmKeys = 10
	coldKeys = 300
	slots    = 1 + warmKeys + coldKeys // the hot key comes first

	// A key is replaced by a fresh one when one of these is reached, so that its
	// history stays short enough to be judged: the cost grows with the calls, and
	// doubles with each write without an answer.
	maxCalls = 200
	maxOpen  = 3
	maxAge   = 90 * time.Second
	// maxBusy is how many clients may call one key at a time: a fault may leave all
	// of them without an answer.
	maxBusy = 8
)

// key is one user id, and what was asked of it.
type key struct {
	id       string
	recorder *history.Recorder
	born     time.Time
	calls    int
	busy     int // calls under way
	open     int // writes without an answer
	retired  bool
}

func (k *key) worn() bool {
	return k.calls >= maxCalls || k.open >= maxOpen || time.Since(k.born) >= maxAge
}

// keys are the ids that clients use at present. It is safe for concurrent use.
type keys struct {
	clock  func() int64
	retire func(*key) // gets each key once, when no call for it is or will be under way

	mu   sync.Mutex
	live [slots]*key
	made int
}

func newKeys(clock func() int64, retire func(*key)) *keys {
	return &keys{clock: clock, retire: retire}
}

// take returns the key of a slot for one call, to be given back after; nil if
// enough clients call it already.
func (k *keys) take(slot int) *key {
	taken, idle := k.swap(slot)
	if idle != nil {
		k.retire(idle)
	}
	return taken
}

func (k *keys) swap(slot int) (taken, idle *key) {
	k.mu.Lock()
	defer k.mu.Unlock()
	old := k.live[slot]
	if old == nil || old.worn() {
		k.made++
		k.live[slot] = &key{id: fmt.Sprintf("n-%d-%d", slot, k.made), recorder: history.NewRecorder(k.clock), born: time.Now()}
		if old != nil {
			old.retired = true
			if old.busy == 0 {
				idle = old
			}
		}
	}
	taken = k.live[slot]
	if taken.busy == maxBusy {
		return nil, idle
	}
	taken.busy++
	taken.calls++
	return taken, idle
}

// give ends a call; open says that it was a write without an answer.
func (k *keys) give(back *key, open bool) {
	k.mu.Lock()
	back.busy--
	if open {
		back.open++
	}
	last := back.retired && back.busy == 0
	k.mu.Unlock()
	if last {
		k.retire(back)
	}
}

// retireAll retires what is left. No client may call any more.
func (k *keys) retireAll() {
	for slot, left := range k.live {
		if left != nil {
			k.retire(left)
		}
		k.live[slot] = nil
	}
}

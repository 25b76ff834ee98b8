package replica

import "errors"

// ErrReadOnly says that something waits until the disk has room again.
var ErrReadOnly = errors.New("read-only: the disk is full; free some space there, it goes on by itself")

// SetReadOnly says whether the disk is too full for data to grow. A read-only
// replica refuses what can go elsewhere or wait (register.VerdictFull) and takes
// the rest: reads, deletions, what it promised room for, its own state.
func (r *Replica) SetReadOnly(readOnly bool) { r.readOnly.Store(readOnly) }

// ReadOnly reports what SetReadOnly last said.
func (r *Replica) ReadOnly() bool { return r.readOnly.Load() }

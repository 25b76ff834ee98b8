// Package powercut is a filesystem in memory that loses at a power cut what was
// not synced, and can be mounted for real programs.
//
// Invariants:
//   - A file's content is safe once the file was synced, and a name once its
//     directory was: nothing less makes anything safe, not even that something
//     later is. That is all that POSIX promises; most filesystems keep more.
//   - Of changes of names that are not safe the earlier ones are kept first, as the
//     journals of ext4 and XFS do. RocksDB counts on that: when it recovers it names
//     tables, a manifest and then CURRENT, and syncs the directory after them all.
//   - A file's sync that failed leaves what it was to write visible, and for ever
//     unsafe: the next one says that all is well, as Linux does.
//   - A directory's sync that failed is a journal that can't be written. Nothing can
//     be changed or synced any more, whatever file it is, until the disk is mounted
//     anew: ext4 and btrfs turn read-only, XFS shuts down. What waited may be kept.
//   - From the cut on every call fails, so nothing is acknowledged after it.
package powercut

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"syscall"
)

// rootIno is the number of the root directory.
const rootIno = 1

// Disk is a medium and the cache before it. Safe for concurrent use.
type Disk struct {
	mu     sync.Mutex
	seen   tree // what programs see
	kept   tree // what is safe
	wait   []op // what lies between the two, in order
	next   uint64
	calls  int // that change or sync something
	syncs  int
	plan   Plan
	broken bool          // the journal is
	cut    chan struct{} // closed by the power cut
	count  Count
	past   []string // changes of names, syncs and cuts
}

// Plan says what will befall a disk; zeros stand for never.
type Plan struct {
	CutAt  int // the power is cut instead of this call that changes or syncs something
	FailAt int // this sync fails
}

// Count is what happened on a disk so far.
type Count struct {
	Calls, Syncs, Failed int
}

// NewDisk returns an empty disk.
func NewDisk() *Disk {
	return newDisk(tree{rootIno: {entries: map[string]uint64{}}}, rootIno+1)
}

func newDisk(kept tree, next uint64) *Disk {
	return &Disk{seen: kept.clone(), kept: kept, next: next, cut: make(chan struct{})}
}

// Expect sets what will befall the disk, counted from now.
func (d *Disk) Expect(p Plan) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.plan, d.calls, d.syncs = p, 0, 0
}

// Cut is closed when the power is cut.
func (d *Disk) Cut() <-chan struct{} { return d.cut }

// CutNow cuts the power unless it is off already.
func (d *Disk) CutNow() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.turnOff()
}

func (d *Disk) turnOff() {
	if !d.off() {
		close(d.cut)
	}
}

func (d *Disk) off() bool {
	select {
	case <-d.cut:
		return true
	default:
		return false
	}
}

// Count returns what happened so far.
func (d *Disk) Count() Count {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.count
}

// call admits a call that changes or syncs something. d.mu is held.
func (d *Disk) call() syscall.Errno {
	if d.off() {
		return syscall.EIO
	}
	d.calls++
	d.count.Calls++
	if d.calls == d.plan.CutAt {
		d.turnOff()
		return syscall.EIO
	}
	if d.broken {
		return syscall.EIO
	}
	return 0
}

// do makes a change visible. d.mu is held.
func (d *Disk) do(o op) {
	if o.named() {
		d.past = append(d.past, o.String())
	}
	d.seen.apply(o)
	d.wait = append(d.wait, o)
}

// sync makes all that was done to one file or directory safe, unless it is to fail.
func (d *Disk) sync(ino uint64) syscall.Errno {
	d.mu.Lock()
	defer d.mu.Unlock()
	if errno := d.call(); errno != 0 {
		return errno
	}
	d.syncs++
	d.count.Syncs++
	fails := d.syncs == d.plan.FailAt
	d.past = append(d.past, fmt.Sprintf("sync %d, fails: %v", ino, fails))
	if fails {
		d.count.Failed++
		if d.broken = d.seen[ino].entries != nil; d.broken {
			return syscall.EIO
		}
	}
	d.wait = slices.DeleteFunc(d.wait, func(o op) bool {
		if o.ino == ino && !fails {
			d.kept.apply(o)
		}
		return o.ino == ino
	})
	if fails {
		return syscall.EIO
	}
	return 0
}

// Past tells in order which names were changed, what was synced and when the power
// was cut, on the disks before this one, too: a file is told by its number.
func (d *Disk) Past() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.past)
}

// node is a directory if it has entries, else a file.
type node struct {
	entries map[string]uint64
	data    []byte
}

// tree is a filesystem by inode number. One that no name leads to is not there.
type tree map[uint64]*node

func (t tree) clone() tree {
	c := tree{}
	for ino, n := range t {
		c[ino] = &node{entries: maps.Clone(n.entries), data: slices.Clone(n.data)}
	}
	return c
}

type opKind int

const (
	opWrite  opKind = iota // data at off
	opResize               // to off bytes
	opLink                 // child gets name
	opUnlink               // child loses name
	opMove                 // child loses name and gets newName
)

// op is a change of one inode.
type op struct {
	kind          opKind
	ino           uint64
	off           int64
	data          []byte
	name, newName string
	child         uint64
	dir           bool // child is a directory
}

// named reports whether o is a change of names.
func (o op) named() bool { return o.kind == opLink || o.kind == opUnlink || o.kind == opMove }

func (o op) String() string {
	switch o.kind {
	case opWrite:
		return fmt.Sprintf("write %d bytes to %d at %d", len(o.data), o.ino, o.off)
	case opResize:
		return fmt.Sprintf("resize %d to %d", o.ino, o.off)
	case opLink:
		return fmt.Sprintf("name %d %s in %d", o.child, o.name, o.ino)
	case opUnlink:
		return fmt.Sprintf("remove %s of %d from %d", o.name, o.child, o.ino)
	case opMove:
		return fmt.Sprintf("rename %s of %d to %s in %d", o.name, o.child, o.newName, o.ino)
	}
	return ""
}

// apply makes a change, whatever of the changes before it was made or not.
func (t tree) apply(o op) {
	n := t[o.ino]
	if n == nil {
		n = &node{}
		t[o.ino] = n
	}
	switch o.kind {
	case opWrite:
		n.resize(max(int64(len(n.data)), o.off+int64(len(o.data))))
		copy(n.data[o.off:], o.data)
	case opResize:
		n.resize(o.off)
	case opLink:
		t.enter(n, o.name, o)
	case opUnlink:
		n.leave(o.name, o.child)
	case opMove:
		n.leave(o.name, o.child)
		t.enter(n, o.newName, o)
	}
}

// enter gives the child of o, which may be blank here, a name in n.
func (t tree) enter(n *node, name string, o op) {
	if n.entries == nil {
		n.entries = map[string]uint64{}
	}
	n.entries[name] = o.child
	c := t[o.child]
	if c == nil {
		c = &node{}
		t[o.child] = c
	}
	if o.dir && c.entries == nil {
		c.entries = map[string]uint64{}
	}
}

func (n *node) leave(name string, child uint64) {
	if n.entries[name] == child {
		delete(n.entries, name)
	}
}

// resize grows with zeros.
func (n *node) resize(size int64) {
	if old := int64(len(n.data)); size > old {
		n.data = append(n.data, make([]byte, size-old)...)
	}
	n.data = n.data[:size]
}

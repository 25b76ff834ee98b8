package powercut

import (
	"maps"
	"slices"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"
)

// attr is what is known of an inode.
type attr struct {
	name string
	ino  uint64
	dir  bool
	size int64
}

func (a attr) mode() uint32 {
	if a.dir {
		return syscall.S_IFDIR | 0o755
	}
	return syscall.S_IFREG | 0o644
}

func (a attr) fill(out *fuse.Attr) {
	out.Ino, out.Mode, out.Size, out.Blocks, out.Nlink = a.ino, a.mode(), uint64(a.size), uint64(a.size+511)/512, 1
}

func (t tree) attr(name string, ino uint64) attr {
	n := t[ino]
	return attr{name: name, ino: ino, dir: n.entries != nil, size: int64(len(n.data))}
}

func (d *Disk) stat(ino uint64) (attr, syscall.Errno) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.off() {
		return attr{}, syscall.EIO
	}
	return d.seen.attr("", ino), 0
}

func (d *Disk) lookup(dir uint64, name string) (attr, syscall.Errno) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.off() {
		return attr{}, syscall.EIO
	}
	ino, ok := d.seen[dir].entries[name]
	if !ok {
		return attr{}, syscall.ENOENT
	}
	return d.seen.attr(name, ino), 0
}

func (d *Disk) list(dir uint64) ([]attr, syscall.Errno) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.off() {
		return nil, syscall.EIO
	}
	var all []attr
	entries := d.seen[dir].entries
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		all = append(all, d.seen.attr(name, entries[name]))
	}
	return all, 0
}

func (d *Disk) read(ino uint64, dest []byte, off int64) (int, syscall.Errno) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.off() {
		return 0, syscall.EIO
	}
	data := d.seen[ino].data
	return copy(dest, data[min(off, int64(len(data))):]), 0
}

func (d *Disk) write(ino uint64, data []byte, off int64) syscall.Errno {
	d.mu.Lock()
	defer d.mu.Unlock()
	if errno := d.call(); errno != 0 {
		return errno
	}
	d.do(op{kind: opWrite, ino: ino, off: off, data: slices.Clone(data)})
	return 0
}

func (d *Disk) resize(ino uint64, size int64) syscall.Errno {
	d.mu.Lock()
	defer d.mu.Unlock()
	if errno := d.call(); errno != 0 {
		return errno
	}
	d.do(op{kind: opResize, ino: ino, off: size})
	return 0
}

func (d *Disk) create(dir uint64, name string, isDir bool) (attr, syscall.Errno) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if errno := d.call(); errno != 0 {
		return attr{}, errno
	}
	if _, ok := d.seen[dir].entries[name]; ok {
		return attr{}, syscall.EEXIST
	}
	ino := d.next
	d.next++
	d.do(op{kind: opLink, ino: dir, name: name, child: ino, dir: isDir})
	return d.seen.attr(name, ino), 0
}

func (d *Disk) unlink(dir uint64, name string) syscall.Errno {
	d.mu.Lock()
	defer d.mu.Unlock()
	if errno := d.call(); errno != 0 {
		return errno
	}
	ino, ok := d.seen[dir].entries[name]
	switch {
	case !ok:
		return syscall.ENOENT
	case len(d.seen[ino].entries) > 0:
		return syscall.ENOTEMPTY
	}
	d.do(op{kind: opUnlink, ino: dir, name: name, child: ino})
	return 0
}

func (d *Disk) rename(dir uint64, name, newName string) syscall.Errno {
	d.mu.Lock()
	defer d.mu.Unlock()
	if errno := d.call(); errno != 0 {
		return errno
	}
	ino, ok := d.seen[dir].entries[name]
	if !ok {
		return syscall.ENOENT
	}
	if old, ok := d.seen[dir].entries[newName]; ok && len(d.seen[old].entries) > 0 {
		return syscall.ENOTEMPTY
	}
	d.do(op{kind: opMove, ino: dir, name: name, newName: newName, child: ino, dir: d.seen[ino].entries != nil})
	return 0
}

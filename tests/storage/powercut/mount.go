package powercut

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// ErrNoFUSE says that nothing can be mounted here.
var ErrNoFUSE = errors.New("no FUSE here: it takes /dev/fuse, which the kernel's module fuse makes, and root")

// Mount shows the disk at dir, an empty directory, until the function returned
// is called, which must be after the last program has let go of it.
func Mount(d *Disk, dir string) (unmount func() error, err error) {
	if f, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0); err != nil {
		return nil, fmt.Errorf("%w (%w)", ErrNoFUSE, err)
	} else if err := f.Close(); err != nil {
		return nil, err
	}
	if os.Geteuid() != 0 {
		return nil, ErrNoFUSE
	}
	// Nothing is cached on the way here (no time-outs, direct I/O): what a program
	// wrote is with the disk before its call returns.
	server, err := fs.Mount(dir, &inode{disk: d, ino: rootIno}, &fs.Options{
		MountOptions:   fuse.MountOptions{FsName: "powercut", Name: "powercut", DirectMountStrict: true, MaxWrite: 1 << 20},
		RootStableAttr: &fs.StableAttr{Ino: rootIno, Mode: syscall.S_IFDIR},
	})
	if errors.Is(err, syscall.EPERM) {
		return nil, fmt.Errorf("%w (%w)", ErrNoFUSE, err)
	}
	if err != nil {
		return nil, err
	}
	return server.Unmount, nil
}

// inode is a file or directory as the kernel asks for it.
type inode struct {
	fs.Inode
	disk *Disk
	ino  uint64
}

var (
	_ fs.NodeLookuper  = (*inode)(nil)
	_ fs.NodeGetattrer = (*inode)(nil)
	_ fs.NodeSetattrer = (*inode)(nil)
	_ fs.NodeOpener    = (*inode)(nil)
	_ fs.NodeReader    = (*inode)(nil)
	_ fs.NodeWriter    = (*inode)(nil)
	_ fs.NodeFsyncer   = (*inode)(nil)
	_ fs.NodeCreater   = (*inode)(nil)
	_ fs.NodeMkdirer   = (*inode)(nil)
	_ fs.NodeUnlinker  = (*inode)(nil)
	_ fs.NodeRmdirer   = (*inode)(nil)
	_ fs.NodeRenamer   = (*inode)(nil)
	_ fs.NodeReaddirer = (*inode)(nil)
	_ fs.NodeStatfser  = (*inode)(nil)
)

// child is the kernel's view of another inode of the disk.
func (i *inode) child(ctx context.Context, a attr, out *fuse.Attr) *fs.Inode {
	a.fill(out)
	return i.NewInode(ctx, &inode{disk: i.disk, ino: a.ino}, fs.StableAttr{Mode: a.mode() & syscall.S_IFMT, Ino: a.ino})
}

func (i *inode) Lookup(ctx context.Context, name string, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	a, errno := i.disk.lookup(i.ino, name)
	if errno != 0 {
		return nil, errno
	}
	return i.child(ctx, a, &out.Attr), 0
}

func (i *inode) Getattr(_ context.Context, _ fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	a, errno := i.disk.stat(i.ino)
	a.fill(&out.Attr)
	return errno
}

func (i *inode) Setattr(ctx context.Context, f fs.FileHandle, in *fuse.SetAttrIn, out *fuse.AttrOut) syscall.Errno {
	if size, ok := in.GetSize(); ok {
		if errno := i.disk.resize(i.ino, int64(size)); errno != 0 {
			return errno
		}
	}
	return i.Getattr(ctx, f, out)
}

func (i *inode) Open(context.Context, uint32) (fs.FileHandle, uint32, syscall.Errno) {
	_, errno := i.disk.stat(i.ino)
	return nil, fuse.FOPEN_DIRECT_IO, errno
}

func (i *inode) Read(_ context.Context, _ fs.FileHandle, dest []byte, off int64) (fuse.ReadResult, syscall.Errno) {
	n, errno := i.disk.read(i.ino, dest, off)
	return fuse.ReadResultData(dest[:n]), errno
}

func (i *inode) Write(_ context.Context, _ fs.FileHandle, data []byte, off int64) (uint32, syscall.Errno) {
	if errno := i.disk.write(i.ino, data, off); errno != 0 {
		return 0, errno
	}
	return uint32(len(data)), 0
}

func (i *inode) Fsync(context.Context, fs.FileHandle, uint32) syscall.Errno {
	return i.disk.sync(i.ino)
}

func (i *inode) Create(ctx context.Context, name string, _, _ uint32, out *fuse.EntryOut) (*fs.Inode, fs.FileHandle, uint32, syscall.Errno) {
	a, errno := i.disk.create(i.ino, name, false)
	if errno != 0 {
		return nil, nil, 0, errno
	}
	return i.child(ctx, a, &out.Attr), nil, fuse.FOPEN_DIRECT_IO, 0
}

func (i *inode) Mkdir(ctx context.Context, name string, _ uint32, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	a, errno := i.disk.create(i.ino, name, true)
	if errno != 0 {
		return nil, errno
	}
	return i.child(ctx, a, &out.Attr), 0
}

func (i *inode) Unlink(_ context.Context, name string) syscall.Errno {
	return i.disk.unlink(i.ino, name)
}

func (i *inode) Rmdir(_ context.Context, name string) syscall.Errno {
	return i.disk.unlink(i.ino, name)
}

func (i *inode) Rename(_ context.Context, name string, parent fs.InodeEmbedder, newName string, flags uint32) syscall.Errno {
	to, ok := parent.(*inode)
	if !ok || to.ino != i.ino || flags != 0 {
		return syscall.EXDEV
	}
	return i.disk.rename(i.ino, name, newName)
}

func (i *inode) Readdir(context.Context) (fs.DirStream, syscall.Errno) {
	all, errno := i.disk.list(i.ino)
	if errno != 0 {
		return nil, errno
	}
	entries := make([]fuse.DirEntry, len(all))
	for k, a := range all {
		entries[k] = fuse.DirEntry{Name: a.name, Ino: a.ino, Mode: a.mode()}
	}
	return fs.NewListDirStream(entries), 0
}

// Statfs tells of room enough for everybody.
func (i *inode) Statfs(_ context.Context, out *fuse.StatfsOut) syscall.Errno {
	const size = 16 << 30
	out.Bsize, out.Blocks, out.Bfree, out.Bavail = pageSize, size/pageSize, size/pageSize, size/pageSize
	out.NameLen = 255
	return 0
}

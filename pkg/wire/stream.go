package wire

import (
	"encoding/binary"
	"fmt"
)

// A stream is a connection that GET PathStream with an upgrade to StreamProtocol
// has turned over to frames. The client sends frames of requests, each with a
// number that it has not used on the stream before; the node answers each with a
// frame of replies of that number, in whatever order they come about. A frame is
// a head, then its body.
const (
	StreamProtocol   = "dyad-frames"
	HeaderTo         = "Dyad-Node"       // of the upgrade: the id of the node that it is for
	HeaderPartitions = "Dyad-Partitions" // of the upgrade: those of the cluster, as the client was told
	HeadSize         = 8                 // of a frame, in bytes
)

// Farewell is the number of the frame, without a body, by which a node says that
// it is about to go: it answers what is under way, but wants nothing new.
const Farewell = 0

// AppendHead appends room for a head; SetHead fills it in once the body follows.
func AppendHead(b []byte) []byte { return append(b, make([]byte, HeadSize)...) }

// SetHead makes b, the whole of one frame, begin with its head.
func SetHead(b []byte, number uint32) {
	binary.BigEndian.PutUint32(b, uint32(len(b)-HeadSize))
	binary.BigEndian.PutUint32(b[4:], number)
}

// Head reads a frame's head: its number and the size of its body in bytes.
func Head(b [HeadSize]byte) (number uint32, size int, err error) {
	n := binary.BigEndian.Uint32(b[:])
	if n > MaxFrameBytes {
		return 0, 0, fmt.Errorf("%w: a body of %d bytes, of which %d are allowed", ErrFrame, n, MaxFrameBytes)
	}
	return binary.BigEndian.Uint32(b[4:]), int(n), nil
}

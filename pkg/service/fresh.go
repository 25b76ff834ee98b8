package service

import (
	"crypto/rand"
	"encoding/binary"
)

// FreshNumber returns a number that no process is likely to have drawn before;
// never zero.
func FreshNumber() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand aborts the program instead
	return binary.BigEndian.Uint64(b[:]) | 1
}

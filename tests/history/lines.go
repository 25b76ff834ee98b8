package history

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
)

// maxLine bounds one line of a history file, in bytes: a user of 64 KiB twice,
// escaped, and room.
const maxLine = 1 << 20

// Write writes ops as JSON lines, one operation each.
func Write(w io.Writer, ops []Operation) error {
	buf := bufio.NewWriter(w)
	enc := json.NewEncoder(buf)
	enc.SetEscapeHTML(false)
	for i, op := range ops {
		if err := enc.Encode(op); err != nil {
			return fmt.Errorf("write operation %d: %w", i+1, err)
		}
	}
	if err := buf.Flush(); err != nil {
		return fmt.Errorf("write a history: %w", err)
	}
	return nil
}

// Read reads what Write wrote. Errors name the line.
func Read(r io.Reader) ([]Operation, error) {
	scanner := bufio.NewScanner(r)
	scanner.Buffer(make([]byte, 0, 64<<10), maxLine)
	var ops []Operation
	for scanner.Scan() {
		var op Operation
		if err := json.Unmarshal(scanner.Bytes(), &op); err != nil {
			return nil, fmt.Errorf("line %d of the history: %w", len(ops)+1, err)
		}
		ops = append(ops, op)
	}
	if err := scanner.Err(); err != nil {
		return nil, fmt.Errorf("line %d of the history: %w", len(ops)+1, err)
	}
	return ops, nil
}

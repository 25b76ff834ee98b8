package mem

import "github.com/cespare/xxhash/v2"

// node is a treap that is never changed once made: put and remove copy the path
// to the root. So a root is a snapshot, free of charge and of locks. The
// priorities are hashes of the keys, hence the shape depends on the keys alone.
type node struct {
	key         string
	value       []byte
	priority    uint64
	left, right *node
}

// get returns the node of key, or nil.
func (n *node) get(key []byte) *node {
	for n != nil && n.key != string(key) {
		if string(key) < n.key {
			n = n.left
		} else {
			n = n.right
		}
	}
	return n
}

func (n *node) put(key string, value []byte) *node {
	return n.insert(&node{key: key, value: value, priority: xxhash.Sum64String(key)})
}

func (n *node) insert(fresh *node) *node {
	// Parents never have a lower priority than their children, so below a node
	// that ranks under fresh its key can't be present.
	if n == nil || fresh.priority > n.priority {
		fresh.left, fresh.right = n.split(fresh.key)
		return fresh
	}
	c := *n
	switch {
	case fresh.key < n.key:
		c.left = n.left.insert(fresh)
	case fresh.key > n.key:
		c.right = n.right.insert(fresh)
	default:
		c.value = fresh.value
	}
	return &c
}

// split returns the keys below key and those above it.
func (n *node) split(key string) (below, above *node) {
	if n == nil {
		return nil, nil
	}
	c := *n
	if n.key < key {
		c.right, above = n.right.split(key)
		return &c, above
	}
	below, c.left = n.left.split(key)
	return below, &c
}

// remove takes out a key that is present.
func (n *node) remove(key string) *node {
	if n.key == key {
		return join(n.left, n.right)
	}
	c := *n
	if key < n.key {
		c.left = n.left.remove(key)
	} else {
		c.right = n.right.remove(key)
	}
	return &c
}

// join merges two trees, all keys of the first below all of the second.
func join(below, above *node) *node {
	switch {
	case below == nil:
		return above
	case above == nil:
		return below
	case below.priority >= above.priority:
		c := *below
		c.right = join(below.right, above)
		return &c
	default:
		c := *above
		c.left = join(below, above.left)
		return &c
	}
}

// scan calls fn in key order for the keys in [from, to), to being no bound when
// empty, and returns false when fn did.
func (n *node) scan(from, to string, fn func(key, value []byte) bool) bool {
	if n == nil {
		return true
	}
	if from < n.key && !n.left.scan(from, to, fn) {
		return false
	}
	if to != "" && n.key >= to {
		return true
	}
	if from <= n.key && !fn([]byte(n.key), n.value) {
		return false
	}
	return n.right.scan(from, to, fn)
}

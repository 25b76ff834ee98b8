package register

// bounded is a map from key to ballot that holds at most limit entries. A full
// one evicts the entry that was written longest ago.
type bounded struct {
	limit   int
	entries map[string]boundedEntry
	queue   []boundedSlot // in order of writing; a slot whose stamp is not the entry's is stale
	stamp   uint64
}

type boundedEntry struct {
	ballot Ballot
	stamp  uint64
}

type boundedSlot struct {
	key   string
	stamp uint64
}

func newBounded(limit int) bounded {
	return bounded{limit: limit, entries: make(map[string]boundedEntry)}
}

func (m *bounded) get(key string) (Ballot, bool) {
	e, ok := m.entries[key]
	return e.ballot, ok
}

func (m *bounded) drop(key string) { delete(m.entries, key) }

// put stores b and returns the entry that had to go for it, if one had to.
func (m *bounded) put(key string, b Ballot) (evictedKey string, evicted Ballot) {
	m.stamp++
	m.entries[key] = boundedEntry{b, m.stamp}
	m.queue = append(m.queue, boundedSlot{key, m.stamp})
	for len(m.entries) > m.limit {
		s := m.queue[0]
		m.queue = m.queue[1:]
		if e, ok := m.entries[s.key]; ok && e.stamp == s.stamp {
			delete(m.entries, s.key)
			evictedKey, evicted = s.key, e.ballot
		}
	}
	if len(m.queue) > 2*m.limit {
		m.compact()
	}
	return evictedKey, evicted
}

// compact drops stale slots, so that the queue stays within a few times limit.
func (m *bounded) compact() {
	live := make([]boundedSlot, 0, len(m.entries))
	for _, s := range m.queue {
		if e, ok := m.entries[s.key]; ok && e.stamp == s.stamp {
			live = append(live, s)
		}
	}
	m.queue = live
}

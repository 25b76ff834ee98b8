package sim

// event is something that happens at a moment of virtual time.
type event struct {
	at  int64
	seq uint64 // breaks ties in the order of scheduling
	run func()
}

func (e event) before(o event) bool {
	return e.at < o.at || e.at == o.at && e.seq < o.seq
}

// queue is a binary heap of events.
type queue struct {
	events []event
	seq    uint64
}

func (q *queue) push(at int64, run func()) {
	q.seq++
	q.events = append(q.events, event{at, q.seq, run})
	i := len(q.events) - 1
	for i > 0 {
		parent := (i - 1) / 2
		if !q.events[i].before(q.events[parent]) {
			return
		}
		q.events[i], q.events[parent] = q.events[parent], q.events[i]
		i = parent
	}
}

func (q *queue) pop() event {
	first := q.events[0]
	last := len(q.events) - 1
	q.events[0] = q.events[last]
	q.events[last] = event{} // the closure must not stay alive
	q.events = q.events[:last]
	i := 0
	for {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < last; child++ {
			if q.events[child].before(q.events[least]) {
				least = child
			}
		}
		if least == i {
			return first
		}
		q.events[i], q.events[least] = q.events[least], q.events[i]
		i = least
	}
}

func (q *queue) empty() bool { return len(q.events) == 0 }

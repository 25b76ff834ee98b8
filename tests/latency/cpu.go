package latency

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// cpuTime is what all processors together did since the machine started, in
// ticks.
type cpuTime struct{ busy, total uint64 }

// readCPU reads the first line of /proc/stat; zero where there is none.
func readCPU() cpuTime {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return cpuTime{}
	}
	line, _, _ := strings.Cut(string(text), "\n")
	return parseCPU(line)
}

// parseCPU reads "cpu user nice system idle iowait irq softirq steal ...". What
// follows steal is counted in user already.
func parseCPU(line string) cpuTime {
	var t cpuTime
	for i, field := range strings.Fields(line) {
		if i == 0 || i > 8 {
			continue
		}
		ticks, err := strconv.ParseUint(field, 10, 64)
		if err != nil {
			return cpuTime{}
		}
		t.total += ticks
		if i != 4 && i != 5 { // idle, iowait
			t.busy += ticks
		}
	}
	return t
}

// ticks returns what each process of the test has used so far.
func (w *Workload) ticks() map[int]uint64 {
	pids := []int{os.Getpid()}
	if w.config.PIDs != nil {
		pids = append(pids, w.config.PIDs()...)
	}
	used := map[int]uint64{}
	for _, pid := range pids {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err == nil { // else it was killed
			used[pid] = parseTicks(text)
		}
	}
	return used
}

// parseTicks reads user and system time, fields 14 and 15, from a process's
// stat. The second, the name in parentheses, may hold anything.
func parseTicks(stat []byte) uint64 {
	var sum uint64
	for i, field := range strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:])) {
		if i == 11 || i == 12 {
			ticks, _ := strconv.ParseUint(field, 10, 64) // 0 if it is none
			sum += ticks
		}
	}
	return sum
}

// share returns how busy the processors were from before to p, 0 to 1, and how
// much of that the test did not use itself. The last moments of a killed
// process count as used by others.
func (p phase) share(before phase) (busy, others float64) {
	total := float64(p.cpu.total) - float64(before.cpu.total)
	if total <= 0 {
		return 0, 0
	}
	var ours uint64
	for pid, ticks := range p.ours {
		ours += ticks - min(before.ours[pid], ticks)
	}
	busy = (float64(p.cpu.busy) - float64(before.cpu.busy)) / total
	return busy, max(busy-float64(ours)/total, 0)
}

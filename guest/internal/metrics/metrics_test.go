package metrics

import "testing"

func TestParseCPUCountsWaitingAsIdle(t *testing.T) {
	got := ParseCPU("cpu  10 1 20 100 50 3 4 5 999 999\ncpu0 1 1 1 1\n")
	if got != (CPU{Busy: 43, Total: 193}) {
		t.Fatal(got)
	}
}

func TestPercentIsSinceTheCallBefore(t *testing.T) {
	var m Meter
	for _, c := range []struct {
		now  CPU
		want float64
	}{{CPU{50, 100}, 50}, {CPU{50, 200}, 0}, {CPU{150, 300}, 100}, {CPU{150, 300}, 0},
		{CPU{140, 310}, 0}, {CPU{160, 320}, 100}} {
		if got := m.percent(c.now); got != c.want {
			t.Errorf("%v: %v", c.now, got)
		}
	}
}

func TestParseMemory(t *testing.T) {
	total, available := ParseMemory("MemTotal:       223768 kB\nMemFree: 1 kB\nMemAvailable:   181028 kB\n")
	if total != 223768 || available != 181028 {
		t.Fatal(total, available)
	}
}

// Package metrics reads the machine's numbers from /proc and /sys.
package metrics

import (
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// Metrics is GuestMetrics in src/nexus/protocol/guest.py.
type Metrics struct {
	UptimeS            float64     `json:"uptime_s"`
	CPUPercent         float64     `json:"cpu_percent"`
	CPUSeconds         float64     `json:"cpu_seconds"`
	CPUTotalSeconds    float64     `json:"cpu_total_seconds"`
	MemoryTotalKiB     int64       `json:"memory_total_kib"`
	MemoryAvailableKiB int64       `json:"memory_available_kib"`
	Load1              float64     `json:"load_1"`
	Load5              float64     `json:"load_5"`
	Load15             float64     `json:"load_15"`
	Processes          int         `json:"processes"`
	Disks              []Disk      `json:"disks"`
	Interfaces         []Interface `json:"interfaces"`
	RootTotalBytes     uint64      `json:"root_total_bytes"`
	RootFreeBytes      uint64      `json:"root_free_bytes"`
}

// Disk is a block device's traffic since boot.
type Disk struct {
	Name         string `json:"name"`
	ReadBytes    int64  `json:"read_bytes"`
	WrittenBytes int64  `json:"written_bytes"`
}

// Interface is a network interface with its traffic since boot.
type Interface struct {
	Name          string   `json:"name"`
	MAC           string   `json:"mac"`
	Addresses     []string `json:"addresses"`
	ReceivedBytes int64    `json:"received_bytes"`
	SentBytes     int64    `json:"sent_bytes"`
}

// Meter remembers the last reading, against which CPU use is measured.
type Meter struct {
	mu   sync.Mutex
	last CPU
}

// Read takes a reading.
func (m *Meter) Read() (Metrics, error) {
	var r Metrics
	cpu := ParseCPU(text("/proc/stat"))
	r.CPUPercent = m.percent(cpu)
	r.CPUSeconds, r.CPUTotalSeconds = float64(cpu.Busy)/ticksPerSecond, float64(cpu.Total)/ticksPerSecond
	r.UptimeS = number(text("/proc/uptime"), 0)
	load := text("/proc/loadavg")
	r.Load1, r.Load5, r.Load15 = number(load, 0), number(load, 1), number(load, 2)
	r.MemoryTotalKiB, r.MemoryAvailableKiB = ParseMemory(text("/proc/meminfo"))
	r.Processes = processes()
	r.Disks = disks()
	r.Interfaces = interfaces()
	var root syscall.Statfs_t
	if err := syscall.Statfs("/", &root); err != nil {
		return r, err
	}
	r.RootTotalBytes = root.Blocks * uint64(root.Bsize)
	r.RootFreeBytes = root.Bavail * uint64(root.Bsize)
	return r, nil
}

func (m *Meter) percent(now CPU) float64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	busy, total := now.Busy-m.last.Busy, now.Total-m.last.Total
	m.last = now
	if total <= 0 {
		return 0
	}
	return min(100, max(0, 100*float64(busy)/float64(total))) // single counters do go back: idle, iowait and steal
}

const ticksPerSecond = 100 // USER_HZ, the same on every architecture that we run on

// CPU is time in ticks, all processors together.
type CPU struct{ Busy, Total int64 }

// ParseCPU reads the first line of /proc/stat (proc(5)): user nice system idle iowait irq softirq steal.
func ParseCPU(stat string) CPU {
	var c CPU
	line, _, _ := strings.Cut(stat, "\n")
	for i, field := range strings.Fields(line) {
		if i == 0 || i > 8 { // guest time is part of user time
			continue
		}
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return CPU{}
		}
		c.Total += n
		if i != 4 && i != 5 {
			c.Busy += n
		}
	}
	return c
}

// ParseMemory reads MemTotal and MemAvailable from /proc/meminfo, in KiB.
func ParseMemory(meminfo string) (total, available int64) {
	for line := range strings.Lines(meminfo) {
		switch name, rest, _ := strings.Cut(line, ":"); name {
		case "MemTotal":
			total = int64(number(rest, 0))
		case "MemAvailable":
			available = int64(number(rest, 0))
		}
	}
	return total, available
}

func processes() int {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return 0
	}
	n := 0
	for _, e := range entries {
		if c := e.Name()[0]; c >= '1' && c <= '9' {
			n++
		}
	}
	return n
}

// disks reads /sys/block/*/stat (Documentation/block/stat.rst): fields 2 and 6 are sectors of 512 bytes.
func disks() []Disk {
	list := []Disk{}
	stats, _ := filepath.Glob("/sys/block/*/stat") // the pattern is constant and valid
	for _, p := range stats {
		name := filepath.Base(filepath.Dir(p))
		if strings.HasPrefix(name, "loop") || strings.HasPrefix(name, "ram") {
			continue
		}
		s := text(p)
		list = append(list, Disk{name, int64(number(s, 2)) * 512, int64(number(s, 6)) * 512})
	}
	return list
}

func interfaces() []Interface {
	list := []Interface{}
	all, err := net.Interfaces()
	if err != nil {
		return list
	}
	for _, i := range all {
		if i.Flags&net.FlagLoopback != 0 {
			continue
		}
		statistics := filepath.Join("/sys/class/net", i.Name, "statistics")
		list = append(list, Interface{
			Name: i.Name, MAC: i.HardwareAddr.String(), Addresses: addresses(i),
			ReceivedBytes: int64(number(text(filepath.Join(statistics, "rx_bytes")), 0)),
			SentBytes:     int64(number(text(filepath.Join(statistics, "tx_bytes")), 0)),
		})
	}
	return list
}

func addresses(i net.Interface) []string {
	list := []string{}
	found, err := i.Addrs()
	if err != nil {
		return list
	}
	for _, a := range found {
		list = append(list, a.String())
	}
	return list
}

// number is the field of s at the given place; 0 when it is missing.
func number(s string, field int) float64 {
	f := strings.Fields(s)
	if field >= len(f) {
		return 0
	}
	n, err := strconv.ParseFloat(f[field], 64)
	if err != nil {
		return 0
	}
	return n
}

func text(p string) string {
	b, err := os.ReadFile(p)
	if err != nil {
		return ""
	}
	return string(b)
}

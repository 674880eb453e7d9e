package filesystems

import (
	"fmt"
	"strings"
)

// mount is a line of mountinfo (proc(5)) that may be frozen.
type mount struct {
	point  string
	device string // major:minor
}

// writable returns the mounts of text that keep something on a block device, the last mounted first, each device once.
func writable(text string) []mount {
	var mounts []mount
	seen := map[string]bool{}
	for line := range strings.Lines(text) {
		before, after, _ := strings.Cut(line, " - ")
		f, super := strings.Fields(before), strings.Fields(after)
		if len(f) < 6 || len(super) < 3 || seen[f[2]] || !strings.HasPrefix(super[1], "/dev/") || !isWritable(super[2]) {
			continue
		}
		seen[f[2]] = true
		mounts = append([]mount{{point: unescaped.Replace(f[4]), device: f[2]}}, mounts...)
	}
	return mounts
}

func isWritable(options string) bool { return options == "rw" || strings.HasPrefix(options, "rw,") }

// unescaped turns what mountinfo writes for separators back.
var unescaped = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)

// deviceName is how mountinfo writes a device number; makedev(3).
func deviceName(dev uint64) string {
	major := dev>>8&0xfff | dev>>32&^0xfff
	minor := dev&0xff | dev>>12&^0xff
	return fmt.Sprintf("%d:%d", major, uint32(minor))
}

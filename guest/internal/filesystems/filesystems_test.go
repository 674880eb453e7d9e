package filesystems

import (
	"slices"
	"syscall"
	"testing"
)

const mountinfo = `29 1 0:26 / / rw,relatime - overlay overlay rw,lowerdir=/base
30 29 0:5 / /dev rw,nosuid - devtmpfs dev rw
31 29 254:32 / /data rw,relatime shared:1 - ext4 /dev/vdc rw
32 31 7:0 / /data/in\040side rw,relatime shared:2 - ext4 /dev/loop0 rw,discard
33 29 254:32 /sub /bound rw,relatime shared:1 - ext4 /dev/vdc rw
34 29 254:0 / /base ro,relatime - squashfs /dev/vda ro
35 29 254:48 / /seen ro,relatime - ext4 /dev/vdd rw
36 29 0:40 / /net rw - nfs4 host:/x rw
`

func TestWritableFindsWhatIsOnDisksTheLastFirstAndOnce(t *testing.T) {
	want := []mount{{"/seen", "254:48"}, {"/data/in side", "7:0"}, {"/data", "254:32"}}
	if got := writable(mountinfo); !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
}

func TestDeviceNameIsTheOneOfMountinfo(t *testing.T) {
	for dev, want := range map[uint64]string{0xfe20: "254:32", 0x1a: "0:26", 0x1000fe01: "254:65537"} {
		if got := deviceName(dev); got != want {
			t.Errorf("%#x: %s", dev, got)
		}
	}
}

func TestThawOfNothingSaysSo(t *testing.T) {
	var f Freezer
	if f.Thaw() {
		t.Error("held what it never had")
	}
}

func TestAHoldThatRanOutIsToldOnceToWhoThaws(t *testing.T) {
	f := Freezer{holds: true}
	f.expire()
	if f.Thaw() {
		t.Error("claims to have held to the end")
	}
}

func TestPlacesLeavesOutWhatAnotherIsMountedOver(t *testing.T) {
	var at syscall.Stat_t
	if err := syscall.Stat("/", &at); err != nil {
		t.Fatal(err)
	}
	line := func(device string) string { return "31 29 " + device + " / / rw - ext4 /dev/vdc rw\n" }
	var f Freezer
	if got := f.places(line("254:999")); len(got) != 0 {
		t.Errorf("%v", got)
	}
	if got := f.places(line(deviceName(at.Dev))); len(got) != 1 || got[0].name != "/" {
		t.Errorf("%v", got)
	}
}

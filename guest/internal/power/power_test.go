package power

import (
	"syscall"
	"testing"
)

func TestSignalFor(t *testing.T) {
	for _, c := range []struct {
		init, action string
		want         syscall.Signal
	}{
		{"systemd", PowerOff, 38}, {"systemd", Reboot, 39},
		{"busybox", PowerOff, syscall.SIGUSR2}, {"busybox", Reboot, syscall.SIGTERM},
		{"busybox.static", PowerOff, syscall.SIGUSR2}, {"sysvinit", PowerOff, 0}, {"", Reboot, 0},
	} {
		if got := signalFor(c.init, c.action); got != c.want {
			t.Errorf("%s %s: %d", c.init, c.action, got)
		}
	}
}

func TestListens(t *testing.T) {
	const status = "Name:\tsystemd\nSigBlk:\t0000002000000000\nSigIgn:\tffffffffffffffff\nSigCgt:\t0000000000004000\n"
	for signal, want := range map[syscall.Signal]bool{38: true, syscall.SIGTERM: true, syscall.SIGUSR2: false} {
		if listens(status, signal) != want {
			t.Errorf("signal %d", signal)
		}
	}
}

func TestRootIsReadOnlyGoesByTheLastMount(t *testing.T) {
	const other = "30 29 0:5 / /dev rw,nosuid - devtmpfs dev rw\n"
	for text, want := range map[string]bool{
		"29 1 0:26 / / rw,relatime - overlay overlay rw\n" + other:                                  false,
		"29 1 0:26 / / ro,relatime - overlay overlay ro\n" + other:                                  true,
		"1 1 0:2 / / ro - rootfs none ro\n29 1 0:26 / / rw,relatime - overlay overlay rw\n" + other: false,
		"": false,
	} {
		if rootIsReadOnly(text) != want {
			t.Errorf("%q", text)
		}
	}
}

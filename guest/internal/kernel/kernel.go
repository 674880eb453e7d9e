// Package kernel holds the system calls that the standard library does not wrap.
package kernel

import (
	"fmt"
	"os"
	"syscall"
	"unsafe"
)

// Ioctl calls ioctl(2) with a pointer argument.
func Ioctl(fd int, request uintptr, arg unsafe.Pointer) error {
	if _, _, e := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), request, uintptr(arg)); e != 0 {
		return e
	}
	return nil
}

// LoadModule inserts a kernel module; one that is already there is no error.
func LoadModule(path string) error {
	image, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	options := [1]byte{}
	_, _, e := syscall.Syscall(syscall.SYS_INIT_MODULE,
		uintptr(unsafe.Pointer(unsafe.SliceData(image))), uintptr(len(image)), uintptr(unsafe.Pointer(&options)))
	if e != 0 && e != syscall.EEXIST {
		return fmt.Errorf("load %s: %w", path, e)
	}
	return nil
}

// Levels of Log, as in printk.
const (
	Critical = 2
	Error    = 3
	Info     = 6
)

// kmsg stays open: /dev is elsewhere for a while on the way to the new root.
var kmsg *os.File

// OpenLog makes Log possible; dev is where devtmpfs is mounted. It is called once, before anything else runs.
func OpenLog(dev string) error {
	var err error
	kmsg, err = os.OpenFile(dev+"/kmsg", os.O_WRONLY, 0)
	return err
}

// Log writes a line to the kernel's log, and so to the machine's console if the kernel shows that level there.
// It goes out before the call returns; a message before a power-off is not lost.
func Log(level int, format string, args ...any) {
	fmt.Fprintf(kmsg, "<%d>nexus: %s\n", level, fmt.Sprintf(format, args...)) // without a log nobody can be told
}

// SetClock sets the system clock to milliseconds since 1970, UTC.
func SetClock(unixMilliseconds int64) error {
	at := syscall.NsecToTimeval(unixMilliseconds * 1e6)
	return syscall.Settimeofday(&at)
}

// SinceBoot is the time since the kernel started, in nanoseconds, suspended time included.
func SinceBoot() int64 {
	const clockBoottime = 7
	var t syscall.Timespec
	syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, clockBoottime, uintptr(unsafe.Pointer(&t)), 0)
	return t.Nano()
}

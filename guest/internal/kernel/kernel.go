// Package kernel holds the system calls that the standard library does not wrap.
package kernel

import (
	"encoding/binary"
	"errors"
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

// Freeze writes out everything of the file system that f lies on and has further writes wait, linux/fs.h. It cannot be
// interrupted. EBUSY: it is frozen already.
func Freeze(f *os.File) error { return Ioctl(int(f.Fd()), 0xc0045877, nil) } // FIFREEZE

// Thaw ends that. EINVAL: it was not frozen.
func Thaw(f *os.File) error { return Ioctl(int(f.Fd()), 0xc0045878, nil) } // FITHAW

// AddEntropy mixes seed into the kernel's random number generator, counted as fully random, and has the generator that
// everybody reads start anew from it; random(4).
func AddEntropy(seed []byte) error {
	const addEntropy, reseed = 0x40085203, 0x5207 // RNDADDENTROPY, RNDRESEEDCRNG
	f, err := os.OpenFile("/dev/urandom", os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	pool := make([]byte, 8, 8+len(seed)) // struct rand_pool_info
	binary.NativeEndian.PutUint32(pool, uint32(8*len(seed)))
	binary.NativeEndian.PutUint32(pool[4:], uint32(len(seed)))
	pool = append(pool, seed...)
	err = Ioctl(int(f.Fd()), addEntropy, unsafe.Pointer(unsafe.SliceData(pool)))
	if err := errors.Join(err, Ioctl(int(f.Fd()), reseed, nil)); err != nil {
		return fmt.Errorf("entropy: %w", err)
	}
	return nil
}

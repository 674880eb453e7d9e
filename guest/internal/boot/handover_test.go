package boot

import (
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
)

func TestAMountThatSomebodyIsInGoesOutOfSight(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can mount")
	}
	runtime.LockOSThread() // for ever: the thread ends with the test, and its mounts with it
	if err := syscall.Unshare(syscall.CLONE_NEWNS); err != nil {
		t.Skip(err)
	}
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, ""); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, "file")
	file, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := detach(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(name); !os.IsNotExist(err) {
		t.Errorf("it is still to be seen: %v", err)
	}
}

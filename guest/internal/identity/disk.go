package identity

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

type disk struct {
	base string
	// isKept: files that are there are written to, see rewrite.
	isKept bool
	// hasReplaced: a file was made, or put in the place of another. That is on the disk some time later, and in order only
	// with more of its kind: from then on nothing is written to files themselves.
	hasReplaced bool
}

func (d *disk) path(p string) string { return filepath.Join(d.base, p) }

// read returns a file's text, empty when there is none.
func (d *disk) read(p string) string {
	b, err := os.ReadFile(d.path(p))
	if err != nil {
		return ""
	}
	return string(b)
}

// write replaces the file in one step, unless it says so already. A file that is there keeps its mode and owner.
func (d *disk) write(p, text string, mode fs.FileMode) error {
	target := d.path(p)
	if real, err := filepath.EvalSymlinks(target); err == nil {
		target = real
	}
	old, err := os.Stat(target)
	if err == nil && d.same(target, text) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return err
	}
	d.hasReplaced = true
	draft, err := os.CreateTemp(filepath.Dir(target), ".nexus-*")
	if err != nil {
		return err
	}
	if old != nil {
		mode = old.Mode().Perm()
		err = copyOwner(draft, old)
	}
	_, err2 := draft.WriteString(text)
	if err := errors.Join(err, err2, draft.Chmod(mode), draft.Close()); err != nil {
		return errors.Join(err, os.Remove(draft.Name()))
	}
	return os.Rename(draft.Name(), target)
}

func (d *disk) same(target, text string) bool {
	b, err := os.ReadFile(target)
	return err == nil && string(b) == text
}

// rewrite is write for a file of some lines that every boot writes, and for machine-id. In a kept disk it writes to the
// file itself: to make another one and have it take the place is 5,000 pieces of code which a guest that was just restored
// runs for the first time (docs/adr/0046). Who reads meanwhile, and what comes after a power cut, may find the end of one
// text behind the other: of hosts(5) that is this machine's own line, machine-id is always as long.
func (d *disk) rewrite(p, text string, mode fs.FileMode) error {
	return d.overwrite(p, text, mode, func(f *os.File, old string) error {
		_, err := f.WriteAt([]byte(text), 0)
		if err == nil && len(old) > len(text) {
			err = f.Truncate(int64(len(text)))
		}
		return err
	})
}

// exchange is rewrite for what the next boot would not mend: text has to be as long as what is there, so that it is one
// block of the disk, either way; and it is on the disk when this returns, so before anything that is written later.
func (d *disk) exchange(p, text string, mode fs.FileMode) error {
	return d.overwrite(p, text, mode, func(f *os.File, old string) error {
		if len(old) != len(text) {
			return d.write(p, text, mode)
		}
		_, err := f.WriteAt([]byte(text), 0)
		return errors.Join(err, syscall.Fdatasync(int(f.Fd())))
	})
}

// overwrite has change write text to the file, which holds something else; or writes it the usual way.
func (d *disk) overwrite(p, text string, mode fs.FileMode, change func(f *os.File, old string) error) error {
	const block = 1024 // the smallest there is of ext4
	if !d.isKept || d.hasReplaced || len(text) > block || d.same(d.path(p), text) {
		return d.write(p, text, mode)
	}
	f, err := os.OpenFile(d.path(p), os.O_RDWR, 0)
	if err != nil {
		return d.write(p, text, mode)
	}
	defer f.Close()
	old := make([]byte, block+1)
	n, err := f.Read(old)
	if n > block || err != nil && err != io.EOF {
		return d.write(p, text, mode)
	}
	return change(f, string(old[:n]))
}

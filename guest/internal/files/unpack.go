package files

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"nexus/guest/internal/memory"
)

// Owner is whose the files will be.
type Owner struct{ UID, GID int }

// Unpacked is what an archive came to.
type Unpacked struct {
	Files int64 `json:"files"`
	Bytes int64 `json:"bytes"`
}

// Target is where an archive goes: below root; where name is not empty, its one tree gets that name.
type Target struct {
	root *os.Root
	name string
}

// Aim finds out where an archive that is meant for p goes, as cp(1) does: into p where that is a directory, else to p
// itself, in a directory that must be there.
func Aim(p string) (*Target, error) {
	if !filepath.IsAbs(p) {
		return nil, fmt.Errorf("%q is not an absolute path", p)
	}
	at, err := os.Stat(p)
	if err == nil && at.IsDir() {
		return opened(p, "")
	}
	if strings.HasSuffix(p, "/") {
		return nil, fmt.Errorf("there is no directory %s", p)
	}
	dir, name := filepath.Split(filepath.Clean(p))
	if at, err := os.Stat(dir); err != nil || !at.IsDir() {
		return nil, fmt.Errorf("there is no directory %s", dir)
	}
	return opened(dir, name)
}

func opened(dir, name string) (*Target, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, errors.New(words(dir, err))
	}
	return &Target{root, name}, nil
}

// Close lets go of the directory.
func (t *Target) Close() error { return t.root.Close() }

type unpacker struct {
	*Target
	owner Owner
	top   string
	done  Unpacked
	dirs  []*tar.Header // their modes and times are set last: one may be read-only
}

// Unpack writes what an archive holds. On an error it stops; what was written whole until then stays.
func (t *Target) Unpack(r io.Reader, owner Owner) (Unpacked, error) {
	u := &unpacker{Target: t, owner: owner}
	in := tar.NewReader(r)
	for {
		h, err := in.Next()
		if err == io.EOF {
			return u.done, u.finish()
		}
		if err != nil {
			return u.done, fmt.Errorf("the archive cannot be read: %w", err)
		}
		if h.Typeflag == tar.TypeXGlobalHeader {
			continue
		}
		if err := u.take(h, in); err != nil {
			return u.done, errors.Join(err, u.finish())
		}
	}
}

func (u *unpacker) take(h *tar.Header, in io.Reader) (err error) {
	given := h.Name
	if h.Name, err = u.place(given); err != nil {
		return err
	}
	if h.Typeflag == tar.TypeLink {
		if h.Linkname, err = u.place(h.Linkname); err != nil {
			return err
		}
	}
	if err := u.write(h, in); err != nil {
		return errors.New(words(given, err))
	}
	u.done.Files++
	return nil
}

// place is where an entry goes, relative to the root.
func (u *unpacker) place(name string) (string, error) {
	clean := path.Clean(name)
	if !filepath.IsLocal(clean) {
		return "", fmt.Errorf("%q leads out of its directory", name)
	}
	if u.name == "" || clean == "." {
		return clean, nil
	}
	top, rest, _ := strings.Cut(clean, "/")
	if u.top != "" && u.top != top {
		return "", fmt.Errorf("there is no directory %s to hold several files", u.name)
	}
	u.top = top
	return path.Join(u.name, rest), nil
}

func (u *unpacker) write(h *tar.Header, in io.Reader) error {
	if dir := path.Dir(h.Name); dir != "." {
		if err := u.root.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	switch h.Typeflag {
	case tar.TypeDir:
		return u.writeDirectory(h)
	case tar.TypeReg:
		return u.writeFile(h, in)
	case tar.TypeSymlink:
		return u.replace(h, func(as string) error { return u.root.Symlink(h.Linkname, as) })
	case tar.TypeLink:
		return u.replace(h, func(as string) error { return u.root.Link(h.Linkname, as) })
	}
	return errors.New("neither file, directory nor link")
}

func (u *unpacker) writeDirectory(h *tar.Header) error {
	if h.Name == "." {
		return nil // the directory that was there before us keeps what it has
	}
	err := u.root.Mkdir(h.Name, 0o700)
	if errors.Is(err, fs.ErrExist) {
		if at, failed := u.root.Stat(h.Name); failed == nil && at.IsDir() {
			return nil
		}
	}
	if err == nil {
		err = u.root.Lchown(h.Name, u.owner.UID, u.owner.GID)
	}
	u.dirs = append(u.dirs, h)
	return err
}

func (u *unpacker) writeFile(h *tar.Header, in io.Reader) error {
	return u.replace(h, func(as string) error {
		f, err := u.root.OpenFile(as, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return err
		}
		buf := memory.Borrow()
		n, err := io.CopyBuffer(struct{ io.Writer }{f}, struct{ io.Reader }{in}, buf[:])
		memory.GiveBack(buf)
		u.done.Bytes += n
		// The owner first: chown(2) takes the set-user-ID bit away.
		err = errors.Join(err, f.Chown(u.owner.UID, u.owner.GID), syscall.Fchmod(int(f.Fd()), uint32(h.Mode&0o7777)), f.Close())
		if err == nil {
			err = u.root.Chtimes(as, time.Time{}, h.ModTime)
		}
		return err
	})
}

// replace makes something under a name of its own and then puts it in the place of what was there.
func (u *unpacker) replace(h *tar.Header, make func(as string) error) error {
	if at, err := u.root.Lstat(h.Name); err == nil && at.IsDir() {
		return errors.New("there is a directory of that name")
	}
	as := path.Join(path.Dir(h.Name), fmt.Sprintf(".nexus-%d-%d", time.Now().UnixNano(), u.done.Files))
	err := make(as)
	if err == nil && h.Typeflag == tar.TypeSymlink {
		err = u.root.Lchown(as, u.owner.UID, u.owner.GID)
	}
	if err == nil {
		err = u.root.Rename(as, h.Name)
	}
	if err != nil || h.Typeflag == tar.TypeLink { // rename(2) of two names of one file leaves both
		u.root.Remove(as)
	}
	return err
}

func (u *unpacker) finish() error {
	var failed []error
	for i := len(u.dirs) - 1; i >= 0; i-- {
		h := u.dirs[i]
		err := errors.Join(u.root.Chmod(h.Name, h.FileInfo().Mode()), u.root.Chtimes(h.Name, time.Time{}, h.ModTime))
		if err != nil {
			failed = append(failed, errors.New(words(h.Name, err)))
		}
	}
	return errors.Join(failed...)
}

// words says what is wrong with which file, without the name of the system call.
func words(name string, err error) string {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return name + ": " + errno.Error()
	}
	return name + ": " + err.Error()
}

func modified(at *syscall.Stat_t) time.Time {
	return time.Unix(int64(at.Mtim.Sec), int64(at.Mtim.Nsec))
}

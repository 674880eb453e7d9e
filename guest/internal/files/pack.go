// Package files moves trees of files into and out of the guest as tar streams (POSIX pax format).
//
// What must stay true: nothing that comes is written outside of the directory it was meant for, whatever its names and
// links say; a file is there whole or as it was before; what could not be read is never missing in silence.
package files

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"nexus/guest/internal/memory"
)

// ErrorRecord is the pax record by which a stream says why it ends here, without the end that a whole archive has.
const ErrorRecord = "NEXUS.error"

type device struct{ dev, ino uint64 }

type packer struct {
	out   *tar.Writer
	top   string // the name of the tree in the archive
	from  string
	dev   uint64
	links map[device]string
}

// Top checks that p can be packed and returns what it really is: a link is followed here, and only here.
func Top(p string) (string, error) {
	if !filepath.IsAbs(p) {
		return "", fmt.Errorf("%q is not an absolute path", p)
	}
	real, err := filepath.EvalSymlinks(p)
	if err != nil {
		return "", errors.New(words(p, err))
	}
	at, err := os.Lstat(real)
	if err != nil {
		return "", errors.New(words(p, err))
	}
	if !at.IsDir() && !at.Mode().IsRegular() {
		return "", fmt.Errorf("%s is neither a file nor a directory", p)
	}
	return real, nil
}

// Pack writes the tree at real as an archive in which it has the name that asked ends with. It stays within one file
// system. An error is part of the stream, unless the stream itself broke.
func Pack(w io.Writer, asked, real string) error {
	var top syscall.Stat_t
	if err := syscall.Stat(real, &top); err != nil {
		return err
	}
	name := filepath.Base(filepath.Clean(asked))
	if name == "/" {
		name = "root"
	}
	p := &packer{out: tar.NewWriter(w), top: name, from: real, dev: uint64(top.Dev), links: map[device]string{}}
	err := filepath.WalkDir(real, p.add)
	if err == nil {
		return p.out.Close()
	}
	return errors.Join(err, say(p.out, err))
}

// say ends a stream with the reason for its end.
func say(out *tar.Writer, why error) error {
	record := map[string]string{ErrorRecord: why.Error()}
	h := &tar.Header{Typeflag: tar.TypeXGlobalHeader, Name: "error", PAXRecords: record}
	return errors.Join(out.WriteHeader(h), out.Flush())
}

func (p *packer) add(path string, entry fs.DirEntry, err error) error {
	if err != nil {
		return errors.New(words(path, err))
	}
	var at syscall.Stat_t
	if err := syscall.Lstat(path, &at); err != nil {
		if err == syscall.ENOENT && path != p.from {
			return nil // it went while we were on our way
		}
		return errors.New(words(path, err))
	}
	below, err := filepath.Rel(p.from, path)
	if err != nil {
		return err
	}
	h := &tar.Header{
		Name: filepath.Join(p.top, below), Mode: int64(at.Mode & 0o7777), Uid: int(at.Uid), Gid: int(at.Gid),
		ModTime: modified(&at), Format: tar.FormatPAX,
	}
	switch at.Mode & syscall.S_IFMT {
	case syscall.S_IFDIR:
		return p.addDirectory(h, &at)
	case syscall.S_IFREG:
		return p.addFile(h, path, &at)
	case syscall.S_IFLNK:
		h.Typeflag = tar.TypeSymlink
		if h.Linkname, err = os.Readlink(path); err != nil {
			return errors.New(words(path, err))
		}
		return p.out.WriteHeader(h)
	}
	return nil // sockets, pipes and devices are no content
}

func (p *packer) addDirectory(h *tar.Header, at *syscall.Stat_t) error {
	h.Typeflag, h.Name = tar.TypeDir, h.Name+"/"
	if err := p.out.WriteHeader(h); err != nil {
		return err
	}
	if uint64(at.Dev) != p.dev {
		return fs.SkipDir // another file system: /proc in /, say
	}
	return nil
}

func (p *packer) addFile(h *tar.Header, path string, at *syscall.Stat_t) error {
	if at.Nlink > 1 {
		id := device{uint64(at.Dev), at.Ino}
		if first, known := p.links[id]; known {
			h.Typeflag, h.Linkname = tar.TypeLink, first
			return p.out.WriteHeader(h)
		}
		p.links[id] = h.Name
	}
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return errors.New(words(path, err))
	}
	defer f.Close()
	h.Typeflag, h.Size = tar.TypeReg, at.Size
	if err := p.out.WriteHeader(h); err != nil {
		return err
	}
	buf := memory.Borrow()
	defer memory.GiveBack(buf)
	n, err := io.CopyBuffer(struct{ io.Writer }{p.out}, struct{ io.Reader }{io.LimitReader(f, at.Size)}, buf[:])
	if err == nil && n < at.Size {
		err = errors.New("it became shorter while it was read")
	}
	if err == nil {
		return nil
	}
	clear(buf[:])
	for n < at.Size { // the entry must have the length it promised before the reason can follow
		more, err := p.out.Write(buf[:min(int64(len(buf)), at.Size-n)])
		if n += int64(more); err != nil {
			return err
		}
	}
	return errors.New(words(path, err))
}

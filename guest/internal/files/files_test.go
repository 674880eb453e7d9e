package files

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

var me = Owner{os.Getuid(), os.Getgid()}

func archive(t *testing.T, entries ...*tar.Header) io.Reader {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range entries {
		content := h.Uname // where a test says what is in a file
		h.Uname, h.Size = "", int64(len(content))
		if h.Mode == 0 {
			h.Mode = 0o644
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		io.WriteString(w, content)
	}
	w.Close()
	return &b
}

func unpack(t *testing.T, to string, entries ...*tar.Header) error {
	t.Helper()
	target, err := Aim(to)
	if err != nil {
		return err
	}
	defer target.Close()
	_, err = target.Unpack(archive(t, entries...), me)
	return err
}

func TestATreeComesBackAsItWas(t *testing.T) {
	from, to := filepath.Join(t.TempDir(), "tree"), t.TempDir()
	os.MkdirAll(from+"/sub/empty", 0o755)
	os.WriteFile(from+"/sub/run.sh", []byte("#!/bin/sh\n"), 0o755)
	os.Chmod(from+"/sub/run.sh", 0o751|os.ModeSetuid)
	os.WriteFile(from+"/big", bytes.Repeat([]byte{7}, 3_000_000), 0o600)
	os.Link(from+"/big", from+"/sub/same")
	os.Symlink("../big", from+"/sub/link")
	os.Chmod(from+"/sub", 0o555)
	when := time.Unix(1_600_000_000, 0)
	os.Chtimes(from+"/big", when, when)
	os.Chtimes(from+"/sub", when, when)
	defer os.Chmod(from+"/sub", 0o755)
	var b bytes.Buffer
	if err := Pack(&b, from+"/", from); err != nil {
		t.Fatal(err)
	}
	target, err := Aim(to + "/other")
	if err != nil {
		t.Fatal(err)
	}
	done, err := target.Unpack(&b, me)
	defer os.Chmod(to+"/other/sub", 0o755)
	if err != nil || done.Files != 7 || done.Bytes != 3_000_010 {
		t.Fatalf("%+v, %v", done, err)
	}
	for name, mode := range map[string]os.FileMode{"/sub/run.sh": 0o751 | os.ModeSetuid, "/sub": 0o555 | os.ModeDir, "/big": 0o600} {
		if at, err := os.Lstat(to + "/other" + name); err != nil || at.Mode() != mode {
			t.Errorf("%s: %v, %v", name, at, err)
		}
	}
	one, _ := os.Stat(to + "/other/big")
	same, _ := os.Stat(to + "/other/sub/same")
	dir, _ := os.Stat(to + "/other/sub")
	if !os.SameFile(one, same) || !one.ModTime().Equal(when) || !dir.ModTime().Equal(when) {
		t.Errorf("links and times: %v %v %v", one, same, dir.ModTime())
	}
	if link, err := os.Readlink(to + "/other/sub/link"); link != "../big" {
		t.Errorf("%q, %v", link, err)
	}
}

func TestNothingIsWrittenOutside(t *testing.T) {
	base := t.TempDir()
	to, outside := base+"/in", base+"/out"
	os.Mkdir(to, 0o755)
	os.Mkdir(outside, 0o755)
	os.WriteFile(outside+"/kept", []byte("kept"), 0o644)
	os.Symlink(outside, to+"/there")
	for name, entries := range map[string][]*tar.Header{
		"dots":                  {{Name: "../out/x", Typeflag: tar.TypeReg, Uname: "x"}},
		"dots within":           {{Name: "a/../../out/x", Typeflag: tar.TypeReg, Uname: "x"}},
		"absolute":              {{Name: outside + "/x", Typeflag: tar.TypeReg, Uname: "x"}},
		"a link there":          {{Name: "there/x", Typeflag: tar.TypeReg, Uname: "x"}},
		"its own link":          {{Name: "l", Typeflag: tar.TypeSymlink, Linkname: "../out"}, {Name: "l/x", Typeflag: tar.TypeReg, Uname: "x"}},
		"a hard link":           {{Name: "h", Typeflag: tar.TypeLink, Linkname: "../out/kept"}},
		"a hard link by a link": {{Name: "h", Typeflag: tar.TypeLink, Linkname: "there/kept"}},
		"a directory":           {{Name: "there/d/", Typeflag: tar.TypeDir, Mode: 0o755}},
		"a device":              {{Name: "dev", Typeflag: tar.TypeChar}},
	} {
		if err := unpack(t, to, entries...); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
	if left, _ := os.ReadDir(outside); len(left) != 1 {
		t.Errorf("outside there is now %v", left)
	}
	if left, _ := filepath.Glob(to + "/.nexus-*"); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestALinkIsReplacedNotFollowed(t *testing.T) {
	to := t.TempDir()
	os.WriteFile(to+"/kept", []byte("kept"), 0o644)
	os.Symlink("kept", to+"/x")
	if err := unpack(t, to, &tar.Header{Name: "x", Typeflag: tar.TypeReg, Uname: "new"}); err != nil {
		t.Fatal(err)
	}
	kept, _ := os.ReadFile(to + "/kept")
	x, _ := os.ReadFile(to + "/x")
	if string(kept) != "kept" || string(x) != "new" {
		t.Errorf("%q %q", kept, x)
	}
}

func TestWhereAnArchiveGoes(t *testing.T) {
	to := t.TempDir()
	file := func() *tar.Header { return &tar.Header{Name: "given", Typeflag: tar.TypeReg, Uname: "x"} }
	for target, want := range map[string]string{to: to + "/given", to + "/": to + "/given", to + "/named": to + "/named"} {
		if err := unpack(t, target, file()); err != nil {
			t.Errorf("%s: %v", target, err)
		}
		if _, err := os.Stat(want); err != nil {
			t.Error(err)
		}
	}
	for _, target := range []string{"relative", to + "/nowhere/x", to + "/nowhere/", to + "/given/x", ""} {
		if err := unpack(t, target, file()); err == nil {
			t.Errorf("%s was taken", target)
		}
	}
	two := &tar.Header{Name: "second", Typeflag: tar.TypeReg}
	if err := unpack(t, to+"/one", file(), two); err == nil || !strings.Contains(err.Error(), "several files") {
		t.Errorf("two files with one name: %v", err)
	}
	os.Mkdir(to+"/dir", 0o755)
	if err := unpack(t, to, &tar.Header{Name: "dir", Typeflag: tar.TypeReg}); err == nil {
		t.Error("a file took a directory's place")
	}
}

func TestAFileIsWholeOrAsItWas(t *testing.T) {
	to := t.TempDir()
	os.WriteFile(to+"/x", []byte("before"), 0o644)
	whole, _ := io.ReadAll(archive(t, &tar.Header{Name: "x", Typeflag: tar.TypeReg, Uname: strings.Repeat("y", 5000)}))
	target, _ := Aim(to)
	if _, err := target.Unpack(bytes.NewReader(whole[:2000]), me); err == nil {
		t.Fatal("half an archive was taken")
	}
	if got, _ := os.ReadFile(to + "/x"); string(got) != "before" {
		t.Errorf("%.20q", got)
	}
	if left, _ := os.ReadDir(to); len(left) != 1 {
		t.Errorf("left behind: %v", left)
	}
}

func TestWhatCannotBeReadIsSaidInTheStream(t *testing.T) {
	for _, bad := range []string{"relative", t.TempDir() + "/nowhere", "/dev/null"} {
		if _, err := Top(bad); err == nil {
			t.Errorf("%s can be packed", bad)
		}
	}
	const unreadable = "/proc/self/mem" // a regular file whose first page nobody may read
	var b bytes.Buffer
	p := &packer{out: tar.NewWriter(&b), top: "mem", from: unreadable, links: map[device]string{}}
	err := p.addFile(&tar.Header{Name: "mem", Format: tar.FormatPAX}, unreadable, &syscall.Stat_t{Size: 50_000, Nlink: 1})
	if err == nil {
		t.Fatal("it was read")
	}
	if err := say(p.out, err); err != nil {
		t.Errorf("the reason cannot follow: %v", err)
	}
	b.Reset()
	if err := Pack(&b, "/x", t.TempDir()); err != nil || !bytes.HasSuffix(b.Bytes(), make([]byte, 1024)) {
		t.Errorf("a whole archive has its end: %v", err)
	}
	b.Reset()
	say(tar.NewWriter(&b), errors.New("why"))
	in := tar.NewReader(&b)
	if h, err := in.Next(); err != nil || h.Typeflag != tar.TypeXGlobalHeader || h.PAXRecords[ErrorRecord] != "why" {
		t.Errorf("%+v, %v", h, err)
	}
	if bytes.HasSuffix(b.Bytes(), make([]byte, 1024)) {
		t.Error("an archive that failed has the end of a whole one")
	}
}

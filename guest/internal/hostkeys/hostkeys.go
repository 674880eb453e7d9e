// Package hostkeys gives a machine that is a copy of another SSH host keys of its own, in the way of the image: OpenSSH's
// are made anew, of the kinds that were there; dropbear makes its own at the first connection (its option -R).
package hostkeys

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Run runs a program to its end.
type Run func(argv, env []string, patience time.Duration) error

const patience = 30 * time.Second

var (
	kinds     = []string{"dsa", "ecdsa", "ed25519", "rsa"}
	keygens   = []string{"/usr/bin/ssh-keygen", "/usr/local/bin/ssh-keygen", "/bin/ssh-keygen"}
	systemctl = "/usr/bin/systemctl"
)

// Directories is a state of the directories that host keys are in. It changes with every file that comes or goes.
type Directories [2]struct {
	inode            uint64
	modified, status syscall.Timespec
}

// Look returns how the directories below base are now.
func Look(base string) Directories {
	var now Directories
	for i, dir := range []string{"etc/dropbear", "etc/ssh"} {
		var at syscall.Stat_t
		if err := syscall.Stat(filepath.Join(base, dir), &at); err == nil {
			now[i].inode, now[i].modified, now[i].status = at.Ino, at.Mtim, at.Ctim
		}
	}
	return now
}

// Rehearse looks where Renew will.
func Rehearse(base string) {
	find(base)
	for _, program := range keygens {
		isThere(filepath.Join(base, program))
	}
}

// find returns the files with keys of dropbear, and of OpenSSH.
func find(base string) (old, ssh []string) {
	old, _ = filepath.Glob(filepath.Join(base, "etc/dropbear/dropbear_*_host_key")) // the patterns are constant and valid
	ssh, _ = filepath.Glob(filepath.Join(base, "etc/ssh/ssh_host_*_key*"))          // with .pub, and certificates
	return old, ssh
}

// MayBeInUse says whether a server may have read a key. before is how the directories were when none had begun: where
// there is no key now and no file has come or gone since, there was none at any time.
func MayBeInUse(base string, before Directories) bool {
	old, ssh := find(base)
	return len(old)+len(ssh) > 0 || Look(base) != before
}

// Renew removes the host keys below base ("/" in a machine) and makes new ones where the machine has the program for it.
func Renew(base string, run Run) error {
	old, ssh := find(base)
	var failed []error
	for _, file := range append(old, ssh...) {
		failed = append(failed, os.Remove(file))
	}
	keygen := slices.IndexFunc(keygens, func(p string) bool { return isThere(filepath.Join(base, p)) })
	for _, file := range ssh {
		kind, ok := kindOf(file)
		if keygen < 0 || !ok {
			continue
		}
		argv := []string{keygens[keygen], "-q", "-t", kind, "-N", "", "-f", file}
		failed = append(failed, run(argv, []string{"HOME=/root", "PATH=/usr/bin:/bin"}, patience))
	}
	return errors.Join(failed...)
}

// kindOf reads the kind from the name of a private key's file.
func kindOf(file string) (string, bool) {
	kind, ok := strings.CutPrefix(filepath.Base(file), "ssh_host_")
	kind, ok2 := strings.CutSuffix(kind, "_key")
	return kind, ok && ok2 && slices.Contains(kinds, kind)
}

func isThere(file string) bool {
	at, err := os.Stat(file)
	return err == nil && at.Mode().IsRegular()
}

// Reload has the running servers use the new keys. sshd reads them again at SIGHUP (sshd(8)); dropbear has to be started
// anew: by busybox's init, which keeps it running, or by systemd.
func Reload(run Run) error {
	init, _ := os.Readlink("/proc/1/exe") // it may not be read: then we do not know it
	var failed []error
	for _, p := range servers() {
		switch isBusybox := strings.HasPrefix(filepath.Base(init), "busybox"); {
		case p.name == "sshd":
			failed = append(failed, syscall.Kill(p.pid, syscall.SIGHUP))
		case isBusybox:
			failed = append(failed, syscall.Kill(p.pid, syscall.SIGTERM))
		case isThere(systemctl):
			argv := []string{systemctl, "--no-block", "try-restart", "dropbear.service"}
			failed = append(failed, run(argv, []string{"PATH=/usr/bin:/bin"}, patience))
		default:
			failed = append(failed, fmt.Errorf("dropbear (process %d) keeps its host keys until it is started anew", p.pid))
		}
	}
	return errors.Join(failed...)
}

type server struct {
	pid  int
	name string
}

// servers are the processes that the machine's init has started and that wait for connections: not those of a connection.
func servers() []server {
	var found []server
	for _, pid := range candidates(childrenOfInit) {
		b, err := os.ReadFile("/proc/" + pid + "/stat")
		if err != nil {
			continue // it has ended
		}
		if s, ok := parseServer(string(b)); ok {
			found = append(found, s)
		}
	}
	return found
}

// candidates are the numbers of all processes that init may have started: its children, which is far quicker than
// looking at every process. The kernel's list may lack one while another ends (proc(5)), so it is believed when it reads
// the same twice.
func candidates(list func() (string, error)) []string {
	for range 5 {
		once, err := list()
		again, err2 := list()
		if err != nil || err2 != nil {
			break // the kernel keeps no such list
		}
		if once == again {
			return strings.Fields(once)
		}
	}
	all, _ := filepath.Glob("/proc/[1-9]*") // the pattern is constant and valid
	for i, dir := range all {
		all[i] = filepath.Base(dir)
	}
	return all
}

func childrenOfInit() (string, error) {
	threads, err := os.ReadDir("/proc/1/task")
	var lists strings.Builder
	for _, thread := range threads {
		list, err := os.ReadFile("/proc/1/task/" + thread.Name() + "/children")
		if err != nil {
			return "", err
		}
		lists.Write(list)
	}
	return lists.String(), err
}

// parseServer reads /proc/PID/stat (proc(5)): number, name in brackets, state, parent's number.
func parseServer(stat string) (server, bool) {
	var s server
	var parent int
	var state string
	begin, end := strings.IndexByte(stat, '('), strings.LastIndexByte(stat, ')')
	if begin < 0 || end < begin {
		return s, false
	}
	s.name = stat[begin+1 : end]
	if s.name != "sshd" && s.name != "dropbear" {
		return s, false
	}
	_, err := fmt.Sscan(stat[:begin], &s.pid)
	_, err2 := fmt.Sscan(stat[end+1:], &state, &parent)
	return s, err == nil && err2 == nil && parent == 1
}

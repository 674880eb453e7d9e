package session

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"nexus/guest/internal/accounts"
	"nexus/guest/internal/kernel"
)

// Request is the body of POST /v1/sessions.
type Request struct {
	Kind      string            `json:"kind"`
	Argv      []string          `json:"argv"`
	User      string            `json:"user"`
	Cwd       string            `json:"cwd"`
	Env       map[string]string `json:"env"`
	TimeoutMs int64             `json:"timeout_ms"`
	OpenedBy  string            `json:"opened_by"`
	// IdleMs and UnwatchedMs end a session in which nothing was said for so long; 0: never. The second counts while
	// nobody watches.
	IdleMs      int64 `json:"idle_ms"`
	UnwatchedMs int64 `json:"unwatched_ms"`
	Size        *struct {
		Cols uint16 `json:"cols"`
		Rows uint16 `json:"rows"`
	} `json:"size"`
}

// program is what a request comes to on this machine.
type program struct {
	path string
	argv []string
	attr syscall.ProcAttr
}

// resolve finds out what to run, as whom and where. Its errors are the caller's mistakes, except a missing program: that
// is answered as a shell does, by exit code 127 or 126 (see missing).
func resolve(q Request) (*program, error) {
	a, err := account(q.User)
	if err != nil {
		return nil, err
	}
	p := &program{argv: q.Argv}
	p.attr.Dir, err = directory(q.Cwd, a.Home)
	if err != nil {
		return nil, err
	}
	env := environment(q, a)
	for name, value := range env {
		p.attr.Env = append(p.attr.Env, name+"="+value)
	}
	p.attr.Sys = &syscall.SysProcAttr{Setsid: true, Credential: &syscall.Credential{
		Uid: a.UID, Gid: a.GID, Groups: accounts.Groups(text("/etc/group"), a.Name),
	}}
	if len(q.Argv) == 0 {
		p.path = a.Shell
		p.argv = []string{"-" + filepath.Base(a.Shell)} // a login shell, login(1)
		return p, nil
	}
	p.path = lookUp(q.Argv[0], p.attr.Dir, env["PATH"])
	return p, nil
}

func account(name string) (accounts.Account, error) {
	a, ok := accounts.Find(text("/etc/passwd"), name)
	if !ok && name != "root" {
		return a, fmt.Errorf("there is no user %q", name)
	}
	if !ok {
		a = accounts.Account{Name: "root", Home: "/root"}
	}
	if a.Shell == "" {
		a.Shell = "/bin/sh" // passwd(5)
	}
	return a, nil
}

func directory(asked, home string) (string, error) {
	if asked != "" {
		if at, err := os.Stat(asked); err != nil || !at.IsDir() || !filepath.IsAbs(asked) {
			return "", fmt.Errorf("there is no directory %q", asked)
		}
		return asked, nil
	}
	if at, err := os.Stat(home); err == nil && at.IsDir() {
		return home, nil
	}
	return "/", nil
}

func environment(q Request, a accounts.Account) map[string]string {
	env := map[string]string{
		"HOME": a.Home, "USER": a.Name, "LOGNAME": a.Name, "SHELL": a.Shell,
		"PATH": "/usr/local/bin:/usr/bin:/bin",
	}
	if a.UID == 0 {
		env["PATH"] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	}
	if q.Kind == PTY {
		env["TERM"] = "xterm-256color"
	}
	for name, value := range q.Env {
		env[name] = value
	}
	return env
}

// lookUp finds a program as execvp(3) does; what it does not find it returns as it is, for execve(2) to refuse.
func lookUp(name, dir, path string) string {
	if strings.Contains(name, "/") {
		return name
	}
	for _, d := range filepath.SplitList(path) {
		if !filepath.IsAbs(d) {
			d = filepath.Join(dir, d)
		}
		p := filepath.Join(d, name)
		if at, err := os.Stat(p); err == nil && at.Mode().IsRegular() && at.Mode()&0o111 != 0 {
			return p
		}
	}
	return filepath.Join("/nonexistent", name)
}

// missing turns a program that cannot be run into the exit code and the words of a shell. False: another trouble.
func missing(name string, err error) (Exit, string, bool) {
	errno, ok := err.(syscall.Errno)
	switch {
	case ok && errno.Is(fs.ErrNotExist) || errno == syscall.ENOTDIR:
		return Exit{Code: 127}, name + ": not found\n", true
	case ok && errno.Is(fs.ErrPermission) || errno == syscall.ENOEXEC || errno == syscall.EISDIR:
		return Exit{Code: 126}, name + ": cannot be run: " + errno.Error() + "\n", true
	}
	return Exit{}, "", false
}

func text(file string) string {
	b, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	return string(b)
}

// start runs p with the session's streams and lets it go its way.
func (s *Session) start(p *program, q Request, spawn spawn) error {
	wire := s.wirePipes
	if s.kind == PTY {
		wire = s.wireTerminal
	}
	outputs, theirs, err := wire(p, q)
	if err != nil {
		return err
	}
	p.attr.Files = theirs
	s.child, err = spawn(p.path, p.argv, &p.attr)
	for _, fd := range unique(theirs) {
		syscall.Close(int(fd))
	}
	if err != nil {
		for _, f := range outputs {
			f.Close()
		}
		if s.kind == Exec {
			s.input.Close()
		}
		s.input = nil
		return err
	}
	s.watchIdleness()
	go s.run(outputs, time.Duration(q.TimeoutMs)*time.Millisecond)
	return nil
}

func (s *Session) wirePipes(*program, Request) (map[byte]*os.File, []uintptr, error) {
	var fds [6]int
	for i := range 3 {
		if err := syscall.Pipe2(fds[2*i:2*i+2], syscall.O_CLOEXEC); err != nil {
			for _, fd := range fds[:2*i] {
				syscall.Close(fd)
			}
			return nil, nil, err
		}
	}
	s.input = ours(fds[1], "stdin")
	outputs := map[byte]*os.File{frameOutput: ours(fds[2], "stdout"), frameErrorOutput: ours(fds[4], "stderr")}
	return outputs, []uintptr{uintptr(fds[0]), uintptr(fds[3]), uintptr(fds[5])}, nil
}

// ours makes a file that the runtime waits on without a thread; the other end stays as processes expect it, blocking.
func ours(fd int, name string) *os.File {
	syscall.SetNonblock(fd, true) // cannot fail on a pipe or terminal that was just opened
	return os.NewFile(uintptr(fd), name)
}

func (s *Session) wireTerminal(p *program, q Request) (map[byte]*os.File, []uintptr, error) {
	const unlock, openPeer = 0x40045431, 0x5441 // TIOCSPTLCK, TIOCGPTPEER
	master, err := syscall.Open("/dev/pts/ptmx", syscall.O_RDWR|syscall.O_NOCTTY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("open a terminal: %w", err)
	}
	locked := int32(0)
	if err := kernel.Ioctl(master, unlock, unsafe.Pointer(&locked)); err != nil {
		syscall.Close(master)
		return nil, nil, fmt.Errorf("unlock a terminal: %w", err)
	}
	peer, _, e := syscall.Syscall(syscall.SYS_IOCTL, uintptr(master), openPeer, syscall.O_RDWR|syscall.O_NOCTTY|syscall.O_CLOEXEC)
	if e != 0 {
		syscall.Close(master)
		return nil, nil, fmt.Errorf("open a terminal's other side: %w", e)
	}
	const ttyGroup = 5                                                  // as devpts is mounted
	syscall.Fchown(int(peer), int(p.attr.Sys.Credential.Uid), ttyGroup) // root may
	p.attr.Sys.Setctty = true
	s.input = ours(master, "terminal")
	if q.Size != nil {
		setSize(s.input, q.Size.Cols, q.Size.Rows) // a terminal takes any size
	}
	return map[byte]*os.File{frameOutput: s.input}, []uintptr{peer, peer, peer}, nil
}

func setSize(terminal *os.File, cols, rows uint16) error {
	raw, err := terminal.SyscallConn()
	if err != nil {
		return err
	}
	size := [4]uint16{rows, cols, 0, 0}
	refused := raw.Control(func(fd uintptr) { err = kernel.Ioctl(int(fd), syscall.TIOCSWINSZ, unsafe.Pointer(&size)) })
	if refused != nil {
		return refused
	}
	return err
}

func unique(fds []uintptr) []uintptr {
	if fds[0] == fds[1] {
		return fds[:1]
	}
	return fds
}

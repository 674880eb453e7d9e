package agent

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"time"

	"nexus/guest/internal/accounts"
	"nexus/guest/internal/dial"
	"nexus/guest/internal/files"
	"nexus/guest/internal/memory"
	"nexus/guest/internal/web"
)

// dialPatience is how long a program in the guest may take to accept a connection.
const dialPatience = 10 * time.Second

// halves is a connection of which each direction ends by itself, or both at once as if cut.
type halves interface {
	net.Conn
	CloseWrite() error
	Abort()
}

// upgraded turns a request into a pipe: bytes both ways. It answers the host by itself where that cannot be.
func upgraded(w *web.Answer, r *web.Request) (to halves, from io.Reader, ok bool) {
	if r.Header("upgrade") != "nexus-pipe" {
		w.Refuse(400, errors.New("this needs Upgrade: nexus-pipe"))
		return nil, nil, false
	}
	conn, in := w.Upgrade()
	to, ok = conn.(halves)
	if !ok || web.SwitchProtocols(conn, "nexus-pipe", "") != nil {
		conn.Close()
		return nil, nil, false
	}
	return to, in, true
}

func (a *Agent) getPort(w *web.Answer, r *web.Request) {
	port, err := strconv.ParseUint(r.Query.Get("port"), 10, 16)
	if err != nil || port == 0 {
		w.Refuse(400, errors.New("port is no number from 1 to 65535"))
		return
	}
	inside, err := dial.Local(uint16(port), dialPatience)
	if err != nil {
		w.Refuse(409, err)
		return
	}
	outside, in, ok := upgraded(w, r)
	if !ok {
		inside.Close()
		return
	}
	defer memory.Done()
	ended := make(chan error, 2)
	go func() { ended <- forward(inside, in) }()
	go func() { ended <- forward(outside, inside) }()
	for range 2 {
		if <-ended != nil { // a direction that was cut, not ended, takes the other along
			inside.Abort()
			outside.Abort()
		}
	}
	inside.Close()
	outside.Close()
}

// forward copies until the end of from, and passes that end on.
func forward(to halves, from io.Reader) error {
	buf := make([]byte, memory.BufferBytes)
	if _, err := io.CopyBuffer(struct{ io.Writer }{to}, struct{ io.Reader }{from}, buf); err != nil {
		return err
	}
	return to.CloseWrite()
}

func (a *Agent) getPull(w *web.Answer, r *web.Request) {
	asked := r.Query.Get("path")
	real, err := files.Top(asked)
	if err != nil {
		w.Refuse(409, err)
		return
	}
	out, _, ok := upgraded(w, r)
	if !ok {
		return
	}
	defer memory.Done()
	defer out.Close()
	buffered := bufio.NewWriterSize(out, memory.BufferBytes)
	files.Pack(buffered, asked, real) // what could not be read is said in the stream
	buffered.Flush()
	out.CloseWrite()
	out.SetReadDeadline(time.Now().Add(time.Minute))
	io.Copy(io.Discard, out) // until the host has it all
}

func (a *Agent) getPush(w *web.Answer, r *web.Request) {
	owner, err := a.owner(r.Query.Get("user"))
	if err != nil {
		w.Refuse(400, err)
		return
	}
	target, err := files.Aim(r.Query.Get("path"))
	if err != nil {
		w.Refuse(409, err)
		return
	}
	defer target.Close()
	out, in, ok := upgraded(w, r)
	if !ok {
		return
	}
	defer memory.Done()
	defer out.Close()
	unpacked, err := target.Unpack(in, owner)
	if err == nil {
		_, err = io.Copy(io.Discard, in) // tar(1) pads its archives
	}
	said := struct {
		files.Unpacked
		Error string `json:"error,omitempty"`
	}{Unpacked: unpacked}
	if err != nil {
		said.Error = err.Error()
	}
	if body, err := json.Marshal(said); err == nil {
		out.Write(body) // a host that has gone cannot be told
	}
}

// owner is whose the files of a push will be: of the named user, or of the machine's.
func (a *Agent) owner(name string) (files.Owner, error) {
	if name == "" {
		name = a.sessions.DefaultUser()
	}
	passwd, err := os.ReadFile("/etc/passwd")
	if err != nil && !os.IsNotExist(err) {
		return files.Owner{}, err
	}
	if account, ok := accounts.Find(string(passwd), name); ok {
		return files.Owner{UID: int(account.UID), GID: int(account.GID)}, nil
	}
	if name == "root" {
		return files.Owner{}, nil
	}
	return files.Owner{}, fmt.Errorf("there is no user %q", name)
}

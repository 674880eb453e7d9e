// Package agent answers the host: HTTP over the streams of the guest channel.
package agent

import (
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"nexus/guest/internal/children"
	"nexus/guest/internal/config"
	"nexus/guest/internal/kernel"
	"nexus/guest/internal/memory"
	"nexus/guest/internal/metadata"
	"nexus/guest/internal/metrics"
	"nexus/guest/internal/mux"
	"nexus/guest/internal/power"
	"nexus/guest/internal/session"
	"nexus/guest/internal/virtio"
	"nexus/guest/internal/vsock"
	"nexus/guest/internal/web"
)

const (
	portName     = "nexus.mux"
	vsockPort    = 1024
	portPatience = 3 * time.Second
)

// Agent is the in-guest agent.
type Agent struct {
	sessions *session.Book
	user     string // runs, and owns, what names no other
	power    *power.Switch
	meter    metrics.Meter
	metadata metadata.Service
	health   health
}

// Machine is what the agent is told of the machine it is in.
type Machine struct {
	Version     string
	DefaultUser string // runs the sessions that name none
	Family      *children.Family
	Disk        *power.Disk // nil: nothing is written
	Terminated  <-chan os.Signal
	Metadata    *config.Metadata
	Failed      error // what went wrong on the way here: health shows it
}

// New returns an agent for m.
func New(m Machine) *Agent {
	memory.Economize()
	a := &Agent{sessions: session.NewBook(m.Family, m.DefaultUser), user: m.DefaultUser}
	a.power = power.NewSwitch(a.sessions.HangUp, m.Disk, m.Terminated)
	a.health = health{Version: m.Version, Protocol: Protocol, Warnings: []string{},
		Capabilities: []string{"metrics", "time", "power", "exec", "pty", "pipes", "metadata"}}
	m.Failed = errors.Join(m.Failed, a.metadata.Serve(m.Metadata))
	if m.Failed != nil {
		kernel.Log(kernel.Error, "%v", m.Failed)
		a.health.Warnings = strings.Split(m.Failed.Error(), "\n")
	}
	return a
}

// Carriers are what the host may come by, opened and not yet served.
type Carriers struct {
	mux   *mux.Mux
	vsock *vsock.Listener
}

// Open opens the port and the vsock listener. A machine has one of them.
func Open() Carriers {
	var c Carriers
	var err error
	if c.vsock, err = vsock.Listen(vsockPort); err != nil {
		kernel.Log(kernel.Info, "no vsock: %v", err)
	}
	if c.vsock != nil && !virtio.HasConsole() {
		return c
	}
	port, err := virtio.Open(portName, portPatience)
	if err == nil {
		c.mux = mux.New(port)
	} else {
		kernel.Log(kernel.Error, "%v", err)
	}
	return c
}

// Serve answers the host for as long as the machine lives.
func (a *Agent) Serve(c Carriers) {
	a.health.BootMs = kernel.SinceBoot() / 1e6
	server := a.server()
	if c.vsock != nil {
		go serve(server, c.vsock)
	}
	if c.mux != nil {
		go serve(server, c.mux)
		err := c.mux.Serve()
		kernel.Log(kernel.Error, "the port %s failed: %v", portName, err)
	}
	select {}
}

func serve(s *web.Server, l net.Listener) {
	if err := s.Serve(l); err != nil && err != io.EOF {
		kernel.Log(kernel.Error, "%s: %v", l.Addr().Network(), err)
	}
}

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
	"nexus/guest/internal/dial"
	"nexus/guest/internal/filesystems"
	"nexus/guest/internal/hostkeys"
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
	self     self
	family   *children.Family
	freezer  filesystems.Freezer
	power    *power.Switch
	meter    metrics.Meter
	metadata metadata.Service
	health   health
}

// Machine is what the agent is told of the machine it is in.
type Machine struct {
	Version    string
	Config     *config.Config
	Family     *children.Family
	Disk       *power.Disk // nil: nothing is written
	Terminated <-chan os.Signal
	Failed     error // what went wrong on the way here: health shows it
}

// New returns an agent for m.
func New(m Machine) *Agent {
	memory.Economize()
	a := &Agent{sessions: session.NewBook(m.Family, m.Config.User.Name), family: m.Family}
	a.self.config, a.freezer.State = m.Config, m.Disk.Dir()
	a.self.keys = hostkeys.Look("/")
	a.power = power.NewSwitch(a.sessions.HangUp, m.Disk, m.Terminated)
	a.health.said = said{Version: m.Version, Protocol: Protocol, Capabilities: []string{
		"metrics", "time", "power", "exec", "pty", "pipes", "metadata", "freeze", "identity"}}
	m.Failed = errors.Join(m.Failed, a.metadata.Serve(m.Config.Metadata))
	if m.Failed != nil {
		kernel.Log(kernel.Error, "%v", m.Failed)
		a.health.said.Warnings = strings.Split(m.Failed.Error(), "\n")
	}
	return a
}

// Carriers are what the host may come by, opened and not yet served.
type Carriers struct {
	mux   *mux.Mux
	vsock *dial.Listener
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
	a.health.said.BootMs = kernel.SinceBoot() / 1e6
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

package boot

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"nexus/guest/internal/config"
	"nexus/guest/internal/kernel"
	"nexus/guest/internal/mux"
	"nexus/guest/internal/virtio"
	"nexus/guest/internal/web"
)

// A zygote is a machine that has come as far as nothing in it is of one machine only, and waits to be told which it is:
// the host saves it, and machines begin from there. No driver has its disks and interfaces yet, so that those which a
// machine is given are found as at any boot.
//
// What must stay true: it answers none but the host that means a zygote (mux.For), so that it is never taken for a machine
// that has booted; and the entropy it is given is mixed in before anything else is done.

const (
	// zygoteHello begins the nonce of who means a zygote; src/nexus/agent/vmm/qemu/zygote_channel.py has it too.
	zygoteHello  = "zygote: "
	zygotePort   = "nexus.mux"
	portPatience = 10 * time.Second
	maxBegin     = 1 << 20
	leastEntropy = 32
)

// ofMachines are the drivers of what differs between machines.
var ofMachines = []string{"virtio_blk.ko", "virtio_net.ko"}

// wait loads the drivers, waits for a configuration, and only then lets drivers have the machine's disks and interfaces.
func wait(modules []string) (*config.Config, error) {
	var common, own []string
	for _, file := range modules {
		if slices.Contains(ofMachines, filepath.Base(file)) {
			own = append(own, file)
		} else {
			common = append(common, file)
		}
	}
	if len(own) != len(ofMachines) {
		return nil, errors.New("this kernel has its drivers built in: it cannot wait without those of disks and interfaces")
	}
	load(common)
	if err := os.WriteFile(autoprobe, []byte("0"), 0); err != nil {
		return nil, err
	}
	load(own)
	c, err := begun()
	if err != nil {
		return nil, err
	}
	return c, probe()
}

const (
	autoprobe = "/sys/bus/virtio/drivers_autoprobe"
	probeOne  = "/sys/bus/virtio/drivers_probe"
)

// probe lets drivers have the devices that have none, in the order of a boot: names of disks are given in it.
func probe() error {
	if err := os.WriteFile(autoprobe, []byte("1"), 0); err != nil {
		return err
	}
	for number := 0; ; number++ {
		device := fmt.Sprintf("virtio%d", number)
		at := "/sys/bus/virtio/devices/" + device
		if _, err := os.Stat(at); err != nil {
			return nil // they are numbered without gaps
		}
		if _, err := os.Lstat(at + "/driver"); err == nil {
			continue
		}
		if err := os.WriteFile(probeOne, []byte(device), 0); err != nil {
			kernel.Log(kernel.Error, "%s: %v", device, err) // what needs it says so itself
		}
	}
}

// begun serves POST /v1/begin until that has brought a configuration, which then is this machine's.
func begun() (*config.Config, error) {
	port, err := virtio.Open(zygotePort, portPatience)
	if err != nil {
		return nil, err
	}
	m := mux.New(port)
	m.For = zygoteHello
	told := make(chan *config.Config, 1)
	s := &web.Server{}
	s.Handle("GET /v1/begin", func(a *web.Answer, _ *web.Request) { a.JSON(200, map[string]bool{"waits": true}) })
	s.Handle("POST /v1/begin", func(a *web.Answer, r *web.Request) {
		c, err := begin(r.Body)
		if err != nil {
			a.Refuse(400, err)
			return
		}
		a.JSON(200, map[string]bool{"ok": true}) // a host that does not get it gives this machine up
		select {
		case told <- c:
		default: // it has been told
		}
	})
	ended := make(chan error, 1)
	go s.Serve(m)
	go func() { ended <- m.Serve() }()
	select {
	case err := <-ended:
		return nil, errors.Join(err, port.Close())
	case c := <-told:
		err := port.Close() // the agent opens it next
		<-ended
		return c, err
	}
}

// begin takes a request over.
func begin(body io.Reader) (*config.Config, error) {
	b, err := io.ReadAll(io.LimitReader(body, maxBegin))
	if err != nil {
		return nil, err
	}
	var q struct {
		Config  json.RawMessage `json:"config"`
		Entropy []byte          `json:"entropy"`
	}
	if err := json.Unmarshal(b, &q); err != nil {
		return nil, err
	}
	c, err := config.Parse(q.Config)
	if err != nil {
		return nil, err
	}
	if len(q.Entropy) < leastEntropy {
		return nil, fmt.Errorf("entropy has to be %d bytes", leastEntropy)
	}
	if err := kernel.AddEntropy(q.Entropy); err != nil {
		return nil, err
	}
	// What the clock shows is a zygote's time, and never right by chance: unlike a boot's, this word is a moment old.
	if c.TimeUnixMs != nil {
		if err := kernel.SetClock(*c.TimeUnixMs); err != nil {
			return nil, err
		}
	}
	return c, os.WriteFile(config.Path, q.Config, 0o600) // for the agent
}

package restored

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"nexus/guest/internal/config"
	"nexus/guest/internal/hostkeys"
)

const (
	// hooksDir is where programs of the machine's own are, that want to know that it was restored.
	hooksDir = "/etc/nexus/clone.d"
	// hookPatience and hooksPatience bound one of them, and all of them.
	hookPatience  = 10 * time.Second
	hooksPatience = 20 * time.Second
)

// RunHooks runs the hooks one after the other, by name. former is what the machine was when it was saved, c what it is.
func RunHooks(reason string, former, c *config.Config, run hostkeys.Run) error {
	return runHooks(hooksDir, environment(reason, former, c), run, time.Now)
}

func environment(reason string, former, c *config.Config) []string {
	return []string{
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root",
		"NEXUS_REASON=" + reason,
		"NEXUS_HOSTNAME=" + c.Hostname, "NEXUS_MACHINE_ID=" + c.MachineID,
		"NEXUS_FORMER_HOSTNAME=" + former.Hostname, "NEXUS_FORMER_MACHINE_ID=" + former.MachineID,
	}
}

func runHooks(dir string, env []string, run hostkeys.Run, now func() time.Time) error {
	entries, err := os.ReadDir(dir) // sorted
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("hooks: %w", err)
	}
	var failed []error
	until := now().Add(hooksPatience)
	for _, entry := range entries {
		file := filepath.Join(dir, entry.Name())
		if !isHook(file) {
			continue
		}
		left := until.Sub(now())
		if left <= 0 {
			failed = append(failed, fmt.Errorf("hook %s: not run, for those before it took %s", file, hooksPatience))
			continue
		}
		if err := run([]string{file}, env, min(left, hookPatience)); err != nil {
			failed = append(failed, fmt.Errorf("hook %w", err))
		}
	}
	return errors.Join(failed...)
}

// isHook: executable, and not what editors and package managers leave behind.
func isHook(file string) bool {
	name := filepath.Base(file)
	if strings.HasPrefix(name, ".") || strings.HasSuffix(name, "~") || strings.Contains(name, ".dpkg-") {
		return false
	}
	at, err := os.Stat(file)
	return err == nil && at.Mode().IsRegular() && at.Mode()&0o111 != 0
}

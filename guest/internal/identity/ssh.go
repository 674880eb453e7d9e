package identity

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"nexus/guest/internal/accounts"
)

// authorize adds keys to the account's authorized_keys. The directory belongs to the user, who may have put a link
// there that leads to somebody else's file: os.Root keeps us inside the home, links are refused, and the file is
// replaced, not written through.
func authorize(home string, a accounts.Account, keys []string) error {
	if len(keys) == 0 {
		return nil
	}
	root, err := os.OpenRoot(home)
	if err != nil {
		return err
	}
	defer root.Close()
	if err := root.Mkdir(".ssh", 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if at, err := root.Lstat(".ssh"); err != nil || !at.IsDir() {
		return errors.Join(err, fmt.Errorf("%s/.ssh is not a directory", home))
	}
	dir, err := root.OpenRoot(".ssh")
	if err != nil {
		return err
	}
	defer dir.Close()
	return errors.Join(dir.Chmod(".", 0o700), dir.Chown(".", int(a.UID), int(a.GID)), addKeys(dir, a, keys))
}

func addKeys(dir *os.Root, a accounts.Account, keys []string) error {
	const file, draft = "authorized_keys", ".nexus-authorized_keys"
	text := ""
	if at, err := dir.Lstat(file); err == nil && at.Mode().IsRegular() {
		b, err := dir.ReadFile(file)
		if err != nil {
			return err
		}
		text = string(b)
	}
	text = AuthorizedKeys(text, keys)
	if err := dir.Remove(draft); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := dir.OpenFile(draft, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	if err := errors.Join(err, f.Chown(int(a.UID), int(a.GID)), f.Chmod(0o600), f.Close()); err != nil {
		return err
	}
	return dir.Rename(draft, file)
}

// AuthorizedKeys returns text with every key in it, each on a line of its own.
func AuthorizedKeys(text string, keys []string) string {
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	there := map[string]bool{}
	for line := range strings.Lines(text) {
		there[strings.TrimSpace(line)] = true
	}
	for _, key := range keys {
		if key = strings.TrimSpace(key); key != "" && !there[key] {
			there[key] = true
			text += key + "\n"
		}
	}
	return text
}

// copyOwner gives draft the owner of the file that it will replace.
func copyOwner(draft *os.File, old fs.FileInfo) error {
	if s, ok := old.Sys().(*syscall.Stat_t); ok {
		return draft.Chown(int(s.Uid), int(s.Gid))
	}
	return nil
}

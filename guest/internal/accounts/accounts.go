// Package accounts reads and edits the texts of passwd(5), group(5) and shadow(5). It is pure: no files.
package accounts

import (
	"fmt"
	"strconv"
	"strings"
)

// Account is a line of passwd(5).
type Account struct {
	Name  string
	UID   uint32
	GID   uint32
	Home  string
	Shell string
}

// Find returns the account called name.
func Find(passwd, name string) (Account, bool) {
	for line := range strings.Lines(passwd) {
		f := strings.Split(strings.TrimRight(line, "\n"), ":")
		if len(f) < 7 || f[0] != name {
			continue
		}
		uid, err := strconv.ParseUint(f[2], 10, 32)
		gid, err2 := strconv.ParseUint(f[3], 10, 32)
		if err != nil || err2 != nil {
			continue
		}
		return Account{Name: name, UID: uint32(uid), GID: uint32(gid), Home: f[5], Shell: f[6]}, true
	}
	return Account{}, false
}

// Groups returns the ids of the groups that list name as a member.
func Groups(group, name string) []uint32 {
	var ids []uint32
	for line := range strings.Lines(group) {
		f := strings.Split(strings.TrimRight(line, "\n"), ":")
		if len(f) < 4 {
			continue
		}
		id, err := strconv.ParseUint(f[2], 10, 32)
		if err != nil {
			continue
		}
		for member := range strings.SplitSeq(f[3], ",") {
			if member == name {
				ids = append(ids, uint32(id))
			}
		}
	}
	return ids
}

// Files are the three texts.
type Files struct{ Passwd, Group, Shadow string }

const firstUserID = 1000

// Ensure returns the texts with an account called name in them, and the account; one that is there stays as it is.
func Ensure(f Files, name, shell string) (Files, Account) {
	if a, ok := Find(f.Passwd, name); ok {
		return f, a
	}
	a := Account{Name: name, Home: "/home/" + name, Shell: shell}
	if name == "root" {
		a.Home = "/root"
	} else {
		a.UID = freeID(f.Passwd, f.Group)
		a.GID = a.UID
	}
	if gid, ok := groupID(f.Group, name); ok {
		a.GID = gid
	} else {
		f.Group = withLine(f.Group, fmt.Sprintf("%s:x:%d:", name, a.GID))
	}
	f.Passwd = withLine(f.Passwd, fmt.Sprintf("%s:x:%d:%d::%s:%s", name, a.UID, a.GID, a.Home, a.Shell))
	return f, a
}

// SetPassword returns the texts with name's password hash (crypt(5)) in shadow, where passwd says it is. An empty hash
// locks login by password. day counts from 1970, for the date of the change.
func SetPassword(f Files, name, hash string, day int) Files {
	if hash == "" {
		hash = "!"
	}
	f.Passwd = edit(f.Passwd, name, func(fields []string) { fields[1] = "x" })
	found := false
	f.Shadow = edit(f.Shadow, name, func(fields []string) {
		found = true
		fields[1] = hash
		if len(fields) > 2 {
			fields[2] = strconv.Itoa(day)
		}
	})
	if !found {
		f.Shadow = withLine(f.Shadow, fmt.Sprintf("%s:%s:%d:0:99999:7:::", name, hash, day))
	}
	return f
}

func edit(text, name string, change func(fields []string)) string {
	var out strings.Builder
	for line := range strings.Lines(text) {
		f := strings.Split(strings.TrimRight(line, "\n"), ":")
		if len(f) < 2 || f[0] != name {
			out.WriteString(line)
			continue
		}
		change(f)
		out.WriteString(strings.Join(f, ":") + "\n")
	}
	return out.String()
}

func groupID(group, name string) (uint32, bool) {
	for line := range strings.Lines(group) {
		f := strings.Split(strings.TrimRight(line, "\n"), ":")
		if len(f) >= 3 && f[0] == name {
			id, err := strconv.ParseUint(f[2], 10, 32)
			return uint32(id), err == nil
		}
	}
	return 0, false
}

// freeID is the first id from 1000 on that neither a user nor a group has.
func freeID(passwd, group string) uint32 {
	taken := map[string]bool{}
	for line := range strings.Lines(passwd + "\n" + group) {
		if f := strings.Split(line, ":"); len(f) > 2 {
			taken[f[2]] = true
		}
	}
	id := uint32(firstUserID)
	for taken[strconv.FormatUint(uint64(id), 10)] {
		id++
	}
	return id
}

func withLine(text, line string) string {
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	return text + line + "\n"
}

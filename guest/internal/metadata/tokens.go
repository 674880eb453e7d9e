package metadata

import (
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"
)

const (
	longest   = 21600 // seconds
	maxTokens = 256
)

// tokens are those given out, with their ends. They are of no use outside of this guest.
type tokens map[string]time.Time

// give makes a token that is good for so many seconds. When there are too many, the one that would end first goes.
func (t tokens) give(seconds string, now time.Time) (string, error) {
	n, err := strconv.Atoi(seconds)
	if err != nil || n < 1 || n > longest {
		return "", fmt.Errorf("a token is good for 1 to %d seconds", longest)
	}
	source, err := os.Open("/dev/urandom")
	if err != nil {
		return "", err
	}
	defer source.Close()
	var secret [32]byte
	if _, err := io.ReadFull(source, secret[:]); err != nil {
		return "", err
	}
	for len(t) >= maxTokens {
		delete(t, t.first())
	}
	token := hex.EncodeToString(secret[:])
	t[token] = now.Add(time.Duration(n) * time.Second)
	return token, nil
}

func (t tokens) good(token string, now time.Time) bool {
	end, known := t[token]
	return known && now.Before(end)
}

func (t tokens) first() string {
	found := ""
	for token, end := range t {
		if found == "" || end.Before(t[found]) {
			found = token
		}
	}
	return found
}

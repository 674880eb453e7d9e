package agent

import (
	"encoding/json"
	"strings"
	"testing"
)

const (
	goodEntropy = `"entropy": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="`
	goodTime    = `"time_unix_ms": 1`
	goodConfig  = `"config": {"hostname": "web", "machine_id": "0123456789abcdef0123456789abcdef",
		"root": {"device": "/dev/vda", "fs": "ext4"}}`
)

func TestAnIdentityRequestIsWholeOrRefused(t *testing.T) {
	for body, want := range map[string]string{
		`{"reason": "clone", ` + goodEntropy + `, ` + goodTime + `, ` + goodConfig + `}`:          "",
		`{"reason": "rollback", ` + goodEntropy + `, ` + goodTime + `, "config": null}`:           "",
		`{"reason": "rollback", ` + goodEntropy + `, ` + goodTime + `}`:                           "",
		`{"reason": "birth", ` + goodEntropy + `, ` + goodTime + `}`:                              "reason is",
		`{"reason": "clone", ` + goodEntropy + `, ` + goodTime + `}`:                              "needs a configuration",
		`{"reason": "rollback", ` + goodEntropy + `, ` + goodTime + `, ` + goodConfig + `}`:       "nothing else takes one",
		`{"reason": "rollback", "entropy": "AAAA", ` + goodTime + `}`:                             "entropy is",
		`{"reason": "rollback", ` + goodEntropy + `}`:                                             "time_unix_ms",
		`{"reason": "clone", ` + goodEntropy + `, ` + goodTime + `, "config": {"hostname": "_"}}`: "hostname",
	} {
		var q identityRequest
		if err := json.Unmarshal([]byte(body), &q); err != nil {
			t.Fatal(err)
		}
		c, err := q.check()
		if want == "" && (err != nil || (c != nil) != (q.Reason == "clone")) {
			t.Errorf("%s: %v %v", body, c, err)
		}
		if want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v", body, err)
		}
	}
}

func TestHealthShowsWhatFailedAtBootAndAtTheLastRestore(t *testing.T) {
	var h health
	h.said.Warnings = []string{"boot"}
	h.later = []string{"restore"}
	if got := strings.Join(h.now().Warnings, " "); got != "boot restore" {
		t.Error(got)
	}
	h.later = nil
	if got := strings.Join(h.now().Warnings, " "); got != "boot" {
		t.Error(got)
	}
}

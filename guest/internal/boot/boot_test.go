package boot

import (
	"testing"
	"time"
)

func TestAClockThatIsLaterByWhatABootTakesIsRight(t *testing.T) {
	written := time.UnixMilli(1_800_000_000_000)
	for late, right := range map[time.Duration]bool{
		-24 * time.Hour: false, // none but the kernel's own beginning
		-time.Second:    false,
		0:               true,
		9 * time.Second: true,
		mostLate:        false, // a hardware clock that is wrong, or in local time
		time.Hour:       false,
	} {
		if isRight(written.Add(late), written) != right {
			t.Errorf("%v late: right is %v", late, !right)
		}
	}
}

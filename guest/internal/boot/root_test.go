package boot

import (
	"encoding/binary"
	"testing"
)

func TestGrowthOf(t *testing.T) {
	super := make([]byte, 1024)
	binary.LittleEndian.PutUint32(super[0x04:], 1000)
	binary.LittleEndian.PutUint32(super[0x18:], 2) // blocks of 4096 bytes
	for device, want := range map[uint64]uint64{1000 * 4096: 0, 1000*4096 + 4095: 0, 2000 * 4096: 2000, 10: 0} {
		got := growthOf(super, device)
		if (got == nil) != (want == 0) || got != nil && got.blocks != want {
			t.Errorf("device of %d bytes: %v", device, got)
		}
	}
	binary.LittleEndian.PutUint32(super[0x60:], 0x80)
	binary.LittleEndian.PutUint32(super[0x150:], 1)
	if got := growthOf(super, 1<<32*4096); got != nil {
		t.Errorf("a file system of more than 2^32 blocks grows to %d", got.blocks)
	}
}

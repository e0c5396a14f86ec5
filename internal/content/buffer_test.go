package content

import "testing"

func TestLargeBuffersAreCounted(t *testing.T) {
	all := newBuffers()
	var lent []*buffer
	large := func() (n int) {
		for _, b := range lent {
			if len(b.bytes()) == largeBuffer {
				n++
			}
		}
		return n
	}
	for range 2 * largeBuffers {
		lent = append(lent, all.borrow())
	}
	if n := large(); n != 0 {
		t.Errorf("%d are large before anything came", n)
	}
	for range 2 {
		for _, b := range lent {
			b.fit(true)
		}
		if n := large(); n != largeBuffers {
			t.Errorf("%d are large, want %d", n, largeBuffers)
		}
	}
	lent[0].fit(false)
	lent[1].release()
	lent = lent[2:]
	for _, b := range lent {
		b.fit(true)
	}
	if n := large(); n != largeBuffers {
		t.Errorf("%d are large after two were given back, want %d", n, largeBuffers)
	}
	for _, b := range lent {
		b.release()
	}
	if n := len(all.room); n != 0 {
		t.Errorf("%d large ones are in use after all were released", n)
	}
}

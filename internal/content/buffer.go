package content

import "sync"

const (
	smallBuffer  = 16 << 10  // what an upload begins with, and has while its bytes come slowly
	largeBuffer  = 256 << 10 // what one has whose bytes come as fast as they are written
	largeBuffers = 32        // how many are in use at once: 8 MiB
)

// buffers lends what bytes are copied through. Any number of small ones can be had, so that a body that stalls holds
// little; the large ones are counted.
type buffers struct {
	small, large sync.Pool
	room         chan struct{} // has an entry for each large one in use
}

func newBuffers() *buffers {
	return &buffers{
		small: sync.Pool{New: func() any { return new([smallBuffer]byte) }},
		large: sync.Pool{New: func() any { return new([largeBuffer]byte) }},
		room:  make(chan struct{}, largeBuffers),
	}
}

// buffer is one on loan. It is not for concurrent use, and is released once.
type buffer struct {
	from  *buffers
	small *[smallBuffer]byte
	large *[largeBuffer]byte
}

func (b *buffers) borrow() *buffer {
	return &buffer{from: b, small: b.small.Get().(*[smallBuffer]byte)}
}

func (b *buffer) bytes() []byte {
	if b.large != nil {
		return b.large[:]
	}
	return b.small[:]
}

// fit makes the buffer large after it was filled, as long as there are large ones to be had, and small after it was not.
// What it held is gone.
func (b *buffer) fit(filled bool) {
	switch {
	case !filled:
		b.shrink()
	case b.large == nil:
		select {
		case b.from.room <- struct{}{}:
			b.large = b.from.large.Get().(*[largeBuffer]byte)
		default:
		}
	}
}

func (b *buffer) shrink() {
	if b.large == nil {
		return
	}
	b.from.large.Put(b.large)
	b.large = nil
	<-b.from.room
}

func (b *buffer) release() {
	b.shrink()
	b.from.small.Put(b.small)
	b.small = nil
}

package content

import (
	"context"
	"sync"
	"time"
)

// claims makes the requests of this process that write one upload follow each other.
type claims struct {
	mu   sync.Mutex
	held map[string]chan struct{} // closed when the claim ends
}

// acquire waits until nobody holds the key, at most for patience; false when it is still held then.
func (c *claims) acquire(ctx context.Context, key string, patience time.Duration) bool {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		busy := c.try(key)
		if busy == nil {
			return true
		}
		select {
		case <-busy:
		case <-timer.C:
			return false
		case <-ctx.Done():
			return false
		}
	}
}

// try takes the key, or gives the channel that is closed when its holder is done.
func (c *claims) try(key string) <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if busy, ok := c.held[key]; ok {
		return busy
	}
	c.held[key] = make(chan struct{})
	return nil
}

func (c *claims) release(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	close(c.held[key])
	delete(c.held, key)
}

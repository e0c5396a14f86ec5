package main

import (
	"context"
	"crypto/rand"
	"fmt"
	mathrand "math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// row is one line of the table: an operation that is repeated by a number of clients for a while, on what was prepared.
type row struct {
	name    string
	clients int
	fixed   int   // run exactly so many operations instead of for a time
	bytes   int64 // what an operation stores; a round ends at roundBytes, and its blobs are removed
	needs   *preparation
	warm    func(ctx context.Context, c *client) error // before the first round
	op      func(ctx context.Context, c *client, n int) error
}

// preparation is what rows expect to find. Rows that share one have it made once.
type preparation struct {
	run func(ctx context.Context, c *client) error
}

// roundBytes is how much a round stores at most, by its last operation.
const roundBytes = 1 << 30

const mib = 1 << 20

func random(size int) []byte {
	b := make([]byte, size)
	_, _ = rand.Read(b)
	return b
}

// fresh is content no server has seen, of a size, cheap to make: a random head before a shared body.
func fresh(body []byte) []byte {
	b := append([]byte(nil), body...)
	_, _ = rand.Read(b[:16])
	return b
}

func rows() []row {
	config, layer := []byte(`{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}`), random(64<<10)
	manifest := image(config, layer)
	digest := digestOf(manifest)
	small := &preparation{func(ctx context.Context, c *client) error {
		return c.pushImage(ctx, "bench/small", "v1", config, layer)
	}}
	get := func(method, repo, ref string) func(context.Context, *client, int) error {
		return func(ctx context.Context, c *client, _ int) error {
			_, err := c.do(ctx, method, "/v2/"+repo+"/manifests/"+ref, nil, 0, map[string]string{"Accept": imageType}, http.StatusOK)
			return err
		}
	}
	var all []row
	for _, n := range []int{1, 16, 64} {
		all = append(all,
			row{name: fmt.Sprintf("manifest GET by tag, %d clients", n), clients: n, needs: small, op: get(http.MethodGet, "bench/small", "v1")},
			row{name: fmt.Sprintf("manifest GET by digest, %d clients", n), clients: n, needs: small, op: get(http.MethodGet, "bench/small", digest)},
			row{name: fmt.Sprintf("manifest HEAD by tag, %d clients", n), clients: n, needs: small, op: get(http.MethodHead, "bench/small", "v1")})
	}
	all = append(all, manyTags(config, layer)...)
	all = append(all, blobs()...)
	all = append(all, images()...)
	return append(all, row{name: "tokens from /v2/auth for a robot, 64 clients", clients: 64, needs: small, op: func(ctx context.Context, c *client, _ int) error {
		if c.robot == "" {
			return errSkip
		}
		_, err := c.login(ctx, c.robot, c.robotToken, "repository:bench/small:pull")
		return err
	}})
}

func manyTags(config, layer []byte) []row {
	const count = 10_000
	manifest := image(config, layer)
	fill := &preparation{func(ctx context.Context, c *client) error {
		if err := c.pushImage(ctx, "bench/tags", "t00000", config, layer); err != nil {
			return err
		}
		return parallel(8, count, func(n int) error { return c.putManifest(ctx, "bench/tags", fmt.Sprintf("t%05d", n), manifest) })
	}}
	at := func() string { return fmt.Sprintf("t%05d", mathrand.IntN(count)) }
	get := func(ctx context.Context, c *client, tag string) error {
		_, err := c.do(ctx, http.MethodGet, "/v2/bench/tags/manifests/"+tag, nil, 0, map[string]string{"Accept": imageType}, http.StatusOK)
		return err
	}
	return []row{
		{name: "manifest GET by tag among 10,000, 16 clients", clients: 16, needs: fill,
			warm: func(ctx context.Context, c *client) error { // each was read once
				return parallel(16, count, func(n int) error { return get(ctx, c, fmt.Sprintf("t%05d", n)) })
			},
			op: func(ctx context.Context, c *client, _ int) error { return get(ctx, c, at()) }},
		{name: "10,000 tags paged by 1,000", clients: 1, needs: fill, op: func(ctx context.Context, c *client, _ int) error {
			for page := 0; page < 10; page++ {
				last := ""
				if page > 0 {
					last = fmt.Sprintf("&last=t%05d", page*1000-1)
				}
				if _, err := c.do(ctx, http.MethodGet, "/v2/bench/tags/tags/list?n=1000"+last, nil, 0, nil, http.StatusOK); err != nil {
					return err
				}
			}
			return nil
		}},
		{name: "tag PUT among 10,000", clients: 1, needs: fill, op: func(ctx context.Context, c *client, _ int) error {
			return c.putManifest(ctx, "bench/tags", at(), manifest)
		}},
	}
}

func blobs() []row {
	random := sync.OnceValue(func() []byte { return random(256 * mib) }) // only if a row needs it
	digest := sync.OnceValue(func() string { return digestOf(random()) })
	stored := &preparation{func(ctx context.Context, c *client) error {
		return c.pushBlob(ctx, "bench/big", postPut, digest(), random())
	}}
	body := &preparation{func(context.Context, *client) error {
		random()
		return nil
	}}
	var all []row
	for _, n := range []int{1, 4, 16} {
		all = append(all, row{name: fmt.Sprintf("pull of 256 MiB, %d clients", n), clients: n,
			needs: stored,
			op: func(ctx context.Context, c *client, _ int) error {
				_, err := c.do(ctx, http.MethodGet, "/v2/bench/big/blobs/"+digest(), nil, 0, nil, http.StatusOK)
				return err
			}})
	}
	for _, size := range []int{1, 16, 256} {
		for _, way := range []string{postPut, postPatchPut, postOnly} {
			for _, n := range []int{1, 8} {
				if size > 1 && n > 1 {
					continue
				}
				all = append(all, row{name: fmt.Sprintf("push of %d MiB by %s, %d clients", size, way, n), clients: n, bytes: int64(size) * mib, needs: body,
					op: func(ctx context.Context, c *client, _ int) error {
						b := fresh(random()[:size*mib])
						return c.pushBlob(ctx, "bench/push", way, digestOf(b), b)
					}})
			}
		}
	}
	return all
}

func images() []row {
	const pushed, stored = 200, 1000
	config := []byte(`{"architecture":"amd64","os":"linux"}`)
	layersOf := func(seed uint64) [][]byte {
		r := mathrand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), byte(seed >> 16), byte(seed >> 24)})
		layers := make([][]byte, 5)
		for i := range layers {
			layers[i] = make([]byte, 10<<10)
			_, _ = r.Read(layers[i])
		}
		return layers
	}
	push := func(ctx context.Context, c *client, repo string, n int) error {
		return c.pushImage(ctx, repo, fmt.Sprintf("i%d", n), config, layersOf(uint64(n))...)
	}
	many := &preparation{func(ctx context.Context, c *client) error {
		return parallel(8, stored, func(n int) error { return push(ctx, c, "bench/many", n) })
	}}
	firstLayer := func(n int) string { return "/v2/bench/many/blobs/" + digestOf(layersOf(uint64(n))[0]) }
	paths := sync.OnceValue(func() []string {
		all := make([]string, stored)
		for n := range all {
			all[n] = firstLayer(n)
		}
		return all
	})
	var round atomic.Uint64
	return []row{
		{name: "push of 200 images of five 10 KiB layers, 4 clients", clients: 4, fixed: pushed,
			op: func(ctx context.Context, c *client, n int) error {
				return push(ctx, c, "bench/images", int(round.Add(1)<<20)+n)
			}},
		{name: "pull of images from a repository of 1,000, 4 clients", clients: 4, fixed: pushed,
			needs: many,
			op: func(ctx context.Context, c *client, _ int) error {
				n := mathrand.IntN(stored)
				if _, err := c.do(ctx, http.MethodGet, fmt.Sprintf("/v2/bench/many/manifests/i%d", n), nil, 0, map[string]string{"Accept": imageType}, http.StatusOK); err != nil {
					return err
				}
				for _, l := range layersOf(uint64(n)) {
					if _, err := c.do(ctx, http.MethodGet, "/v2/bench/many/blobs/"+digestOf(l), nil, 0, nil, http.StatusOK); err != nil {
						return err
					}
				}
				return nil
			}},
		{name: "blob HEAD in a repository of 1,000 images, 16 clients", clients: 16, needs: many,
			warm: func(ctx context.Context, c *client) error {
				return parallel(16, stored, func(n int) error { return head(ctx, c, paths()[n]) })
			},
			op: func(ctx context.Context, c *client, _ int) error { return head(ctx, c, paths()[mathrand.IntN(stored)]) }},
		{name: "blob HEAD of one blob, 16 clients", clients: 16, needs: many,
			op: func(ctx context.Context, c *client, _ int) error { return head(ctx, c, paths()[0]) }},
	}
}

func head(ctx context.Context, c *client, path string) error {
	_, err := c.do(ctx, http.MethodHead, path, nil, 0, nil, http.StatusOK)
	return err
}

// parallel runs f(0) … f(count-1) with a number of workers and gives the first error.
func parallel(workers, count int, f func(n int) error) error {
	var next atomic.Int64
	var wg sync.WaitGroup
	errs := make(chan error, workers)
	for range workers {
		wg.Go(func() {
			for n := int(next.Add(1)) - 1; n < count; n = int(next.Add(1)) - 1 {
				if err := f(n); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	wg.Wait()
	close(errs)
	return <-errs
}

// measure runs a row's operation and gives operations and seconds.
func (r row) measure(ctx context.Context, c *client, span time.Duration) (ops int, took time.Duration, err error) {
	start := time.Now()
	if r.fixed > 0 {
		err = parallel(r.clients, r.fixed, func(n int) error { return r.op(ctx, c, n) })
		return r.fixed, time.Since(start), err
	}
	var done atomic.Int64
	err = parallel(r.clients, 1<<40, func(n int) error {
		if time.Since(start) >= span || r.bytes > 0 && done.Load()*r.bytes >= roundBytes {
			return errEnough
		}
		err := r.op(ctx, c, n)
		if err == nil {
			done.Add(1)
		}
		return err
	})
	if err == errEnough {
		err = nil
	}
	return int(done.Load()), time.Since(start), err
}

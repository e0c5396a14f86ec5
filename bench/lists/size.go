package main

// size is how much of everything an installation has.
type size struct {
	name         string
	repositories int // of the organization acme
	starred      int // of them by its owner
	tags         int // live ones of the repository acme/big, and as many periods that have ended, over a year
	teams        int // of acme, with five members each
	users        int // of whom acme's members are some
	robots       int // of acme
	entries      int // of the log, over a year, all in acme, half of them of acme/big
	catalog      int // repositories of the organization catalog, for searches
}

// The two sizes. A page that the small one fills is as long in the large one.
var (
	small = size{"small", 200, 200, 1100, 10, 100, 10, 1000, 100}
	large = size{"large", 10_000, 10_000, 100_000, 1000, 2000, 1000, 1_000_000, 100_000}
)

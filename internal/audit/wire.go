package audit

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net/netip"
	"unicode/utf8"
)

// A pull in the spool: time and id as signed, kind, namespace, repository and performer as unsigned varints, the length
// of the address in one byte, the address, and the metadata to the end. Bits above the kind's own say that what is to be
// counted stands before the metadata, and that the record is only that.

// maxKind is what the column holds. Kinds that only a newer program knows are stored as they are.
const maxKind = 1<<15 - 1

var errRecord = errors.New("the record is not one of this program's")

func appendRow(b []byte, r *row) []byte {
	b = binary.AppendVarint(b, r.atMS)
	b = binary.AppendVarint(b, r.id)
	b = binary.AppendUvarint(b, uint64(r.kind)|r.counted.flags())
	b = binary.AppendUvarint(b, uint64(r.namespaceID))
	b = binary.AppendUvarint(b, uint64(r.repoID))
	b = binary.AppendUvarint(b, uint64(r.performerID))
	switch {
	case !r.ip.IsValid():
		b = append(b, 0)
	case r.ip.Is4():
		ip := r.ip.As4()
		b = append(append(b, 4), ip[:]...)
	default:
		ip := r.ip.As16()
		b = append(append(b, 16), ip[:]...)
	}
	return append(r.counted.append(b), r.metadata...)
}

// parseRow reads what appendRow wrote. The metadata aliases b.
func parseRow(b []byte) (r row, err error) {
	d := decoder{rest: b}
	r.atMS, r.id = d.signed(), d.signed()
	kind := d.unsigned()
	flags := kind &^ maxKind
	kind &= maxKind
	r.namespaceID, r.repoID, r.performerID = int64(d.unsigned()), int64(d.unsigned()), int64(d.unsigned())
	r.ip = d.address()
	r.counted = d.counted(flags)
	r.metadata = d.rest
	r.kind = Kind(kind)
	if d.failed || kind == 0 || min(r.namespaceID, r.repoID, r.performerID) < 0 || !storable(r.atMS) || len(r.metadata) < 2 || !plain(r.metadata) {
		return row{}, errRecord
	}
	return r, nil
}

// plain reports whether b can be stored as text.
func plain(b []byte) bool { return bytes.IndexByte(b, 0) < 0 && utf8.Valid(b) }

type decoder struct {
	rest   []byte
	failed bool
}

func (d *decoder) signed() int64 {
	v, n := binary.Varint(d.rest)
	d.skip(n)
	return v
}

func (d *decoder) unsigned() uint64 {
	v, n := binary.Uvarint(d.rest)
	d.skip(n)
	return v
}

func (d *decoder) skip(n int) {
	if n <= 0 {
		d.failed, d.rest = true, nil
		return
	}
	d.rest = d.rest[n:]
}

func (d *decoder) address() netip.Addr {
	if len(d.rest) == 0 {
		d.failed = true
		return netip.Addr{}
	}
	n := int(d.rest[0])
	if n != 0 && n != 4 && n != 16 || len(d.rest) <= n {
		d.failed = true
		return netip.Addr{}
	}
	ip, _ := netip.AddrFromSlice(d.rest[1 : 1+n])
	d.rest = d.rest[1+n:]
	return ip
}

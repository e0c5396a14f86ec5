package spool

import (
	"encoding/binary"
	"hash/crc32"
)

// MaxRecord is the largest record, in bytes.
const MaxRecord = 256 << 10

// A segment begins with the magic, whose last digit is the version of the format. A record is framed by its length and
// a CRC-32C over both, four bytes each, the least significant first. A length of 0 is never written,
// so that the zeros a power cut may leave are no records.
//
// In a segment that was made of the reserve nothing but zeros follows the last record, up to the file's end; it has a
// magic of its own. In any other one zeros are something that was lost.
const (
	magic         = "LSSPOOL1"
	magicReserved = "LSROOMY1"

	headerBytes = int64(len(magic))
	frameBytes  = 8
)

// state is what became of parsing a frame.
type state uint8

const (
	whole state = iota
	short       // the bytes end before the record does
	bad         // this is no record, and where the next one begins is unknown
)

// checksum is the CRC-32C of a record, begun with its length.
func checksum(record []byte) uint32 {
	table := crc32.MakeTable(crc32.Castagnoli) // the library keeps it
	return crc32.Update(uint32(len(record)), table, record)
}

// frameHead gives what stands before a record.
func frameHead(record []byte) (head [frameBytes]byte) {
	binary.LittleEndian.PutUint32(head[:4], uint32(len(record)))
	binary.LittleEndian.PutUint32(head[4:], checksum(record))
	return head
}

// parse gives the first record in b, which it aliases, and the length of its frame.
func parse(b []byte) (record []byte, length int, s state) {
	if len(b) < frameBytes {
		return nil, 0, short
	}
	n := binary.LittleEndian.Uint32(b)
	if n == 0 || n > MaxRecord {
		return nil, 0, bad
	}
	if uint32(len(b)-frameBytes) < n {
		return nil, 0, short
	}
	record = b[frameBytes : frameBytes+int(n)]
	if checksum(record) != binary.LittleEndian.Uint32(b[4:]) {
		return nil, 0, bad
	}
	return record, frameBytes + int(n), whole
}

// frameLength is the length of the whole frame that b begins with.
func frameLength(b []byte) int { return frameBytes + int(binary.LittleEndian.Uint32(b)) }

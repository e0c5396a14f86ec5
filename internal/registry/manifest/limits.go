package manifest

// Limits bounds a document; a zero field takes the default named beside it.
type Limits struct {
	Bytes           int // of the document: 4 MiB, what the distribution specification asks registries to take
	Depth           int // of nested objects and arrays: 32
	Values          int // JSON values in all, members' names included: 250,000
	Descriptors     int // layers, or manifests of an index: 10,000
	AnnotationKey   int // bytes of an annotation's key: 1 KiB
	AnnotationValue int // bytes of an annotation's value: 1 MiB
	URLs            int // urls of one descriptor: 100
}

// WithDefaults fills the zero fields.
func (l Limits) WithDefaults() Limits {
	set := func(field *int, value int) {
		if *field <= 0 {
			*field = value
		}
	}
	set(&l.Bytes, 4<<20)
	set(&l.Depth, 32)
	set(&l.Values, 250_000)
	set(&l.Descriptors, 10_000)
	set(&l.AnnotationKey, 1<<10)
	set(&l.AnnotationValue, 1<<20)
	set(&l.URLs, 100)
	return l
}

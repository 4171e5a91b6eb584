package yjs

import "math"

// The tags of lib0's any encoding.
const (
	anyUndefined = 127
	anyNull      = 126
	anyInteger   = 125
	anyFloat32   = 124
	anyFloat64   = 123
	anyBigInt    = 122
	anyFalse     = 121
	anyTrue      = 120
	anyString    = 119
	anyObject    = 118
	anyArray     = 117
	anyBinary    = 116
)

// any reads over one value, depth levels deep.
func (r *reader) any(depth int) {
	if depth > maxDepth {
		r.fail(TooDeep)
		return
	}
	switch tag := r.byte(); tag {
	case anyUndefined, anyNull, anyFalse, anyTrue:
	case anyInteger:
		r.int()
	case anyFloat32:
		r.skip(4)
	case anyFloat64, anyBigInt:
		r.skip(8)
	case anyString:
		r.text()
	case anyBinary:
		r.bytes()
	case anyObject:
		for n := r.count(2); n > 0 && r.fault == ""; n-- {
			r.text()
			r.any(depth + 1)
		}
	case anyArray:
		for n := r.count(1); n > 0 && r.fault == ""; n-- {
			r.any(depth + 1)
		}
	default:
		r.fail(BadContent)
	}
}

// int reads a lib0 varInt: six bits and the sign in the first byte, then seven bits a byte.
func (r *reader) int() int64 {
	c := r.byte()
	n, negative := uint64(c&0x3f), c&0x40 != 0
	for shift := 6; c >= 0x80; shift += 7 {
		if shift > 48 {
			r.fail(BadNumber)
			return 0
		}
		c = r.byte()
		n |= uint64(c&0x7f) << shift
	}
	if n > maxSafe {
		r.fail(BadNumber)
		return 0
	}
	if negative {
		return -int64(n)
	}
	return int64(n)
}

// The values that Go has no type for.
type (
	undefined  struct{}
	notANumber struct{} // equal to itself, unlike NaN
	bigInt     uint64
)

// value reads one value, whose bytes have been checked, as clients see it: every number is a float64.
func (r *reader) value() any {
	switch r.byte() {
	case anyNull:
		return nil
	case anyInteger:
		return float64(r.int())
	case anyFloat32:
		return number(float64(math.Float32frombits(uint32(r.bits(4)))))
	case anyFloat64:
		return number(math.Float64frombits(r.bits(8)))
	case anyBigInt:
		return bigInt(r.bits(8))
	case anyFalse:
		return false
	case anyTrue:
		return true
	case anyString:
		return string(r.bytes())
	case anyBinary:
		return r.bytes()
	case anyObject:
		object := make(map[string]any)
		for n := r.uint(); n > 0 && r.fault == ""; n-- {
			key := string(r.bytes())
			object[key] = r.value()
		}
		return object
	case anyArray:
		var array []any
		for n := r.uint(); n > 0 && r.fault == ""; n-- {
			array = append(array, r.value())
		}
		return array
	}
	return undefined{}
}

func number(f float64) any {
	if math.IsNaN(f) {
		return notANumber{}
	}
	return f
}

// bits reads n bytes, the highest first.
func (r *reader) bits(n int) (v uint64) {
	for range n {
		v = v<<8 | uint64(r.byte())
	}
	return v
}

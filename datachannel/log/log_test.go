package log

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"
	"time"
)

func sample() Record {
	return Record{Seq: 1 << 40, Kind: Update, Subject: "ünal", Time: time.UnixMilli(1_700_000_000_123), Data: []byte{1, 2, 3}}
}

func TestRecordIsReadAsWritten(t *testing.T) {
	for _, r := range []Record{sample(), {Seq: 1, Kind: Snapshot, Time: time.UnixMilli(0)}} {
		b := Append([]byte("before"), r)[len("before"):]
		if len(b) > r.Size() {
			t.Fatalf("%d bytes, at most %d are promised", len(b), r.Size())
		}
		got, err := Decode(b)
		if err != nil || got.Seq != r.Seq || got.Kind != r.Kind || got.Subject != r.Subject || !got.Time.Equal(r.Time) || !bytes.Equal(got.Data, r.Data) {
			t.Fatal(got, err)
		}
	}
}

func TestEveryDamageIsNoticed(t *testing.T) {
	b := Append(nil, sample())
	for n := range b {
		if _, err := Decode(b[:n]); !errors.Is(err, ErrDamaged) {
			t.Fatalf("torn after %d bytes: %v", n, err)
		}
		for bit := range 8 {
			c := bytes.Clone(b)
			c[n] ^= 1 << bit
			if _, err := Decode(c); !errors.Is(err, ErrDamaged) {
				t.Fatalf("bit %d of byte %d: %v", bit, n, err)
			}
		}
	}
}

func TestPositionsOfAnotherEpochSayNothing(t *testing.T) {
	if !(Position{1, 5}).After(Position{1, 4}) || (Position{2, 5}).After(Position{1, 4}) || (Position{1, 4}).After(Position{1, 4}) {
		t.Fatal("wrong order")
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(Append(nil, sample()))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := Decode(b)
		if err == nil && !bytes.Equal(Append(nil, r), b) {
			if again, err := Decode(Append(nil, r)); err != nil || again.Subject != r.Subject {
				t.Fatal("not written as read")
			}
		}
	})
}

func BenchmarkAppend(b *testing.B) {
	r := sample()
	r.Data = make([]byte, 100)
	random := rand.New(rand.NewPCG(1, 1))
	for i := range r.Data {
		r.Data[i] = byte(random.Uint32())
	}
	buf := make([]byte, 0, 256)
	b.ReportAllocs()
	for b.Loop() {
		buf = Append(buf[:0], r)
	}
}

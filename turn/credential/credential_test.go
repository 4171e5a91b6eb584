package credential

import (
	"errors"
	"strings"
	"testing"
	"time"
)

var now = time.Unix(1_790_000_000, 0)

// The vector was computed with `openssl dgst -sha1 -hmac north -binary | base64`, the way coturn's documentation shows.
func TestMintMatchesCoturn(t *testing.T) {
	ks := Keys{{Secret: []byte("north")}}
	name, pass := ks.Mint("alice", now)
	if name != "1790000000:alice" || pass != "bkNQAGOiGcDMDatOUuHbbdAqDKY=" {
		t.Fatalf("got %q %q", name, pass)
	}
}

func TestVerifyFindsTheUserAndThePassword(t *testing.T) {
	old, young := Key{Secret: []byte("a")}, Key{ID: "k2", Secret: []byte("b")}
	for _, minter := range []Keys{{old, young}, {young, old}} {
		for _, user := range []string{"alice", "alice.b", "a:b", "日本", "k3.x"} {
			name, pass := minter.Mint(user, now)
			c, err := Keys{young, old}.Verify(name)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if c.User != user || c.Password != pass || !c.Expires.Equal(now) {
				t.Errorf("%s: got %+v, want password %s", name, c, pass)
			}
		}
	}
}

func TestARetiredKeyNoLongerVerifies(t *testing.T) {
	name, pass := Keys{{ID: "k1", Secret: []byte("a")}}.Mint("alice", now)
	if c, err := (Keys{{ID: "k2", Secret: []byte("b")}}).Verify(name); err == nil {
		t.Errorf("got %+v, want an error", c)
	}
	// With a key without id the name is a user of that key, under another password.
	c, err := Keys{{Secret: []byte("b")}}.Verify(name)
	if err != nil || c.Password == pass {
		t.Errorf("got %+v, %v", c, err)
	}
}

func TestVerifyRefusesWhatIsNotAUserName(t *testing.T) {
	ks := Keys{{Secret: []byte("a")}}
	for _, name := range []string{
		"", ":", "alice", "1790000000", "1790000000:", ":alice", "x:alice", "-1:alice",
		"99999999999999999999:alice", "253402300800:alice", "1:" + strings.Repeat("a", 600),
	} {
		if _, err := ks.Verify(name); !errors.Is(err, ErrMalformed) {
			t.Errorf("%q: got %v", name, err)
		}
	}
}

func TestCheckKnowsTheLimitsOfTime(t *testing.T) {
	for _, c := range []struct {
		expires time.Time
		want    error
	}{
		{now, nil},
		{now.Add(-time.Second), ErrExpired},
		{now.Add(time.Hour), nil},
		{now.Add(time.Hour + clockSkew), nil},
		{now.Add(time.Hour + clockSkew + time.Second), ErrTooLong},
	} {
		if err := (Credential{Expires: c.expires}).Check(now, time.Hour); !errors.Is(err, c.want) {
			t.Errorf("%v: got %v, want %v", c.expires.Sub(now), err, c.want)
		}
	}
}

func TestKeysAreValidated(t *testing.T) {
	good := Key{ID: "k1", Secret: []byte("a")}
	if err := (Keys{good, {Secret: []byte("b")}}).Validate(); err != nil {
		t.Error(err)
	}
	for _, bad := range []Keys{
		nil, {{}}, {{ID: "k1"}}, {good, good}, {{ID: "a.b", Secret: []byte("a")}}, {{ID: strings.Repeat("a", 33), Secret: []byte("a")}},
	} {
		if bad.Validate() == nil {
			t.Errorf("%v: want an error", bad)
		}
	}
}

func FuzzVerify(f *testing.F) {
	ks := Keys{{ID: "k2", Secret: []byte("b")}, {Secret: []byte("a")}}
	for _, s := range []string{"1790000000:alice", "1790000000:k2.alice", "1790000000:k2.", ":", "9:.", "1:k2"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		c, err := ks.Verify(name)
		if err != nil {
			return
		}
		if c.User == "" || c.Password == "" || !strings.HasSuffix(name, c.User) {
			t.Errorf("%q: %+v", name, c)
		}
		_ = c.Check(now, time.Hour)
	})
}

package auth

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/turnout-rtc/turnout/signaling/protocol"
)

const secret = "0123456789abcdef0123456789abcdef"

func at(s int64) time.Time { return time.Unix(1795430400+s, 0).UTC() }

func testKeys(t testing.TB) Keys {
	t.Helper()
	k, err := NewKeys(map[string]string{"dev": secret, "other": secret[1:] + "x"})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func full() Token {
	g := DefaultGrants()
	g.Sources = []string{protocol.Camera, protocol.Screen}
	g.Admin, g.Data, g.Update = true, false, false
	g.Topics = map[string]string{"*": "r", "chat": "rw", "x": ""}
	return Token{
		Identity: "ada", Name: "Ada Ł", Metadata: `{"a":1}`, Attributes: map[string]string{"k": "v"}, Room: "standup", Grants: g,
		NotBefore: at(-10), Expires: at(3600),
	}
}

func TestWhatIsMintedIsVerified(t *testing.T) {
	k := testKeys(t)
	for name, want := range map[string]Token{
		"full":    full(),
		"minimal": {Identity: "a", Room: "r", Grants: DefaultGrants(), Expires: at(1)},
		"nothing": {Identity: "a", Room: "r", Expires: at(1)},
	} {
		signed, err := k.Mint("dev", want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := k.Verify(at(0), signed)
		got.Expires, got.NotBefore = got.Expires.UTC(), got.NotBefore.UTC()
		want.NotBefore = want.NotBefore.UTC()
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, %v\nwant %+v", name, got, err, want)
		}
	}
}

// TestTokensInLiveKitsLayoutWork uses claims as LiveKit's minters write them.
func TestTokensInLiveKitsLayoutWork(t *testing.T) {
	signed := sign(t, jwt.SigningMethodHS256, `{"iss":"dev","sub":"bob","nbf":1795430400,"exp":1795434000,"name":"Bob","kind":"standard","sha256":"",
		"video":{"roomJoin":true,"room":"r","canPublish":true,"canPublishSources":["camera","screen_share","screen_share_audio"],"recorder":false},
		"attributes":{"hand":"up"},"jti":"bob"}`)
	got, err := testKeys(t).Verify(at(1), signed)
	if err != nil {
		t.Fatal(err)
	}
	want := protocol.Permissions{Publish: true, Sources: []string{"camera", "screen", "screenAudio"}, Subscribe: true, Data: true}
	if !reflect.DeepEqual(got.Grants.Permissions, want) || !got.Grants.Update || got.Attributes["hand"] != "up" || got.Name != "Bob" {
		t.Errorf("got %+v", got)
	}
}

func TestHiddenMayNotPublish(t *testing.T) {
	signed := sign(t, jwt.SigningMethodHS256, `{"iss":"dev","sub":"bob","exp":1795434000,"video":{"roomJoin":true,"room":"r","hidden":true,"canPublish":true}}`)
	if got, err := testKeys(t).Verify(at(0), signed); err != nil || got.Grants.Publish {
		t.Errorf("got %+v, %v", got.Grants, err)
	}
}

func TestTimeIsCheckedWithLeeway(t *testing.T) {
	k := testKeys(t)
	token := full()
	token.NotBefore, token.Expires = at(0), at(100)
	signed, err := k.Mint("dev", token)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		now       int64
		code      protocol.Code
		retryable bool
	}{
		{-31, protocol.AuthInvalid, true}, {-30, "", false}, {0, "", false}, {100, "", false}, {130, "", false}, {131, protocol.AuthExpired, false},
	} {
		_, err := k.Verify(at(c.now), signed)
		if c.code == "" && err == nil {
			continue
		}
		if fault := asError(t, err); fault.Code != c.code || fault.Retryable != c.retryable {
			t.Errorf("at %d: %v", c.now, err)
		}
	}
	if _, err := k.Verify(at(400), signed); !strings.Contains(err.Error(), "expired 5m0s ago") {
		t.Errorf("%v", err)
	}
}

func TestBadTokensAreRefusedWithACode(t *testing.T) {
	k := testKeys(t)
	good, err := k.Mint("dev", full())
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(good, ".")
	claimsWith := func(extra string) string {
		return sign(t, jwt.SigningMethodHS256, `{"iss":"dev","sub":"a","exp":1795434000,"video":{"room":"r","roomJoin":true}`+extra+`}`)
	}
	for _, c := range []struct {
		name, token string
		code        protocol.Code
	}{
		{"empty", "", protocol.AuthMissing},
		{"garbage", "garbage", protocol.AuthInvalid},
		{"three dots", "a.b.c", protocol.AuthInvalid},
		{"huge", strings.Repeat("a", protocol.MaxToken+1), protocol.AuthInvalid},
		{"cut", good[:len(good)-2], protocol.AuthInvalid},
		{"claims swapped", parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(`{"iss":"dev","sub":"root"}`)) + "." + parts[2], protocol.AuthInvalid},
		{"no signature", sign(t, jwt.SigningMethodNone, `{"iss":"dev","sub":"a","exp":1795434000,"video":{"room":"r","roomJoin":true}}`), protocol.AuthInvalid},
		{"another hash", sign(t, jwt.SigningMethodHS512, `{"iss":"dev","sub":"a","exp":1795434000,"video":{"room":"r","roomJoin":true}}`), protocol.AuthInvalid},
		{"another key's signature", sign(t, jwt.SigningMethodHS256, `{"iss":"other","sub":"a","exp":1795434000,"video":{"room":"r","roomJoin":true}}`), protocol.AuthInvalid},
		{"unknown key", sign(t, jwt.SigningMethodHS256, `{"iss":"nobody","sub":"a","exp":1795434000,"video":{"room":"r","roomJoin":true}}`), protocol.AuthInvalid},
		{"no key", sign(t, jwt.SigningMethodHS256, `{"sub":"a","exp":1795434000,"video":{"room":"r","roomJoin":true}}`), protocol.AuthInvalid},
		{"no expiry", sign(t, jwt.SigningMethodHS256, `{"iss":"dev","sub":"a","video":{"room":"r","roomJoin":true}}`), protocol.AuthInvalid},
		{"absurd expiry", sign(t, jwt.SigningMethodHS256, `{"iss":"dev","sub":"a","exp":1e300,"video":{"room":"r","roomJoin":true}}`), protocol.AuthInvalid},
		{"no identity", sign(t, jwt.SigningMethodHS256, `{"iss":"dev","exp":1795434000,"video":{"room":"r","roomJoin":true}}`), protocol.AuthInvalid},
		{"no room", sign(t, jwt.SigningMethodHS256, `{"iss":"dev","sub":"a","exp":1795434000,"video":{"roomJoin":true}}`), protocol.AuthInvalid},
		{"no join", sign(t, jwt.SigningMethodHS256, `{"iss":"dev","sub":"a","exp":1795434000,"video":{"room":"r"}}`), protocol.AuthForbidden},
		{"room is a number", sign(t, jwt.SigningMethodHS256, `{"iss":"dev","sub":"a","exp":1795434000,"video":{"room":7,"roomJoin":true}}`), protocol.AuthInvalid},
		{"long name", claimsWith(`,"name":"` + strings.Repeat("x", 257) + `"`), protocol.AuthInvalid},
		{"long metadata", claimsWith(`,"metadata":"` + strings.Repeat("x", 16<<10+1) + `"`), protocol.AuthInvalid},
		{"long attributes", claimsWith(`,"attributes":{"a":"` + strings.Repeat("x", 16<<10) + `"}`), protocol.AuthInvalid},
		{"bad topic", claimsWith(`,"topics":{"a":"x"}`), protocol.AuthInvalid},
		{"doubled right", claimsWith(`,"topics":{"a":"rr"}`), protocol.AuthInvalid},
		{"unnamed topic", claimsWith(`,"topics":{"":"r"}`), protocol.AuthInvalid},
		{"critical header", critical(t), protocol.AuthInvalid},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := k.Verify(at(0), c.token)
			fault := asError(t, err)
			if fault.Code != c.code || fault.Message == "" || fault.Hint == "" {
				t.Errorf("got %+v, want %s", fault, c.code)
			}
			if strings.Contains(fault.Error(), secret) {
				t.Error("the secret is in the message")
			}
		})
	}
	if _, err := k.Verify(at(0), good); err != nil {
		t.Errorf("the good one: %v", err)
	}
}

func TestShortSecretsAndBadTokensAreNotMinted(t *testing.T) {
	if _, err := NewKeys(map[string]string{"dev": secret[1:]}); err == nil || strings.Contains(err.Error(), secret[1:]) {
		t.Errorf("31 bytes: %v", err)
	}
	if _, err := NewKeys(map[string]string{"": secret}); err == nil {
		t.Error("a key without a name was taken")
	}
	if _, err := Mint("dev", "short", full()); err == nil {
		t.Error("minted with a short secret")
	}
	if _, err := testKeys(t).Mint("nobody", full()); err == nil {
		t.Error("minted with an unknown key")
	}
	for name, spoil := range map[string]func(*Token){
		"identity": func(x *Token) { x.Identity = "" },
		"room":     func(x *Token) { x.Room = strings.Repeat("r", 129) },
		"expiry":   func(x *Token) { x.Expires = time.Time{} },
		"source":   func(x *Token) { x.Grants.Sources = []string{"a b"} },
		"topics":   func(x *Token) { x.Grants.Topics = map[string]string{"a": "rwx"} },
	} {
		token := full()
		spoil(&token)
		if _, err := Mint("dev", secret, token); err == nil {
			t.Errorf("%s: minted what Verify would refuse", name)
		}
	}
}

func sign(t testing.TB, method jwt.SigningMethod, body string) string {
	t.Helper()
	var m jwt.MapClaims
	if err := json.Unmarshal([]byte(body), &m); err != nil {
		t.Fatal(err)
	}
	var key any = []byte(secret)
	if method == jwt.SigningMethodNone {
		key = jwt.UnsafeAllowNoneSignatureType
	}
	signed, err := jwt.NewWithClaims(method, m).SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

func critical(t testing.TB) string {
	t.Helper()
	token := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{"iss": "dev"})
	token.Header["crit"] = []string{"exp"}
	signed, err := token.SignedString([]byte(secret))
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

func asError(t testing.TB, err error) *protocol.Error {
	t.Helper()
	var fault *protocol.Error
	if !errors.As(err, &fault) {
		t.Fatalf("got %v, want a *protocol.Error", err)
	}
	return fault
}

// FuzzVerify signs any claims, so that the fuzzer gets past the signature, and also takes them as they are.
func FuzzVerify(f *testing.F) {
	k := testKeys(f)
	for _, seed := range []string{
		`{"iss":"dev","sub":"a","exp":1795434000,"video":{"room":"r","roomJoin":true}}`,
		`{"iss":"dev","sub":"a","exp":1e99,"nbf":-1,"video":null,"topics":{"*":"rw"}}`,
		`{"iss":["dev"],"aud":[1]}`, `[]`, `null`,
	} {
		f.Add(seed)
	}
	header := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256","typ":"JWT"}`))
	f.Fuzz(func(t *testing.T, body string) {
		signing := header + "." + base64.RawURLEncoding.EncodeToString([]byte(body))
		sig, err := jwt.SigningMethodHS256.Sign(signing, []byte(secret))
		if err != nil {
			t.Fatal(err)
		}
		for _, token := range []string{body, signing + "." + base64.RawURLEncoding.EncodeToString(sig)} {
			got, err := k.Verify(at(0), token)
			if err != nil {
				_ = asError(t, err)
				continue
			}
			if got.Identity == "" || got.Room == "" || at(0).After(got.Expires.Add(Leeway)) {
				t.Fatalf("let in: %+v", got)
			}
			if _, err := k.Mint("dev", got); err != nil {
				t.Fatalf("verified but not mintable: %v", err)
			}
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	b.ReportAllocs()
	k := testKeys(b)
	signed, err := k.Mint("dev", full())
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := k.Verify(at(0), signed); err != nil {
			b.Fatal(err)
		}
	}
}

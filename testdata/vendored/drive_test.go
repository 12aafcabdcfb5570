// Makes the packages that Go ships inside of itself work: they come without tests of their own.
package drive

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/pprof/profile"
	"github.com/ianlancetaylor/demangle"
	"golang.org/x/arch/arm64/arm64asm"
	"golang.org/x/arch/x86/x86asm"
	"golang.org/x/crypto/chacha20poly1305"
	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
	"golang.org/x/net/dns/dnsmessage"
	"golang.org/x/net/http/httpguts"
	"golang.org/x/net/http2/hpack"
	"golang.org/x/net/idna"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"
	"golang.org/x/text/cases"
	"golang.org/x/text/language"
	"golang.org/x/text/unicode/bidi"
	"golang.org/x/text/unicode/norm"
	"rsc.io/markdown"
)

const rounds = 20

var words = []string{"Ångström", "ﬁne", "straße", "日本語", "plain", "e\u0301tude", "שלום"}

func TestText(t *testing.T) {
	for i := 0; i < rounds; i++ {
		for _, word := range words {
			_ = norm.NFC.String(word) + norm.NFKD.String(word)
			_ = cases.Title(language.German).String(word) + cases.Upper(language.Turkish).String(word)
			_, _ = idna.Lookup.ToASCII(word + ".example")
			var p bidi.Paragraph
			_, _ = p.SetString(word)
			_, _ = p.Order()
		}
	}
}

func TestModules(t *testing.T) {
	text := "module example.com/m\n\ngo 1.21\n\nrequire (\n\tgolang.org/x/mod v0.1.0 // a remark\n)\n"
	for i := 0; i < rounds; i++ {
		file, err := modfile.Parse("go.mod", []byte(text), nil)
		if err != nil {
			t.Fatal(err)
		}
		_ = file.AddRequire(fmt.Sprintf("example.com/r%d", i), "v1.2.3")
		file.Cleanup()
		_, _ = file.Format()
		_ = module.CheckPath(fmt.Sprintf("example.com/r%d", i))
		_, _ = module.EscapePath("example.com/Upper")
		_ = semver.Compare("v1.2.3-pre", semver.Canonical("v1.2"))
		hash := tlog.RecordHash([]byte(text))
		_ = tlog.FormatTree(tlog.Tree{N: int64(i), Hash: hash})
		_, _ = note.NewVerifier("nonsense")
	}
}

func TestNames(t *testing.T) {
	for i := 0; i < rounds; i++ {
		_ = demangle.Filter("_ZN5boost6spirit7unused_typeC1Ev")
		_, _ = demangle.ToString("_ZNSt6vectorIiSaIiEE9push_backERKi")
		for _, code := range [][]byte{{0x48, 0x89, 0xd8}, {0x0f, 0x05}, {0xe8, 1, 2, 3, 4}} {
			if inst, err := x86asm.Decode(code, 64); err == nil {
				_ = x86asm.GoSyntax(inst, 0x1000, nil)
			}
		}
		if inst, err := arm64asm.Decode([]byte{0xe0, 0x03, 0x01, 0xaa}); err == nil {
			_ = arm64asm.GNUSyntax(inst)
		}
		p := &markdown.Parser{Table: true, Emoji: true}
		_ = markdown.ToHTML(p.Parse("# head\n\n* one\n* **two** `three`\n\n|a|b|\n|-|-|\n|1|2|\n"))
	}
}

func TestMessages(t *testing.T) {
	for i := 0; i < rounds; i++ {
		b := dnsmessage.NewBuilder(nil, dnsmessage.Header{ID: uint16(i)})
		_ = b.StartQuestions()
		name := dnsmessage.MustNewName(fmt.Sprintf("n%d.example.com.", i))
		_ = b.Question(dnsmessage.Question{Name: name, Type: dnsmessage.TypeA})
		if packed, err := b.Finish(); err == nil {
			var m dnsmessage.Message
			_ = m.Unpack(packed)
			_ = m.GoString()
		}
		_ = httpguts.ValidHeaderFieldName("X-Y") && httpguts.HeaderValuesContainsToken(words, "plain")
		var out bytes.Buffer
		encoder := hpack.NewEncoder(&out)
		for _, word := range words {
			_ = encoder.WriteField(hpack.HeaderField{Name: "x-" + word, Value: strings.Repeat(word, i)})
		}
		_, _ = hpack.NewDecoder(4096, nil).DecodeFull(out.Bytes())
		var c cryptobyte.Builder
		c.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(out.Bytes()) })
		_, _ = c.Bytes()
		if sealer, err := chacha20poly1305.New(make([]byte, chacha20poly1305.KeySize)); err == nil {
			_ = sealer.Seal(nil, make([]byte, sealer.NonceSize()), out.Bytes(), nil)
		}
	}
}

func TestWork(t *testing.T) {
	for i := 0; i < rounds; i++ {
		weights, ctx := semaphore.NewWeighted(2), context.Background()
		group, _ := errgroup.WithContext(ctx)
		for n := 0; n < 4; n++ {
			group.Go(func() error {
				if err := weights.Acquire(ctx, 1); err != nil {
					return err
				}
				defer weights.Release(1)
				return nil
			})
		}
		_ = group.Wait()
		main := &profile.Function{ID: 1, Name: "main.f"}
		place := &profile.Location{ID: 1, Line: []profile.Line{{Function: main, Line: 3}}}
		p := &profile.Profile{
			SampleType: []*profile.ValueType{{Type: "objects", Unit: "count"}},
			Sample:     []*profile.Sample{{Location: []*profile.Location{place}, Value: []int64{7}}},
			Location:   []*profile.Location{place},
			Function:   []*profile.Function{main},
		}
		var out bytes.Buffer
		if err := p.Write(&out); err != nil {
			t.Fatal(err)
		}
		if _, err := profile.Parse(&out); err != nil {
			t.Fatal(err)
		}
	}
}

package ikev1msg

import (
	"bytes"
	"encoding/hex"
	"os"
	"strings"
	"testing"

	"nave/slowpath/ike/ikemsg"
)

// Messages of Cisco routers and of strongSwan, read and written again to the same bytes.
func TestCaptures(t *testing.T) {
	text, err := os.ReadFile("testdata/captures.txt")
	if err != nil {
		t.Fatal(err)
	}
	messages, kinds := 0, make(map[uint8]int)
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if f[0] == "#" || strings.HasPrefix(f[0], "(") || len(f) != 3 {
			continue
		}
		b, err := hex.DecodeString(f[2])
		if err != nil {
			t.Fatal(err)
		}
		name := f[0] + " frame " + f[1]
		h, err := ikemsg.ParseHeader(b)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		list, _, rest, err := ikemsg.ParseChain(h.NextPayload, b[ikemsg.HeaderLen:])
		if err != nil || len(rest) != 0 {
			t.Errorf("%s: %d bytes behind the payloads, %v", name, len(rest), err)
			continue
		}
		for i, p := range list {
			kinds[p.Type]++
			if list[i].Body, err = rewrite(p); err != nil {
				t.Errorf("%s: payload %d of type %d: %v", name, i+1, p.Type, err)
			}
		}
		if again := AppendChain(h.Append(nil), list); !bytes.Equal(again, b) {
			t.Errorf("%s:\n%x, again\n%x", name, b, again)
		}
		messages++
	}
	t.Logf("%d messages, payloads by type: %v", messages, kinds)
	for _, typ := range []uint8{PayloadSA, PayloadKE, PayloadNonce, PayloadVendorID, PayloadNATD} {
		if kinds[typ] == 0 {
			t.Errorf("no payload of type %d among them", typ)
		}
	}
}

func rewrite(p ikemsg.Payload) ([]byte, error) {
	switch p.Type {
	case PayloadSA:
		v, err := ParseSA(p.Body)
		return v.Append(nil), err
	case PayloadID, PayloadNATOA, PayloadNATOADraft:
		v, err := ParseID(p.Body)
		return v.Append(nil), err
	case PayloadCert, PayloadCertRequest:
		v, err := ParseCert(p.Body)
		return v.Append(nil), err
	case PayloadNotify:
		v, err := ParseNotify(p.Body)
		return v.Append(nil), err
	case PayloadDelete:
		v, err := ParseDelete(p.Body)
		return v.Append(nil), err
	}
	return p.Body, nil
}

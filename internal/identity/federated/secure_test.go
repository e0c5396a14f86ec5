package federated

import (
	"crypto/x509"
	"testing"
	"time"

	"github.com/longshore-registry/longshore/internal/identity"
	"github.com/longshore-registry/longshore/internal/identity/federated/issuertest"
	"github.com/longshore-registry/longshore/internal/outbound"
)

// newSecureRig is a rig whose issuer is reached over TLS. Without believed its authority is unknown.
func newSecureRig(t *testing.T, believed bool) *rig {
	t.Helper()
	issuer, certificate := issuertest.StartTLS(t)
	roots := x509.NewCertPool()
	if believed {
		roots.AddCert(certificate)
	}
	r := &rig{issuer: issuer, rules: []identity.TrustRule{{Issuer: issuer.URL, Subject: subject}}, now: time.Now().Truncate(time.Second)}
	r.Verifier = New(Options{
		Client:    outbound.Bounded(outbound.New([]string{"127.0.0.1"}, roots).Client(10*time.Second), 1<<20),
		Audiences: []string{audience}, Clock: func() time.Time { return r.now },
	})
	return r
}

func TestAnIssuersCertificateMustBeBelieved(t *testing.T) {
	known, unknown := newSecureRig(t, true), newSecureRig(t, false)
	known.accepted(t, known.sign(t, nil))
	unknown.refused(t, unknown.sign(t, nil), false)
	if n := unknown.issuer.Requests(); n != 0 {
		t.Errorf("%d requests were sent to an issuer with an unknown certificate", n)
	}
}

// TestNoRedirectLeadsFromTLSToPlainText has somebody on the way publish keys in the issuer's name.
func TestNoRedirectLeadsFromTLSToPlainText(t *testing.T) {
	t.Run("from the discovery document", func(t *testing.T) {
		r, between := newSecureRig(t, true), issuertest.Start(t)
		between.Claim(r.issuer.URL)
		r.issuer.Redirect(between.URL)
		r.refused(t, between.Sign(t, r.claims(nil)), false)
		if n := between.Requests(); n != 0 {
			t.Errorf("the address without TLS was called %d times", n)
		}
	})
	t.Run("by way of another address with TLS, from the keys", func(t *testing.T) {
		r, between := newSecureRig(t, true), issuertest.Start(t)
		elsewhere, _ := issuertest.StartTLS(t) // under the same certificate: httptest has one
		r.issuer.KeysAt(elsewhere.URL + "/keys")
		elsewhere.Redirect(between.URL)
		r.refused(t, between.Sign(t, r.claims(nil)), false)
		if n, via := between.Requests(), elsewhere.Requests(); n != 0 || via != 1 {
			t.Errorf("the address without TLS was called %d times, the one that leads there %d times", n, via)
		}
	})
	t.Run("nor does the discovery document name such an address of keys", func(t *testing.T) {
		r, between := newSecureRig(t, true), issuertest.Start(t)
		r.issuer.KeysAt(between.URL + "/keys")
		r.refused(t, between.Sign(t, r.claims(nil)), false)
		if n := between.Requests(); n != 0 {
			t.Errorf("the address without TLS was called %d times", n)
		}
	})
	t.Run("while one to another address with TLS is followed", func(t *testing.T) {
		r := newSecureRig(t, true)
		elsewhere, _ := issuertest.StartTLS(t)
		elsewhere.Claim(r.issuer.URL)
		r.issuer.Redirect(elsewhere.URL)
		r.accepted(t, elsewhere.Sign(t, r.claims(nil)))
	})
}

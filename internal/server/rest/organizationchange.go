package rest

import (
	"context"
	"encoding/json"

	"github.com/danielgtaylor/huma/v2"

	"github.com/longshore-registry/longshore/internal/identity"
)

// nullable is a member of a body that may be absent, null or have a value, which are three different things to say.
type nullable struct {
	Sent bool
	Text string // empty for null
}

// UnmarshalJSON notes that the member was there.
func (n *nullable) UnmarshalJSON(raw []byte) error {
	n.Sent = true
	if string(raw) == "null" {
		return nil
	}
	return json.Unmarshal(raw, &n.Text)
}

// Schema documents the member as a text or null.
func (*nullable) Schema(huma.Registry) *huma.Schema {
	limit := maxAddress
	return &huma.Schema{Type: huma.TypeString, Nullable: true, MaxLength: &limit}
}

// maxAddress is how long an e-mail address can be (RFC 5321 §4.5.3.1.3, without the brackets).
const maxAddress = 254

type changeOrganizationInput struct {
	Body struct {
		Email          *string  `json:"email,omitempty" maxLength:"254"`
		ContactEmail   nullable `json:"contact_email,omitempty" doc:"wins over email; null or empty removes the address"`
		InvoiceEmail   *bool    `json:"invoice_email,omitempty"`
		InvoiceAddress nullable `json:"invoice_email_address,omitempty"`
		TagExpirationS *int64   `json:"tag_expiration_s,omitempty" minimum:"0" doc:"seconds, one of TAG_EXPIRATION_OPTIONS; ignored where FEATURE_CHANGE_TAG_EXPIRATION is off"`
	}
}

func (a *API) changeOrganization(ctx context.Context, c *Call, in *changeOrganizationInput) (*organizationOutput, error) {
	b := in.Body
	change := identity.OrganizationChange{Email: b.Email, InvoiceEmail: b.InvoiceEmail}
	if b.ContactEmail.Sent {
		change.Email = &b.ContactEmail.Text
	}
	if b.InvoiceAddress.Sent {
		change.InvoiceAddress = &b.InvoiceAddress.Text
	}
	var err error
	if change.TagWindow, err = a.tagWindow(b.TagExpirationS); err != nil {
		return nil, err
	}
	if err := a.options.Identity.ChangeOrganization(ctx, c.Organization.ID, change); err != nil {
		return nil, asInvalid(err)
	}
	changed, err := a.options.Identity.AccountByID(ctx, c.Organization.ID)
	if err != nil {
		return nil, err
	}
	view, err := a.organizationView(ctx, c, changed)
	if err != nil {
		return nil, err
	}
	return &organizationOutput{view}, nil
}

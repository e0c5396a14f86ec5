package rest

import (
	"context"
	"encoding/xml"
	"net/http"
)

// wellKnownRoutes are what programs that know nothing of Quay look for.
func (a *API) wellKnownRoutes() []*route {
	row := func(path, id, summary string, h registrar) *route {
		return &route{Method: http.MethodGet, Path: path, ID: id, Summary: summary, Need: everybody(), Anonymous: true, Browser: true, Handler: h}
	}
	return []*route{
		row("/.well-known/app-capabilities", "getAppCapabilities", "Where to see an image, and what a scan found", handle(a.getAppCapabilities)),
		row("/.well-known/change-password", "changePasswordPage", "Where to change a password", handleWithHeaders(a.getChangePassword)),
		row("/robots.txt", "getRobots", "What search engines may look at", handleWithHeaders(a.getRobotsFile)),
		row("/opensearch.xml", "getOpenSearch", "How a browser searches here", handleWithHeaders(a.getOpenSearch)),
		row("/_internal_ping", "internalPing", "That the process answers", handleWithHeaders(a.ping)),
	}
}

type urlTemplate struct {
	URL        string `json:"url-template,omitempty"`
	REST       string `json:"rest-api-template,omitempty"`
	Deprecated bool   `json:"deprecated,omitempty"`
}

type appCapabilitiesOutput struct {
	Body struct {
		AppName      string                 `json:"appName"`
		Capabilities map[string]urlTemplate `json:"capabilities"`
	}
}

// getAppCapabilities tells the addresses whether or not this version scans: OpenShift's container security operator asks
// them and understands 404.
func (a *API) getAppCapabilities(_ context.Context, c *Call, _ *struct{}) (*appCapabilitiesOutput, error) {
	const security = "api/v1/repository/{namespace}/{reponame}/"
	base := c.Record.URL("/")
	out := &appCapabilitiesOutput{}
	out.Body.AppName = "io.quay"
	out.Body.Capabilities = map[string]urlTemplate{
		"io.quay.view-image":        {URL: base + "{namespace}/{reponame}:{tag}"},
		"io.quay.image-security":    {REST: base + security + "image/{imageid}/security", Deprecated: true},
		"io.quay.manifest-security": {REST: base + security + "manifest/{digest}/security"},
	}
	return out, nil
}

type redirectOutput struct {
	Status   int
	Location string `header:"Location"`
}

// getChangePassword sends password managers to the page that Quay's console has for it.
func (a *API) getChangePassword(context.Context, *Call, *struct{}) (*redirectOutput, error) {
	return &redirectOutput{http.StatusFound, "/user?tab=settings"}, nil
}

const robotsFile = `User-agent: *
Disallow: /api/
Disallow: /v1/
Disallow: /v2/
`

func (a *API) getRobotsFile(context.Context, *Call, *struct{}) (*textBody, error) {
	return &textBody{"text/plain; charset=utf-8", []byte(robotsFile)}, nil
}

func (a *API) ping(context.Context, *Call, *struct{}) (*textBody, error) {
	return &textBody{"text/plain; charset=utf-8", []byte("true")}, nil
}

// openSearch is a description document (OpenSearch 1.1).
type openSearch struct {
	XMLName     xml.Name `xml:"http://a9.com/-/spec/opensearch/1.1/ OpenSearchDescription"`
	ShortName   string
	Description string
	Encoding    string `xml:"InputEncoding"`
	URL         struct {
		Type     string `xml:"type,attr"`
		Template string `xml:"template,attr"`
	} `xml:"Url"`
}

func (a *API) getOpenSearch(_ context.Context, c *Call, _ *struct{}) (*textBody, error) {
	title, _ := a.options.Config.Public["REGISTRY_TITLE_SHORT"].(string)
	if title == "" {
		title = "Longshore"
	}
	document := openSearch{ShortName: title, Description: "Search the repositories of " + title, Encoding: "UTF-8"}
	document.URL.Type, document.URL.Template = "text/html", c.Record.URL("/search?q={searchTerms}")
	text, err := xml.MarshalIndent(document, "", "  ")
	return &textBody{"application/opensearchdescription+xml", append([]byte(xml.Header), append(text, '\n')...)}, err
}

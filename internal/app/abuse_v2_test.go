package app

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/longshore-registry/longshore/internal/digest"
)

func TestHostilePathsNameNothing(t *testing.T) {
	eachTarget(t, func(_ *testing.T, x *target) []attack {
		long := strings.Repeat("a", 256)
		d := x.layer.String()
		var rows []attack
		add := func(name, path string, status int, code string) {
			rows = append(rows, attack{name: name, who: "alice", scope: "alice/app", method: "GET", path: path, status: status, code: code})
		}
		add("an upper-case namespace", "/v2/Alice/app/tags/list", 400, "NAME_INVALID")
		add("an upper-case repository", "/v2/alice/App/tags/list", 400, "NAME_INVALID")
		add("a namespace of one character", "/v2/a/app/tags/list", 400, "NAME_INVALID")
		add("a namespace of 256 characters", "/v2/"+long+"/app/tags/list", 400, "NAME_INVALID")
		add("a name of 256 characters", "/v2/alice/"+long+"/tags/list", 400, "NAME_INVALID")
		add("a name with a leading dot", "/v2/alice/.app/tags/list", 400, "NAME_INVALID")
		add("a namespace that ends with a dash", "/v2/alice-/app/tags/list", 400, "NAME_INVALID")
		add("letters beyond ASCII", "/v2/alice/%C3%A4pp/tags/list", 400, "NAME_INVALID")
		add("a full-width look-alike of a slash", "/v2/alice%EF%BC%8Fapp/tags/list", 400, "NAME_INVALID")
		add("a blank", "/v2/alice/a%20b/tags/list", 400, "NAME_INVALID")
		add("a robot's namespace", "/v2/alice+bot/app/tags/list", 400, "NAME_INVALID")
		add("a script", "/v2/alice/%3Cscript%3E/tags/list", 400, "NAME_INVALID")
		add("a query in the path", "/v2/alice/app%3Fx/tags/list", 400, "NAME_INVALID")
		add("a doubly encoded slash", "/v2/alice%252Fapp/tags/list", 400, "NAME_INVALID")
		add("a doubly encoded dot segment", "/v2/alice/%252e%252e/bob/tags/list", 400, "NAME_INVALID")
		add("an encoded slash", "/v2/alice%2Fapp/tags/list", 404, "NAME_UNKNOWN")
		add("an encoded slash before a route word", "/v2/alice/app%2Ftags/list", 404, "NAME_UNKNOWN")
		add("an encoded separator in the first segment", "/v2%2Falice/app/tags/list", 404, "NAME_UNKNOWN")
		add("an encoded backslash", "/v2/alice%5Capp/tags/list", 404, "NAME_UNKNOWN")
		add("a dot segment", "/v2/alice/../alice/app/tags/list", 404, "NAME_UNKNOWN")
		add("an encoded dot segment", "/v2/alice/%2e%2e/alice/app/tags/list", 404, "NAME_UNKNOWN")
		add("a single dot segment", "/v2/./alice/app/tags/list", 404, "NAME_UNKNOWN")
		add("a way out of the root", "/v2/../../../../etc/passwd", 404, "NAME_UNKNOWN")
		add("NUL", "/v2/alice/app%00/tags/list", 404, "NAME_UNKNOWN")
		add("a line break", "/v2/alice/app%0d%0aX-Evil:1/tags/list", 404, "NAME_UNKNOWN")
		add("bytes that are no UTF-8", "/v2/alice/%ff%fe/tags/list", 404, "NAME_UNKNOWN")
		add("an empty first segment", "/v2//alice/app/tags/list", 404, "NAME_UNKNOWN")
		add("an empty segment in the middle", "/v2/alice//app/tags/list", 404, "NAME_UNKNOWN")
		add("a trailing slash", "/v2/alice/app/tags/list/", 404, "NAME_UNKNOWN")
		add("an upper-case version", "/V2/alice/app/tags/list", 404, "text")
		add("a route word alone", "/v2/tags/list", 404, "NAME_UNKNOWN")
		add("something behind the route", "/v2/alice/app/manifests/v1/x", 404, "NAME_UNKNOWN")
		add("the catalog with more behind", "/v2/_catalog/x", 404, "NAME_UNKNOWN")
		add("content trust, which is off", "/v2/alice/app/_trust/tuf/root.json", 404, "NAME_UNKNOWN")

		add("an empty reference", "/v2/alice/app/manifests/", 404, "NAME_UNKNOWN")
		add("a tag of 129 characters", "/v2/alice/app/manifests/"+long[:129], 404, "MANIFEST_UNKNOWN")
		add("a tag with a leading dot", "/v2/alice/app/manifests/.hidden", 404, "MANIFEST_UNKNOWN")
		add("a tag with a leading dash", "/v2/alice/app/manifests/-rf", 404, "MANIFEST_UNKNOWN")
		add("a tag with an encoded slash", "/v2/alice/app/manifests/a%2Fb", 404, "NAME_UNKNOWN")
		add("a short digest", "/v2/alice/app/manifests/sha256:abc", 400, "DIGEST_INVALID")
		add("an upper-case digest", "/v2/alice/app/blobs/sha256:"+strings.ToUpper(strings.TrimPrefix(d, "sha256:")), 400, "DIGEST_INVALID")
		add("a digest of an unknown algorithm", "/v2/alice/app/blobs/md5:d41d8cd98f00b204e9800998ecf8427e", 400, "DIGEST_INVALID")
		add("a digest that is a path", "/v2/alice/app/blobs/sha256:..%2f..%2f..%2fetc%2fpasswd", 404, "NAME_UNKNOWN")
		add("a digest with NUL behind", "/v2/alice/app/blobs/"+d+"%00", 404, "NAME_UNKNOWN")
		add("a digest with a line break behind", "/v2/alice/app/blobs/"+d+"%0A", 404, "NAME_UNKNOWN")
		add("a SHA-512 digest of SHA-256's length", "/v2/alice/app/blobs/sha512:"+strings.TrimPrefix(d, "sha256:"), 400, "DIGEST_INVALID")
		add("an unknown blob", "/v2/alice/app/blobs/"+digest.SHA256.Of([]byte("nothing")).String(), 404, "BLOB_UNKNOWN")
		add("an unknown tag", "/v2/alice/app/manifests/nothing", 404, "MANIFEST_UNKNOWN")
		add("a repository that the token does not name", "/v2/alice/other/tags/list", 401, "UNAUTHORIZED")
		add("another user's repository", "/v2/mallory/own/tags/list", 401, "UNAUTHORIZED")
		add("a missing namespace", "/v2/nobody/own/tags/list", 401, "UNAUTHORIZED")
		return rows
	})
}

func TestHostileUploadsAreRefused(t *testing.T) {
	eachTarget(t, func(_ *testing.T, x *target) []attack {
		const up = "/v2/alice/app/blobs/uploads/"
		at := up + x.upload
		right := "?digest=" + digest.SHA256.Of([]byte("x")).String()
		wrong := "?digest=" + digest.SHA256.Of([]byte("other")).String()
		var rows []attack
		add := func(name, who, method, path, body string, status int, code string, header ...string) {
			scope := "alice/app"
			if who == "mallory" {
				scope += " mallory/own"
			}
			rows = append(rows, attack{name: name, who: who, scope: scope, method: method, path: path, body: body, header: header, status: status, code: code})
		}
		for _, m := range []string{"GET", "PATCH", "PUT", "DELETE"} {
			query := map[string]string{"PUT": right}[m]
			add(m+" of another user's upload through the own repository", "mallory", m, "/v2/mallory/own/blobs/uploads/"+x.upload+query, "x", 404, "BLOB_UPLOAD_UNKNOWN")
			add(m+" of another user's upload in its repository", "mallory", m, at+query, "x", 401, "UNAUTHORIZED")
			add(m+" of an upload by a robot that may write there", "robot", m, at+query, "x", 404, "BLOB_UPLOAD_UNKNOWN")
		}
		add("an upload id that is none", "alice", "PATCH", up+"1", "x", 404, "BLOB_UPLOAD_UNKNOWN")
		add("an upload id in upper case", "alice", "PATCH", up+strings.ToUpper(x.upload)+"A", "x", 404, "BLOB_UPLOAD_UNKNOWN")
		add("an upload id that is a path", "alice", "PATCH", up+"..%2f..%2fx", "x", 404, "NAME_UNKNOWN")
		add("an upload id of dots", "alice", "PATCH", up+"%2e%2e", "x", 404, "NAME_UNKNOWN")
		for _, r := range []string{"bytes 0-0/1", "5-1", "0-99999999999999999999999", "-1-5", "0", "a-b", "0-0,2-3", "９-９", "9223372036854775807-9223372036854775807"} {
			add("the range "+r, "alice", "PATCH", at, "x", 400, "BLOB_UPLOAD_INVALID", "Content-Range: "+r)
		}
		add("a range past what is kept", "alice", "PATCH", at, "x", 416, "", "Content-Range: 10-10")
		add("a finish without a digest", "alice", "PUT", at, "x", 400, "BLOB_UPLOAD_INVALID")
		add("a finish with a digest that is none", "alice", "PUT", at+"?digest=sha256:x", "x", 400, "DIGEST_INVALID")
		add("a whole blob with a wrong digest", "alice", "POST", up+wrong, "x", 400, "DIGEST_INVALID")
		add("a whole blob that was compressed on the way", "alice", "POST", up+right, gzipped("x"), 400, "DIGEST_INVALID", "Content-Encoding: gzip")
		add("a whole blob one byte above the limit", "alice", "POST", up+right, strings.Repeat("x", 1<<20+1), 413, "BLOB_UPLOAD_INVALID")
		add("a digest algorithm that is none", "alice", "POST", up+"?digest-algorithm=md5", "", 400, "DIGEST_INVALID")
		add("a start without the slash", "alice", "POST", strings.TrimSuffix(up, "/"), "", 404, "NAME_UNKNOWN")
		add("a deletion of a blob that a manifest names", "alice", "DELETE", "/v2/alice/app/blobs/"+x.layer.String(), "", 405, "UNSUPPORTED")
		add("a deletion of another user's blob", "mallory", "DELETE", "/v2/alice/app/blobs/"+x.layer.String(), "", 401, "UNAUTHORIZED")
		add("a look at another user's blob in the own repository", "mallory", "HEAD", "/v2/mallory/own/blobs/"+x.layer.String(), "", 404, "")
		return rows
	})
}

func TestHostileRangesOfABlob(t *testing.T) {
	eachTarget(t, func(_ *testing.T, x *target) []attack {
		var rows []attack
		for _, r := range []struct {
			sent   string
			status int
		}{
			{"bytes=15-", 416}, {"bytes=-0", 416}, {"bytes=2-1", 416}, {"bytes=x-y", 416}, {"bytes=--1", 416}, {"bytes=", 416}, {"bytes=-", 416},
			{"bytes=99999999999999999999999-", 416},
			{"bytes=0-99999999999999999999999", 206}, {"bytes=-99999999999999999999999", 206}, {"bytes=0-0", 206},
			{"bytes=0-1,3-4", 200}, {"bytes=" + strings.Repeat("0-1,", 10_000), 200}, {"lines=0-1", 200}, {"bytes 0-1", 200},
		} {
			rows = append(rows, attack{name: fmt.Sprintf("%.40s", r.sent), who: "alice", scope: "alice/app", method: "GET",
				path: "/v2/alice/app/blobs/" + x.layer.String(), header: []string{"Range: " + r.sent}, status: r.status})
		}
		return rows
	})
}

func TestHostileManifestsAreRefused(t *testing.T) {
	config, layer := descriptorOf("application/vnd.example.config", "{}"), descriptorOf("application/vnd.oci.image.layer.v1.tar", "a private layer")
	whole := func(members string) string {
		return `{"schemaVersion":2,"mediaType":"` + imageType + `","config":` + config + `,"layers":[` + layer + `]` + members + `}`
	}
	deep := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	layers := func(n int) string {
		return `{"schemaVersion":2,"config":` + config + `,"layers":[` + strings.TrimSuffix(strings.Repeat(layer+",", n), ",") + `]}`
	}
	replace := func(old, new string) string { return strings.Replace(whole(""), old, new, 1) }
	const limit = 4 << 20
	rows := []attack{
		{name: "nothing", body: "", status: 400},
		{name: "no JSON", body: "\x00\x01", status: 400},
		{name: "half a document", body: whole("")[:50], status: 400},
		{name: "two documents", body: whole("") + whole(""), status: 400, says: "more after"},
		{name: "an array", body: "[" + whole("") + "]", status: 400, says: "not a JSON object"},
		{name: "null", body: "null", status: 400, says: "not a JSON object"},
		{name: "bytes that are no UTF-8", body: whole(`,"x":"` + "\xff" + `"`), status: 400, says: "UTF-8"},
		{name: "one byte above the limit", body: whole(`,"x":"` + strings.Repeat("x", limit-len(whole(`,"x":""`))+1) + `"`), status: 413, says: "4194304"},
		{name: "nested one too deep", body: whole(`,"x":` + deep(32)), status: 413, says: "32 deep"},
		{name: "a depth bomb", body: deep(1 << 20), status: 400},
		{name: "a depth bomb in a member", body: whole(`,"x":` + deep(1<<20)), status: 413, says: "32 deep"},
		{name: "10,001 layers", body: layers(10_001), status: 413, says: "10000"},
		{name: "too many values", body: whole(`,"x":[` + strings.Repeat("0,", 250_000) + `0]`), status: 413, says: "250000"},
		{name: "an annotation key of 1,025 bytes", body: whole(`,"annotations":{"` + strings.Repeat("k", 1025) + `":""}`), status: 413, says: "1024"},
		{name: "an annotation value above 1 MiB", body: whole(`,"annotations":{"k":"` + strings.Repeat("v", 1<<20+1) + `"}`), status: 413, says: "1048576"},
		{name: "manifest and index at once", body: whole(`,"manifests":[]`), status: 400, says: "manifests"},
		{name: "schema 1 at once", body: whole(`,"fsLayers":[]`), status: 400, says: "fsLayers"},
		{name: "an index with layers", body: `{"schemaVersion":2,"mediaType":"` + indexType + `","manifests":[],"layers":[]}`, status: 400, says: "layers"},
		{name: "a member twice", body: whole(`,"config":` + config), status: 400, says: "config"},
		{name: "a member twice, escaped", body: whole(`,"c\u006fnfig":` + config), status: 400, says: "config"},
		{name: "a member in another case", body: whole(`,"Layers":[]`), status: 400, says: "Layers"},
		{name: "a member with a Kelvin sign", body: whole(`,"annotation\u017f":{}`), status: 400, says: "only in case"},
		{name: "a digest member in another case", body: replace(`"digest"`, `"Digest":"sha256:0","digest"`), status: 400, says: "Digest"},
		{name: "no config", body: replace(`"config":`+config+`,`, ""), status: 400, says: "config"},
		{name: "a null config", body: replace(config, "null"), status: 400, says: "config"},
		{name: "layers that are no list", body: replace("["+layer+"]", "{}"), status: 400, says: "layers"},
		{name: "schema version 3", body: replace(`"schemaVersion":2`, `"schemaVersion":3`), status: 400, says: "schemaVersion"},
		{name: "schema version as text", body: replace(`"schemaVersion":2`, `"schemaVersion":"2"`), status: 400, says: "schemaVersion"},
		{name: "a negative size", body: replace(`"size":2`, `"size":-2`), status: 400, says: "size"},
		{name: "a size beyond 64 bits", body: replace(`"size":2`, `"size":99999999999999999999`), status: 400, says: "size"},
		{name: "a size that is no whole number", body: replace(`"size":2`, `"size":2.5`), status: 400, says: "size"},
		{name: "a wrong size of the config", body: replace(`"size":2`, `"size":3`), status: 400, says: "Size of config"},
		{name: "a wrong size of a layer", body: replace(`"size":15`, `"size":16`), status: 400, says: "Size of layer"},
		{name: "a digest that is none", body: replace("sha256:", "sha256:zz"), status: 400, says: "digest"},
		{name: "a digest that is a path", body: replace("sha256:", "../../"), status: 400, says: "digest"},
		{name: "an unknown blob", body: replace(digest.SHA256.Of([]byte("a private layer")).String(), digest.SHA256.Of([]byte("?")).String()), status: 400, code: "MANIFEST_BLOB_UNKNOWN"},
		{name: "an unknown child", body: `{"schemaVersion":2,"manifests":[` + descriptorOf(imageType, "?") + `]}`, status: 400, code: "MANIFEST_BLOB_UNKNOWN"},
		{name: "a subject that is no descriptor", body: whole(`,"subject":"x"`), status: 400, says: "subject"},
		{name: "an artifact type that is none", body: whole(`,"artifactType":"<script>"`), status: 400, says: "artifactType"},
		{name: "an annotation that is no string", body: whole(`,"annotations":{"a":1}`), status: 400, says: "annotations"},
		{name: "a media type that is none", body: replace("application/vnd.example.config", "x"), status: 400, says: "mediaType"},
		{name: "a media type with a line break", body: replace("application/vnd.example.config", `a/b\r\nX-Evil: 1`), status: 400, says: "mediaType"},
		{name: "a body that was compressed on the way", body: gzipped(whole("")), header: []string{"Content-Encoding: gzip"}, status: 400},
		{name: "an unknown Content-Type", header: []string{"Content-Type: text/html"}, status: 415, says: "text/html"},
		{name: "schema 1 by Content-Type", header: []string{"Content-Type: application/vnd.docker.distribution.manifest.v1+json"}, status: 415, says: "schema 1"},
		{name: "another Content-Type than the document's", header: []string{"Content-Type: " + indexType}, status: 400, says: "Content-Type"},
		{name: "a Content-Type that is garbage", header: []string{"Content-Type: ,;;;"}, status: 415},
		{name: "a digest that is not the document's", path: "/v2/alice/app/manifests/" + digest.SHA256.Of([]byte("?")).String(), status: 400, says: "manifest digest mismatch"},
		{name: "a further tag that is none", path: "/v2/alice/app/manifests/x?tag=..%2f", status: 400},
		{name: "too many further tags", path: "/v2/alice/app/manifests/x?" + strings.Repeat("tag=a&", 5000), status: 413, says: "100"},
	}
	for i := range rows {
		r := &rows[i]
		r.who, r.scope, r.method = "alice", "alice/app", "PUT"
		if r.path == "" {
			r.path = "/v2/alice/app/manifests/evil"
		}
		if r.code == "" {
			r.code = "MANIFEST_INVALID"
		}
		if r.body == "" && r.name != "nothing" {
			r.body = whole(`,"annotations":{"row":"` + r.name + `"}`)
		}
		if !strings.Contains(strings.Join(r.header, ""), "Content-Type") {
			r.header = append(r.header, "Content-Type: application/json")
		}
	}
	eachTarget(t, func(*testing.T, *target) []attack {
		all := rows
		for _, r := range rows { // the same to a repository that the push would make
			r.name, r.scope, r.path = "first push: "+r.name, "alice/fresh", strings.Replace(r.path, "alice/app", "alice/fresh", 1)
			if unsound := r.code == "MANIFEST_INVALID" && !strings.HasPrefix(r.says, "Size of"); unsound {
				all = append(all[:len(all):len(all)], r)
			}
		}
		return all
	})
}

// TestNULInAManifestIsKept: what no column can hold is only ever part of the manifest's bytes.
func TestNULInAManifestIsKept(t *testing.T) {
	config, layer := descriptorOf("application/vnd.oci.image.config.v1+json", "{}"), descriptorOf("application/vnd.oci.image.layer.v1.tar", "a private layer")
	body := `{"schemaVersion":2,"config":` + config + `,"layers":[` + layer + `],"annotations":{"a\u0000b":"c","quay.expires-after":"1\u0000w","k":"\u0000"},"x\u0000":"\ud800"}`
	eachTarget(t, func(*testing.T, *target) []attack {
		return []attack{
			{name: "push", who: "alice", scope: "alice/app", method: "PUT", path: "/v2/alice/app/manifests/nul", body: body, status: 201},
			{name: "pull", who: "alice", scope: "alice/app", method: "GET", path: "/v2/alice/app/manifests/nul", status: 200, says: body},
		}
	})
}

func TestHostileQueriesOfListsAreHarmless(t *testing.T) {
	eachTarget(t, func(_ *testing.T, x *target) []attack {
		var rows []attack
		for _, path := range []string{"/v2/alice/app/tags/list", "/v2/_catalog", "/v2/alice/app/referrers/" + x.image.String()} {
			for _, query := range []string{"n=-1", "n=x", "n=999999999999999999999", "n=1e9", "n=0x10", "n=%00", "n=1&n=2", "last=../..", "last=" + strings.Repeat("x", 8000),
				"last='%20OR%201=1--", "next_page=x", "after=-1", "after=x", "after=999999999999999999999", "%", "a=%zz", ";", "artifactType=%3Cscript%3E"} {
				rows = append(rows, attack{name: fmt.Sprintf("%.40s?%.20s", path, query), who: "alice", scope: "alice/app", method: "GET", path: path + "?" + query, status: 200})
			}
		}
		for _, list := range [][2]string{{"/v2/alice/app/tags/list", "last"}, {"/v2/_catalog", "last"}, {"/v2/alice/app/referrers/" + x.image.String(), "artifactType"}} {
			path, query := list[0], list[1]
			for _, value := range []string{"%00", "%ff", "a%00/b"} { // what no database can look for
				rows = append(rows, attack{name: fmt.Sprintf("%.30s?%s=%s", path, query, value), who: "alice", scope: "alice/app", method: "GET", path: path + "?" + query + "=" + value, status: 400, code: "NAME_INVALID", says: "parameter " + query + " holds a NUL"})
			}
		}
		for _, accept := range []string{"text/html", "*/*;q=nonsense", strings.Repeat("a/b,", 5000), "\xff"} {
			rows = append(rows, attack{name: fmt.Sprintf("Accept %.12q", accept), who: "alice", scope: "alice/app", method: "GET", path: "/v2/alice/app/manifests/v1", header: []string{"Accept: " + accept}, status: 200})
		}
		return rows
	})
}

// TestRepositoriesNamedAfterRouteWords pushes and pulls one for real.
func TestRepositoriesNamedAfterRouteWords(t *testing.T) {
	eachTarget(t, func(*testing.T, *target) []attack {
		var rows []attack
		for _, name := range []string{"alice/blobs/uploads", "alice/manifests/latest", "alice/tags/list", "alice/referrers/x", "alice/app/tag/v1", "alice/app/permissions/user", "alice/blobs", "alice/v2/auth", "alice/_catalog"[:6] + "catalog", "alice/robots", "alice/changevisibility"} {
			config, layer := []byte("{}"), []byte("layer of "+name)
			add := func(what, method, path, body string, status int) {
				rows = append(rows, attack{name: what + " " + name, who: "alice", scope: name, method: method, path: "/v2/" + name + path, body: body, status: status})
			}
			for _, b := range [][]byte{config, layer} {
				add("push a blob to", "POST", "/blobs/uploads/?digest="+digest.SHA256.Of(b).String(), string(b), 201)
			}
			add("push to", "PUT", "/manifests/v1", string(imageOf(config, layer)), 201)
			add("pull from", "GET", "/manifests/v1", "", 200)
			add("pull a blob from", "GET", "/blobs/"+digest.SHA256.Of(layer).String(), "", 200)
			add("list the tags of", "GET", "/tags/list", "", 200)
			rows[len(rows)-1].says = `"name":"` + name + `"`
		}
		return rows
	})
}

func descriptorOf(mediaType, content string) string {
	b, _ := json.Marshal(map[string]any{"mediaType": mediaType, "digest": digest.SHA256.Of([]byte(content)), "size": len(content)})
	return string(b)
}

func gzipped(s string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write([]byte(s))
	_ = w.Close()
	return b.String()
}

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"time"
)

// page is a row: what is asked, by whom, and what it may cost.
type page struct {
	name  string
	who   caller
	path  string
	pages int           // so many next_page tokens further; -1 for the last page
	large int           // the same in the large installation; 0 for the same
	ratio float64       // at most, to the small installation; 0 for no bound
	most  time.Duration // what the page may take in the large installation if its ratio is higher; 0 for no such bound
	only  bool          // the small installation has no such page
	back  int           // path ends in a page's number, which begins here and is one less each time; 0 for the same path
}

// paths gives the path of each request in turn.
func (p page) paths(first string) func() string {
	next := p.back
	return func() string {
		if p.back == 0 {
			return first
		}
		path := fmt.Sprint(first, next)
		if next--; next == 0 {
			next = p.back
		}
		return path
	}
}

type caller int

const (
	root   caller = iota // superuser, owner of everything, by an OAuth token
	few                  // may read three repositories of each organization, by a session
	nobody               // anonymous
)

const (
	deep   = 20 * time.Millisecond // of a page with a high number among 100,000
	lists  = 2
	search = 5
)

// rows are the pages in the order in which they are measured.
func rows() []page {
	const (
		acme = "/api/v1/repository?namespace=acme&last_modified=true&popularity=true"
		tags = "/api/v1/repository/acme/big/tag/?limit=100&page="
		live = "/api/v1/repository/acme/big/tag/?limit=100&onlyActiveTags=true&page="
		like = "/api/v1/repository/acme/big/tag/?limit=100&filter_tag_name="
		org  = "/api/v1/organization/acme"
		find = "/api/v1/find/repositories?includeUsage=true&query="
		all  = "/api/v1/find/all?query="
		who  = "/api/v1/entities/"
	)
	span := "starttime=" + url.QueryEscape(time.Now().AddDate(-1, 0, 0).Format("01/02/2006")) + "&endtime=" + url.QueryEscape(time.Now().Format("01/02/2006"))
	month := "starttime=" + url.QueryEscape(time.Now().AddDate(0, -1, 0).Format("01/02/2006")) + "&endtime=" + url.QueryEscape(time.Now().Format("01/02/2006"))
	return []page{
		{name: "repositories of a namespace, first page, owner", path: acme, ratio: lists},
		{name: "… last page by token", path: acme, pages: -1, ratio: lists},
		{name: "… who may read three of them", who: few, path: acme, ratio: lists},
		{name: "… and public ones", who: few, path: acme + "&public=true", ratio: lists},
		{name: "… and public ones, last page", who: few, path: acme + "&public=true", pages: -1, ratio: lists},
		{name: "… anonymous, public ones", who: nobody, path: acme + "&public=true", ratio: lists},
		{name: "repositories of all namespaces, first page, owner", path: "/api/v1/repository?public=true", ratio: lists},
		{name: "… last page by token", path: "/api/v1/repository?public=true", pages: -1, ratio: lists},
		{name: "… who may read six and public ones", who: few, path: "/api/v1/repository?public=true", ratio: lists},
		{name: "… anonymous", who: nobody, path: "/api/v1/repository?public=true", ratio: lists},
		{name: "starred repositories, first page", path: "/api/v1/repository?starred=true", ratio: lists},
		{name: "… last page by token", path: "/api/v1/repository?starred=true", pages: -1, ratio: lists},
		{name: "repository with its 500 newest tags and 92 days", path: "/api/v1/repository/acme/big?includeStats=true", ratio: lists},
		{name: "tags with history, page 1", path: tags + "1", ratio: lists},
		{name: "… page 10", path: tags + "10", ratio: lists},
		{name: "… page 1000", path: tags + "1000", most: deep, only: true},
		{name: "… pages about 1000 backwards, none of them seen before", path: tags, back: 1150, most: deep, only: true},
		{name: "… page 2000, the last: 200,000 entries", path: tags + "2000", most: 2 * deep, only: true},
		{name: "live tags, page 1", path: live + "1", ratio: lists},
		{name: "… page 10", path: live + "10", ratio: lists},
		{name: "… page 1000, the last", path: live + "1000", most: deep, only: true},
		{name: "history of one tag", path: "/api/v1/repository/acme/big/tag/?specificTag=v500", ratio: lists},
		{name: "tags eq:", path: like + "eq:v500", ratio: lists},
		{name: "tags like: what all have", path: like + "like:v", ratio: lists},
		{name: "… what one in 1,000 has", path: like + "like:rc-", ratio: lists, most: deep},
		{name: "… what few have", path: like + "like:v1099", ratio: lists, most: deep},
		{name: "… what none has", path: like + "like:nothing", ratio: lists, most: deep},
		{name: "members of a team", path: org + "/team/team5/members", ratio: lists},
		{name: "one member of an organization", path: org + "/members/person5", ratio: lists},
		{name: "one robot", path: org + "/robots/robot5", ratio: lists},
		{name: "organization with its teams (all: 10, 1,000)", path: org},
		{name: "members of an organization (all)", path: org + "/members"},
		{name: "collaborators of an organization (all)", path: org + "/collaborators"},
		{name: "robots of an organization (all: 10, 1,000)", path: org + "/robots"},
		{name: "log of an organization, a year, first page", path: org + "/logs?" + span, ratio: lists},
		{name: "… page 40 of 1,000 and 2,000 of 1,000,000 entries", path: org + "/logs?" + span, pages: 39, large: 1999, ratio: lists},
		{name: "log of a repository, a year, first page", path: "/api/v1/repository/acme/big/logs?" + span, ratio: lists},
		{name: "log of the registry, a year, first page", path: "/api/v1/superuser/logs?" + span, ratio: lists},
		{name: "log by day and kind, a month (83 and 83,000 entries)", path: org + "/aggregatelogs?" + month},
		{name: "users of the registry, a page of 100", path: "/api/v1/superuser/users/?limit=100", ratio: lists},
		{name: "find repositories: common word", path: find + "service", ratio: search},
		{name: "… common word, page 10", path: find + "service&page=10", ratio: search},
		{name: "… three letters that all have", path: find + "ice", ratio: search},
		{name: "… rare word", path: find + "zebra", ratio: search},
		{name: "… rare three letters", path: find + "zeb", ratio: search},
		{name: "… nothing", path: find + "xylophone", ratio: search},
		{name: "… common word and rare one's letters", path: find + "api-zeb", ratio: search},
		{name: "… two letters", path: find + "se", ratio: search},
		{name: "… namespace/beginning", path: find + "catalog/service-1", ratio: search},
		{name: "… common word, who sees few", who: few, path: find + "service", ratio: search},
		{name: "… rare word, who sees few", who: few, path: find + "zebra", ratio: search},
		{name: "… common word, anonymous", who: nobody, path: find + "service", ratio: search},
		{name: "find all: common word", path: all + "service", ratio: search},
		{name: "… rare word", path: all + "zebra", ratio: search},
		{name: "… people", path: all + "person", ratio: search},
		{name: "… common word, who sees few", who: few, path: all + "service", ratio: search},
		{name: "entities: common, with teams and organizations", path: who + "person?namespace=acme&includeTeams=true&includeOrgs=true", ratio: search},
		{name: "… team", path: who + "team?namespace=acme&includeTeams=true", ratio: search},
		{name: "… robot", path: who + "acme+rob?namespace=acme", ratio: search},
		{name: "… rare", path: who + "person77", ratio: search},
		{name: "… who sees few", who: few, path: who + "person", ratio: search},
	}
}

// read asks for a path as somebody.
func (i *installation) read(ctx context.Context, who caller, path string) ([]byte, error) {
	switch who {
	case few:
		return i.get(ctx, i.few, "", path)
	case nobody:
		return i.get(ctx, i.server.HTTP, "", path)
	}
	return i.get(ctx, i.server.HTTP, i.server.Token, path)
}

// turn goes so many pages further, or to the last, and gives the address of that page.
func (i *installation) turn(ctx context.Context, p page, pages int) (string, error) {
	path := p.path
	for n := 0; n != pages; n++ {
		text, err := i.read(ctx, p.who, path)
		if err != nil {
			return "", err
		}
		var of struct {
			Next string `json:"next_page"`
		}
		if err := json.Unmarshal(text, &of); err != nil {
			return "", err
		}
		if of.Next == "" {
			break
		}
		path = p.path + "&next_page=" + url.QueryEscape(of.Next)
	}
	return path, nil
}

package app

import (
	"context"
	"net/http"
	"path/filepath"
	"time"

	"github.com/longshore-registry/longshore/internal/access"
	"github.com/longshore-registry/longshore/internal/audit"
	"github.com/longshore-registry/longshore/internal/config"
	"github.com/longshore-registry/longshore/internal/content"
	blobfiles "github.com/longshore-registry/longshore/internal/content/fs"
	"github.com/longshore-registry/longshore/internal/db"
	"github.com/longshore-registry/longshore/internal/identity"
	"github.com/longshore-registry/longshore/internal/identity/bearer"
	"github.com/longshore-registry/longshore/internal/identity/federated"
	"github.com/longshore-registry/longshore/internal/mail"
	"github.com/longshore-registry/longshore/internal/oauth"
	"github.com/longshore-registry/longshore/internal/outbound"
	"github.com/longshore-registry/longshore/internal/overview"
	"github.com/longshore-registry/longshore/internal/registry"
	"github.com/longshore-registry/longshore/internal/registry/manifest"
	"github.com/longshore-registry/longshore/internal/server"
	"github.com/longshore-registry/longshore/internal/server/distribution"
	"github.com/longshore-registry/longshore/internal/server/legacy"
	"github.com/longshore-registry/longshore/internal/server/live"
	"github.com/longshore-registry/longshore/internal/server/logexport"
	"github.com/longshore-registry/longshore/internal/server/maillink"
	"github.com/longshore-registry/longshore/internal/server/rest"
)

// defaultAudience is the token audience when no SERVER_HOSTNAME is configured: a constant, since the Host header is
// the client's to choose.
const defaultAudience = "longshore"

// parts is everything that serves, in order of dependence.
type parts struct {
	db           *db.DB
	log          *audit.Log
	identity     *identity.Service
	access       *access.Authority
	tokens       *bearer.Authority
	events       *live.Hub
	content      *content.Store
	registry     *registry.Registry
	distribution http.Handler
	api          *rest.API
	stop         context.CancelFunc // begins to stop the program
	mail         *mail.Sender       // nil: no mail is sent
	mailLinks    http.Handler       // nil likewise
	legacy       http.Handler
	checks       []server.Check
	exports      *logexport.Exporter
	background   []func(context.Context) error
}

// closeLog bounds how long a stop waits for pulls to get from the spool to the database. What is left is stored by the
// next process.
const closeLog = 5 * time.Second

// close ends what build began. Requests have been answered, so that the action log is complete.
func (s *parts) close(ctx context.Context) {
	if s.log != nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeLog)
		defer cancel()
		_ = s.log.Close(ctx) // what could not be stored waits in the spool, and is logged by who adopts it
	}
	_ = s.db.Close()
}

// build makes every part from the configuration. Nothing listens yet. stop is called when a superuser stops the program.
func (i *installation) build(ctx context.Context, stop context.CancelFunc) (_ *parts, err error) {
	s := &parts{stop: stop, events: live.NewHub()}
	if s.db, err = i.openDatabase(ctx, false); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			s.close(ctx)
		}
	}()
	if err = s.db.Migrate(ctx); err != nil {
		return nil, err
	}
	if s.log, err = i.openLog(ctx, s.db, spoolReserve); err != nil {
		return nil, err
	}
	for _, step := range []func(context.Context, *parts) error{i.buildPeople, i.buildContent, i.buildServers} {
		if err = step(ctx, s); err != nil {
			return nil, err
		}
	}
	s.checks = i.checks(s)
	return s, nil
}

func (i *installation) accessOptions(s *parts) access.Options {
	c := i.config
	return access.Options{DB: s.db, Accounts: s.identity, Audit: s.log, Clock: i.seams.now, Policy: access.Policy{
		AnonymousAccess: c.Accounts.AnonymousAccess, SuperUsers: c.Accounts.SuperUsers, SuperUsersEnabled: c.Accounts.SuperUsersOn,
		SuperUsersFullAccess: c.Accounts.SuperUsersFullAccess, SuperUsersCreateOrgs: c.Accounts.SuperUsersOnlyMakeOrg,
		ReadOnlySuperUsers: c.Accounts.ReadOnlySuperUsers, RestrictedUsers: c.Accounts.RestrictedUsers,
		RestrictedWhitelist: c.Accounts.RestrictedWhitelist, CreateNamespaceOnPush: c.Push.CreateNamespaces,
		RegistryReadOnly: c.Server.ReadOnly, PushesDisabled: c.Server.PushesOff,
	}}
}

func (i *installation) buildPeople(ctx context.Context, s *parts) (err error) {
	c := i.config
	if s.identity, err = identity.NewService(i.identityOptions(s.db, s.log)); err != nil {
		return err
	}
	s.access = access.NewAuthority(i.accessOptions(s))
	s.tokens, err = bearer.New(ctx, bearer.Options{
		DB: s.db, DatabaseSecretKey: c.Keys.DatabaseSecret.Reveal(), Service: c.Server.InstanceKeyName,
		Audit: s.log, KeyLifetime: c.Server.InstanceKeyLife, Refresh: c.Server.InstanceKeyRenew, MaxFresh: c.Login.TokenMaxAge, Clock: i.seams.now, Log: i.log,
		Unapproved: c.Server.UnapprovedKeyLife, Expired: c.Server.ExpiredKeyLife, SuperUsers: s.access.SuperUsers,
	})
	s.background = append(s.background, s.identity.Run, s.tokens.Run)
	return err
}

func (i *installation) buildContent(ctx context.Context, s *parts) error {
	c := i.config
	var locations []content.Location
	for _, l := range c.Storage.Locations {
		driver, err := blobfiles.New(blobfiles.Options{Root: l.Path, Shared: c.Database.Postgres(), System: i.seams.files})
		if err != nil {
			return err
		}
		locations = append(locations, content.Location{Name: l.ID, Driver: driver})
	}
	var err error
	if s.content, err = content.NewStore(ctx, content.Options{
		DB: s.db, Locations: locations, Lease: c.Registry.PushProtection, MaxBlob: c.Registry.MaxBlobSize,
		Memory: content.DefaultMemory, Clock: i.seams.now, Log: i.log,
	}); err != nil {
		return err
	}
	s.background = append(s.background, func(ctx context.Context) error { return i.reapUploads(ctx, s.content) }, s.content.RunMeasure, s.stopEvents)
	s.registry, err = registry.New(registry.Options{
		DB: s.db, Content: s.content, Lease: c.Registry.PushProtection, SparseIndex: c.Registry.SparseIndex,
		Expiry: registry.Expiry{Min: c.Tags.LabelMinimum, Max: c.Tags.LabelMaximum}, Names: i.names(), Clock: i.seams.now, Log: i.log,
		Memory: registry.DefaultMemory, Accounts: s.identity, Audit: s.log, Reserved: c.Registry.ReservedLabels,
		Immutable: registry.Immutability{On: c.Tags.Immutable, CanExpire: c.Tags.ImmutableExpire},
		Artifacts: manifest.Policy{
			NoOCI: !c.Artifacts.OCI, OCIFor: c.Artifacts.OCINamespaces, NoSchema2: c.Artifacts.Schema1Only,
			Types: c.Artifacts.Allowed, NoHelm: !c.Artifacts.Helm,
		},
	})
	return err
}

// stopEvents ends the streams of events when the program stops: it waits for requests in flight.
func (s *parts) stopEvents(ctx context.Context) error {
	<-ctx.Done()
	s.events.Stop()
	return nil
}

// reapUploads removes uploads that nobody continued, until the context ends.
func (i *installation) reapUploads(ctx context.Context, store *content.Store) error {
	const every, atOnce = 10 * time.Minute, 100
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		for n := atOnce; n == atOnce && ctx.Err() == nil; {
			var err error
			if n, err = store.Reap(db.Background(ctx), atOnce); err != nil && ctx.Err() == nil {
				i.log.Warn("expired uploads could not be removed; it is tried again later", "error", err)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

func (i *installation) names() registry.NameOptions {
	names := registry.NameOptions{Extended: i.config.Registry.NestedNames}
	if i.config.Registry.Library {
		names.Library = i.config.Registry.LibraryNamespace
	}
	return names
}

func (i *installation) buildServers(_ context.Context, s *parts) error {
	c := i.config
	v2, err := distribution.New(distribution.Options{
		Registry: s.registry, Content: s.content, Access: s.access, Identity: s.identity, Tokens: s.tokens, Audit: s.log, Events: s.events,
		AuditLogins: c.ActionLog.Logins, AuditLoginFailures: c.ActionLog.LoginFailures,
		AuditFailures: distribution.Failures{Pulls: c.ActionLog.PullFailures, Pushes: c.ActionLog.PushFailures, Deletes: c.ActionLog.DeleteFailures},
		Service:       i.audience(), Names: i.names(), RecoveryMode: c.Server.RecoveryMode, AdvertiseV2: c.Registry.Advertised,
		BlacklistV2: c.Registry.BlockedDockers, PublicCatalog: c.Registry.PublicCatalog, ReferrersAPI: c.Registry.Referrers,
		SparseIndex: c.Registry.SparseIndex, CreatePublic: !c.Push.PrivateRepositories,
		PageSize: c.Registry.PageSize, Clock: i.seams.now, Log: i.log,
	})
	if err != nil {
		return err
	}
	s.distribution = v2
	if err := i.buildMail(s); err != nil {
		return err
	}
	if err := i.buildExports(s); err != nil {
		return err
	}
	s.legacy = legacy.New(legacy.Options{Identity: s.identity, Access: s.access, Lists: overview.New(s.db), Clock: i.seams.now})
	if s.api, err = rest.New(i.restOptions(s)); err != nil {
		return err
	}
	s.background = append(s.background, s.api.Ready)
	return nil
}

// buildExports makes what exports the action log, after buildMail.
func (i *installation) buildExports(s *parts) (err error) {
	o := logexport.Options{
		Log: s.log, Dir: filepath.Join(i.data, "exports"), Guard: i.guard(), Clock: i.seams.now, Logger: i.log,
	}
	if s.mail != nil {
		o.Mail = s.mail
	}
	if s.exports, err = logexport.New(o); err != nil {
		return err
	}
	s.background = append(s.background, s.exports.Run)
	return nil
}

// guard makes the calls to addresses that other people name.
func (i *installation) guard() *outbound.Guard {
	return outbound.New(i.config.ActionLog.InnerHosts, outbound.Roots(i.config.Bundle.ExtraCAs))
}

// audience is whom registry tokens are for.
func (i *installation) audience() string {
	if i.config.Server.Hostname == "" {
		return defaultAudience
	}
	return i.config.Server.Hostname
}

// federation checks the tokens of issuers that robots trust.
func (i *installation) federation() *federated.Verifier {
	const patience, longest = 10 * time.Second, 1 << 20 // of a call, and bytes of its answer
	c := i.config
	audiences := append([]string{i.audience()}, c.Accounts.FederationAudiences...)
	if c.Server.Hostname != "" {
		audiences = append(audiences, i.links())
	}
	return federated.New(federated.Options{
		Client: outbound.Bounded(i.guard().Client(patience), longest), Audiences: audiences, Clock: i.seams.now, Log: i.log,
	})
}

// buildMail makes what sends mails and answers the links in them, where mail is configured.
func (i *installation) buildMail(s *parts) (err error) {
	c := i.config.Mail
	if !c.Enabled {
		return nil
	}
	s.mail, err = mail.New(mail.Options{
		Server: c.Server, Port: c.Port, StartTLS: c.StartTLS, Username: c.Username, Password: c.Password, Sender: c.Sender,
		Registry: i.config.Server.Hostname, Roots: outbound.Roots(i.config.Bundle.ExtraCAs), Clock: i.seams.now,
	})
	if err != nil {
		return err
	}
	s.mailLinks, err = maillink.New(maillink.Options{Identity: s.identity, Registry: s.registry, Mail: s.mail, ReadOnly: i.config.Server.ReadOnly})
	return err
}

// links is the address of this registry as it stands in mails.
func (i *installation) links() string {
	scheme := i.config.Server.Scheme
	if scheme == "" {
		scheme = "http"
		if i.config.TLS.KeyFile != "" {
			scheme = "https"
		}
	}
	return scheme + "://" + i.config.Server.Hostname
}

func (i *installation) restOptions(s *parts) rest.Options {
	c := i.config
	o := rest.Options{
		Identity: s.identity, Access: s.access, Registry: s.registry, Secret: []byte(c.Keys.Secret.Reveal()), Version: version, Clock: i.seams.now,
		Lists: overview.New(s.db), FreshLogin: c.Session.FreshLoginFor,
		Cookie:  rest.Cookie{Name: c.Session.CookieName, Secure: c.Session.CookieSecure, Persistent: c.Session.Permanent, Life: c.Session.Timeout},
		XHROnly: c.Server.BrowserCallsXHR, Origins: c.Server.CORSOrigins,
		Initialize: c.Accounts.Initialize, DirectLogin: c.Login.Direct, DatabaseAuth: true, Mailing: c.Mail.Enabled,
		PublicNamespaces: c.Accounts.PublicNamespaces,
		Registration:     rest.Registration{Open: c.Accounts.Registration, InviteOnly: c.Accounts.InviteOnly},
		Rename:           c.Accounts.Rename, Metadata: c.Accounts.Metadata,
		AppTokens: c.Login.AppTokens, AppTokenLife: c.Login.AppTokenLife, Log: i.log,
		Audit: s.log, Exports: s.exports, AuditLogins: c.ActionLog.Logins, AuditLoginFailures: c.ActionLog.LoginFailures,
		LogExport: c.ActionLog.Export, LogCounts: c.ActionLog.Counts,
		OAuth:           oauth.New(oauth.Options{DB: s.db, Identity: s.identity, Audit: s.log, MaxTokens: c.Accounts.MaxApplicationTokens, Clock: i.seams.now}),
		ChangeTagWindow: c.Tags.ChangeWindow, TagWindows: c.Tags.WindowChoices, RequireTeamInvite: c.Accounts.RequireTeamInvite, AssignTokens: c.Accounts.AssignTokens,
		Keys: s.tokens, Service: i.audience(), Size: s.content, Events: s.events, UserEvents: c.Server.UserEvents,
		Config: i.view(), ConfigDump: c.Accounts.ConfigDump, RecoveryMode: c.Server.RecoveryMode, SparseIndex: c.Registry.SparseIndex,
		DirectApplications: c.Accounts.DirectApplications,
		HealthDebug:        c.Server.HealthDebug, Changes: changes, Shutdown: s.stop,
		Mirror: c.Registry.Mirror, PurgeTags: c.Tags.Purge, Immutable: c.Tags.Immutable, PartialNames: c.Accounts.FindByPart,
		PullStatistics: c.Tags.CountPulls,
	}
	if c.Accounts.BlockDomains {
		o.Registration.BlockedDomains = c.Accounts.BlockedDomains
	}
	if s.mail != nil {
		o.Mail, o.Links, o.Inviter = s.mail, i.links(), s.mail
	}
	return o
}

// view is what may be shown of the configuration.
func (i *installation) view() config.View {
	if i.report == nil { // it was made by hand
		return config.View{}
	}
	return i.report.View
}

package rest

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/longshore-registry/longshore/internal/access"
	"github.com/longshore-registry/longshore/internal/identity"
	"github.com/longshore-registry/longshore/internal/problem"
	"github.com/longshore-registry/longshore/internal/server/live"
)

// beatEvery is how often a stream of events shows that it lives, and asks whether whoever listens still may.
const beatEvery = 20 * time.Second

// eventRoutes are FEATURE_USER_EVENTS'.
func (a *API) eventRoutes() []*route {
	r := &route{
		Method: http.MethodGet, Path: "/realtime/user/subscribe", ID: "subscribeToEvents", Summary: "What the own container tools do, as it happens",
		Need: account(access.ReadAccount, identity.ScopeUserRead), Browser: true, Handler: handleWithHeaders(a.subscribe),
	}
	if !a.options.UserEvents {
		r.switchOff()
	}
	return []*route{r}
}

type subscribeInput struct {
	Events string `query:"events" maxLength:"255" doc:"names of events, separated by commas; there is docker-cli"`
}

type streamOutput struct {
	ContentType string `header:"Content-Type"`
	Body        []byte
}

// subscribe opens a stream of server-sent events. It ends with the session or token, the account, or the program.
func (a *API) subscribe(_ context.Context, c *Call, in *subscribeInput) (*streamOutput, error) {
	if !slices.Contains(strings.Split(in.Events, ","), live.DockerCLI) {
		return nil, invalidRequest("events: found %q, allowed is %s", in.Events, live.DockerCLI)
	}
	listener, err := a.options.Events.Listen(c.Principal.Account.Name)
	if err != nil {
		return nil, err
	}
	c.stream = func(ctx context.Context, w http.ResponseWriter) {
		defer listener.Close()
		a.tell(ctx, w, listener, c)
	}
	c.drop = listener.Close
	return &streamOutput{ContentType: "text/event-stream; charset=utf-8"}, nil
}

// tell writes events until the stream ends.
func (a *API) tell(ctx context.Context, w http.ResponseWriter, l *live.Listener, c *Call) {
	control := http.NewResponseController(w)
	send := func(text string) bool {
		_, err := w.Write([]byte(text))
		return err == nil && control.Flush() == nil
	}
	beat := time.NewTicker(cmp.Or(a.options.Beat, beatEvery))
	defer beat.Stop()
	for ok := send("data: {}\n\n"); ok; {
		select {
		case <-ctx.Done():
			return
		case event, open := <-l.Events():
			text, err := json.Marshal(event)
			ok = open && err == nil && send("data: "+string(text)+"\n\n")
		case <-beat.C:
			ok = a.stillThere(ctx, c) && send(": \n\n")
		}
	}
}

// stillThere reports whether whoever opened a stream could open it again.
func (a *API) stillThere(ctx context.Context, c *Call) bool {
	x := &exchange{r: c.request, call: &Call{Record: c.Record}}
	_, err := a.authenticate(ctx, x)
	if problem.Is(err, problem.Unavailable) {
		return true // the database is away: nobody was signed out
	}
	return err == nil && x.call.Principal.Account.ID == c.Principal.Account.ID
}

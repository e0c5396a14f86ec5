package rest

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/longshore-registry/longshore/internal/identity"
)

// avatar lets a console draw somebody without asking further.
type avatar struct {
	Name  string `json:"name"`
	Hash  string `json:"hash" doc:"SHA-256 in hex of the lower-cased e-mail address, else of the name"`
	Color string `json:"color" doc:"#rrggbb"`
	Kind  string `json:"kind" enum:"user,org,team,robot,app"`
}

func newAvatar(name, email, kind string) avatar {
	if email == "" {
		email = name
	}
	sum := sha256.Sum256([]byte(strings.ToLower(strings.TrimSpace(email))))
	return avatar{Name: name, Hash: hex.EncodeToString(sum[:]), Color: colorOf(sum[0]), Kind: kind}
}

// colorOf picks one of sixteen colours that white letters can be read on.
func colorOf(b byte) string {
	const colors = "8c1d40" + "a23b72" + "6a3d9a" + "4b3f9e" + "2f4b9f" + "1f5f99" + "0b6e8a" + "087f73" +
		"1b7837" + "3f7d20" + "6b6b13" + "8a5a00" + "a04a00" + "b03a2e" + "5f5f6e" + "3c4a57"
	i := int(b%16) * 6
	return "#" + colors[i:i+6]
}

// holderAvatar is the avatar of a user or a robot.
func holderAvatar(name, email string, robot bool) avatar {
	if robot {
		return newAvatar(name, "", "robot")
	}
	return newAvatar(name, email, "user")
}

func accountAvatar(a identity.Account) avatar {
	switch a.Kind {
	case identity.Organization:
		return newAvatar(a.Name, a.Email, "org")
	case identity.Robot:
		return newAvatar(a.Name, "", "robot")
	}
	return newAvatar(a.Name, a.Email, "user")
}

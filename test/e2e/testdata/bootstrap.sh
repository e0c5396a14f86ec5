#!/usr/bin/env bash
# bootstrap.sh URL USER PASSWORD LAYOUT: what an automation does with a new registry, with curl and skopeo alone. It makes the
# first user with a token, an organization, a robot and a repository, lets the robot write there, and pushes the OCI layout
# as the robot. Prints the digest that the registry then has under the tag.
set -euo pipefail
url=$1 user=$2 password=$3 layout=$4
org=automation robot=pusher repository=app

# call METHOD PATH [BODY]: one request to the API; a refusal is shown and ends the script.
call() {
    local answer
    answer=$(curl --fail-with-body -sS -X "$1" "$url/api/v1/$2" -H 'Content-Type: application/json' \
        ${token:+-H "Authorization: Bearer $token"} ${3:+--data "$3"}) || { echo "$answer" >&2; return 1; }
    echo "$answer"
}

# member NAME: the text member of that name in the JSON on standard input.
member() { sed -n "s/.*\"$1\": *\"\([^\"]*\)\".*/\1/p"; }

token=$(call POST user/initialize "{\"username\":\"$user\",\"password\":\"$password\",\"email\":\"$user@example.org\",\"access_token\":true}" | member access_token)
call POST organization/ "{\"name\":\"$org\"}" >&2
secret=$(call PUT "organization/$org/robots/$robot" '{"description":"pushes releases"}' | member token)
call POST repository "{\"namespace\":\"$org\",\"repository\":\"$repository\",\"visibility\":\"private\",\"description\":\"made by a script\"}" >&2
call PUT "repository/$org/$repository/permissions/user/$org+$robot" '{"role":"write"}' >&2

skopeo copy -q --insecure-policy --dest-tls-verify=false --dest-creds "$org+$robot:$secret" "oci:$layout:v1" "docker://${url#*://}/$org/$repository:v1"
call GET "repository/$org/$repository/tag/?specificTag=v1" | member manifest_digest

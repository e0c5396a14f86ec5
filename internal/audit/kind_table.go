package audit

import (
	"fmt"
	"slices"
	"strings"
)

// kindSpec is a kind's name in the API and the names its metadata may have, separated by spaces: "…who" for the fields
// that say with which credential somebody came, "…" for any others. A name behind "@" says who acts.
type kindSpec struct{ name, fields string }

// who are the fields that the marker "…who" stands for, and oauth those that every kind may carry.
const (
	who   = "username is_robot token app_specific_token app_specific_token_title"
	oauth = "oauth_token_id oauth_token_application_id oauth_token_application"
)

// kinds are all of them, by their number.
var kinds = [...]kindSpec{
	PullRepo:                        {"pull_repo", "repo namespace user-agent tag manifest_digest resolved_ip mediaType …who"},
	PushRepo:                        {"push_repo", "repo namespace user-agent tag mediaType …who"},
	CreateRepo:                      {"create_repo", "repo namespace"},
	DeleteRepo:                      {"delete_repo", "repo namespace"},
	ChangeRepoVisibility:            {"change_repo_visibility", "repo namespace visibility"},
	ChangeRepoTrust:                 {"change_repo_trust", "repo namespace trust_enabled"},
	ChangeRepoState:                 {"change_repo_state", "repo namespace state_changed"},
	SetRepoDescription:              {"set_repo_description", "repo namespace description"},
	ChangeRepoPermission:            {"change_repo_permission", "username team repo namespace role"},
	DeleteRepoPermission:            {"delete_repo_permission", "username team repo namespace"},
	AddRepoPermission:               {"add_repo_permission", "username team repo namespace role"},
	AddRepoAccesstoken:              {"add_repo_accesstoken", "repo namespace token"},
	DeleteRepoAccesstoken:           {"delete_repo_accesstoken", "repo namespace token"},
	AddRepoWebhook:                  {"add_repo_webhook", "repo namespace webhook_id"},
	DeleteRepoWebhook:               {"delete_repo_webhook", "repo namespace webhook_id"},
	RepoVerb:                        {"repo_verb", "repo namespace tag verb …who"},
	CreateTag:                       {"create_tag", "@username repo tag namespace image manifest_digest original_manifest_digest"},
	MoveTag:                         {"move_tag", "@username repo tag namespace image manifest_digest original_manifest_digest"},
	DeleteTag:                       {"delete_tag", "repo namespace tag digest user-agent …who"},
	RevertTag:                       {"revert_tag", "@username repo tag image manifest_digest"},
	ChangeTagExpiration:             {"change_tag_expiration", "@username repo tag namespace expiration_date old_expiration_date"},
	ManifestLabelAdd:                {"manifest_label_add", "id key value manifest_digest media_type namespace repo"},
	ManifestLabelDelete:             {"manifest_label_delete", "id key value manifest_digest namespace repo"},
	AddRepoNotification:             {"add_repo_notification", "repo namespace notification_id event method"},
	DeleteRepoNotification:          {"delete_repo_notification", "repo namespace notification_id event method"},
	ResetRepoNotification:           {"reset_repo_notification", "repo namespace notification_id event method"},
	BuildDockerfile:                 {"build_dockerfile", "build_id docker_tags repo namespace is_manual manual_user trigger_id trigger_kind trigger_metadata"},
	SetupRepoTrigger:                {"setup_repo_trigger", "repo namespace trigger_id service pull_robot config"},
	ToggleRepoTrigger:               {"toggle_repo_trigger", "repo trigger_id service enabled"},
	DeleteRepoTrigger:               {"delete_repo_trigger", "repo trigger_id service"},
	RepoMirrorConfigChanged:         {"repo_mirror_config_changed", "repo namespace user-agent changed to …who"},
	RepoMirrorSyncStarted:           {"repo_mirror_sync_started", "verb namespace repo message tag tags stdout stderr"},
	RepoMirrorSyncSuccess:           {"repo_mirror_sync_success", "verb namespace repo message tag tags stdout stderr"},
	RepoMirrorSyncFailed:            {"repo_mirror_sync_failed", "verb namespace repo message tag tags stdout stderr"},
	RepoMirrorSyncTagSuccess:        {"repo_mirror_sync_tag_success", "verb namespace repo message tag tags stdout stderr"},
	RepoMirrorSyncTagFailed:         {"repo_mirror_sync_tag_failed", "verb namespace repo message tag tags stdout stderr"},
	RepoMirrorEnabled:               {"repo_mirror_enabled", "repo namespace"},
	RepoMirrorDisabled:              {"repo_mirror_disabled", "repo namespace"},
	RepoMirrorSyncNowRequested:      {"repo_mirror_sync_now_requested", "repo namespace"},
	RepoMirrorSyncTestStarted:       {"repo_mirror_sync_test_started", "repo namespace"},
	RepoMirrorSyncTestSuccess:       {"repo_mirror_sync_test_success", "repo namespace"},
	RepoMirrorSyncTestFailed:        {"repo_mirror_sync_test_failed", "repo namespace"},
	CreateRobot:                     {"create_robot", "robot description unstructured_metadata"},
	DeleteRobot:                     {"delete_robot", "robot"},
	RegenerateRobotToken:            {"regenerate_robot_token", "robot"},
	OrgCreateTeam:                   {"org_create_team", "team"},
	OrgDeleteTeam:                   {"org_delete_team", "team"},
	OrgSetTeamDescription:           {"org_set_team_description", "team description"},
	OrgSetTeamRole:                  {"org_set_team_role", "team role"},
	OrgAddTeamMember:                {"org_add_team_member", "member team"},
	OrgRemoveTeamMember:             {"org_remove_team_member", "member team"},
	OrgInviteTeamMember:             {"org_invite_team_member", "user email member team"},
	OrgDeleteTeamMemberInvite:       {"org_delete_team_member_invite", "user email member team"},
	OrgTeamMemberInviteAccepted:     {"org_team_member_invite_accepted", "member team inviter"},
	OrgTeamMemberInviteDeclined:     {"org_team_member_invite_declined", "member team inviter"},
	CreatePrototypePermission:       {"create_prototype_permission", "prototypeid @username activating_username role delegate_user delegate_team"},
	DeletePrototypePermission:       {"delete_prototype_permission", "prototypeid @username activating_username role delegate_user delegate_team"},
	ModifyPrototypePermission:       {"modify_prototype_permission", "prototypeid @username activating_username role delegate_user delegate_team original_role"},
	CreateApplication:               {"create_application", "application_name client_id name …"},
	UpdateApplication:               {"update_application", "application_name client_id name …"},
	DeleteApplication:               {"delete_application", "application_name client_id"},
	ResetApplicationClientSecret:    {"reset_application_client_secret", "application_name client_id"},
	AccountChangePassword:           {"account_change_password", ""},
	AccountConvert:                  {"account_convert", ""},
	AccountChangeCC:                 {"account_change_cc", ""},
	AccountChangePlan:               {"account_change_plan", "plan"},
	CreateAppSpecificToken:          {"create_app_specific_token", "app_specific_token_title app_specific_token"},
	RevokeAppSpecificToken:          {"revoke_app_specific_token", "app_specific_token_title app_specific_token"},
	TakeOwnership:                   {"take_ownership", "entity_id namespace was_user superuser"},
	ServiceKeyCreate:                {"service_key_create", "kid preshared service name expiration_date auto_approved"},
	ServiceKeyApprove:               {"service_key_approve", "kid service name expiration_date"},
	ServiceKeyModify:                {"service_key_modify", "kid service name expiration_date old_expiration_date"},
	ServiceKeyExtend:                {"service_key_extend", "kid service name expiration_date old_expiration_date"},
	ServiceKeyDelete:                {"service_key_delete", "kid service name created_date expiration_date"},
	ServiceKeyRotate:                {"service_key_rotate", "kid signer_kid service name expiration_date user_agent ip"},
	AutopruneTagDelete:              {"autoprune_tag_delete", "…"},
	CancelBuild:                     {"cancel_build", "…"},
	ChangeTagImmutability:           {"change_tag_immutability", "…"},
	CreateImmutabilityPolicy:        {"create_immutability_policy", "namespace repo tag_pattern tag_pattern_matches"},
	UpdateImmutabilityPolicy:        {"update_immutability_policy", "namespace repo tag_pattern tag_pattern_matches"},
	DeleteImmutabilityPolicy:        {"delete_immutability_policy", "namespace repo policy_uuid"},
	TagMadeImmutableByPolicy:        {"tag_made_immutable_by_policy", "…"},
	TagsMadeImmutableByPolicy:       {"tags_made_immutable_by_policy", "count …"},
	CreateNamespaceAutoprunePolicy:  {"create_namespace_autoprune_policy", "method value tag_pattern tag_pattern_matches namespace"},
	UpdateNamespaceAutoprunePolicy:  {"update_namespace_autoprune_policy", "method value tag_pattern tag_pattern_matches namespace"},
	DeleteNamespaceAutoprunePolicy:  {"delete_namespace_autoprune_policy", "policy_uuid namespace"},
	CreateRepositoryAutoprunePolicy: {"create_repository_autoprune_policy", "method value tag_pattern tag_pattern_matches namespace repo"},
	UpdateRepositoryAutoprunePolicy: {"update_repository_autoprune_policy", "method value tag_pattern tag_pattern_matches namespace repo"},
	DeleteRepositoryAutoprunePolicy: {"delete_repository_autoprune_policy", "policy_uuid namespace repo"},
	CreateNamespaceNotification:     {"create_namespace_notification", "namespace notification_id event method"},
	DeleteNamespaceNotification:     {"delete_namespace_notification", "namespace notification_id event method"},
	ResetNamespaceNotification:      {"reset_namespace_notification", "namespace notification_id event method"},
	CreateOAuthAPIToken:             {"create_oauth_api_token", "…"},
	RevokeOAuthAPIToken:             {"revoke_oauth_api_token", "…"},
	OAuthTokenAssigned:              {"oauth_token_assigned", "…"},
	OAuthTokenRevoked:               {"oauth_token_revoked", "…"},
	CreateProxyCacheConfig:          {"create_proxy_cache_config", "upstream_registry"},
	DeleteProxyCacheConfig:          {"delete_proxy_cache_config", ""},
	CreateRobotFederation:           {"create_robot_federation", "…"},
	DeleteRobotFederation:           {"delete_robot_federation", "…"},
	FederatedRobotTokenExchange:     {"federated_robot_token_exchange", "…"},
	EnableTeamSync:                  {"enable_team_sync", "…"},
	DisableTeamSync:                 {"disable_team_sync", "…"},
	ExportLogsSuccess:               {"export_logs_success", "…"},
	ExportLogsFailure:               {"export_logs_failure", "…"},
	LoginSuccess:                    {"login_success", "type kind useragent …"},
	LoginFailure:                    {"login_failure", "type kind useragent …"},
	LogoutSuccess:                   {"logout_success", "…"},
	OrgCreate:                       {"org_create", "…"},
	OrgDelete:                       {"org_delete", "…"},
	OrgChangeEmail:                  {"org_change_email", "…"},
	OrgChangeInvoicing:              {"org_change_invoicing", "…"},
	OrgChangeName:                   {"org_change_name", "…"},
	OrgChangeTagExpiration:          {"org_change_tag_expiration", "…"},
	OrgCreateQuota:                  {"org_create_quota", "…"},
	OrgChangeQuota:                  {"org_change_quota", "…"},
	OrgDeleteQuota:                  {"org_delete_quota", "…"},
	OrgCreateQuotaLimit:             {"org_create_quota_limit", "…"},
	OrgChangeQuotaLimit:             {"org_change_quota_limit", "…"},
	OrgDeleteQuotaLimit:             {"org_delete_quota_limit", "…"},
	OrgMirrorEnabled:                {"org_mirror_enabled", "…"},
	OrgMirrorDisabled:               {"org_mirror_disabled", "…"},
	OrgMirrorConfigChanged:          {"org_mirror_config_changed", "updated_fields old_external_reference external_reference"},
	OrgMirrorRepoCreated:            {"org_mirror_repo_created", "…"},
	OrgMirrorSyncStarted:            {"org_mirror_sync_started", "…"},
	OrgMirrorSyncSuccess:            {"org_mirror_sync_success", "…"},
	OrgMirrorSyncFailed:             {"org_mirror_sync_failed", "…"},
	OrgMirrorSyncCancelled:          {"org_mirror_sync_cancelled", "…"},
	OrgMirrorSyncNowRequested:       {"org_mirror_sync_now_requested", "…"},
	PermanentlyDeleteTag:            {"permanently_delete_tag", "@username repo tag namespace …"},
	PullRepoFailed:                  {"pull_repo_failed", "…"},
	PushRepoFailed:                  {"push_repo_failed", "…"},
	DeleteTagFailed:                 {"delete_tag_failed", "…"},
	StartBuildTrigger:               {"start_build_trigger", "…"},
	UserCreate:                      {"user_create", "…"},
	UserDelete:                      {"user_delete", "…"},
	UserEnable:                      {"user_enable", "…"},
	UserDisable:                     {"user_disable", "…"},
	UserChangeEmail:                 {"user_change_email", "…"},
	UserChangeInvoicing:             {"user_change_invoicing", "…"},
	UserChangeMetadata:              {"user_change_metadata", "…"},
	UserChangeName:                  {"user_change_name", "…"},
	UserChangePassword:              {"user_change_password", "…"},
	UserChangeTagExpiration:         {"user_change_tag_expiration", "…"},
	UserGenerateClientKey:           {"user_generate_client_key", "…"},
}

// String gives the name in the API, and for a number of a newer program one that says so.
func (k Kind) String() string {
	if !k.known() {
		return fmt.Sprintf("unknown_%d", uint16(k))
	}
	return kinds[k].name
}

func (k Kind) known() bool { return k > 0 && int(k) < len(kinds) }

// ParseKind gives the kind of a name such as "push_repo".
func ParseKind(name string) (Kind, bool) {
	for k := range kinds {
		if k > 0 && kinds[k].name == name {
			return Kind(k), true
		}
	}
	return 0, false
}

// Kinds gives all kinds in the order of their numbers.
func Kinds() []Kind {
	all := make([]Kind, 0, len(kinds)-1)
	for k := 1; k < len(kinds); k++ {
		all = append(all, Kind(k))
	}
	return all
}

// ServiceKeyKinds are those of service keys, which an account's own log leaves out.
func ServiceKeyKinds() []Kind {
	return slices.DeleteFunc(Kinds(), func(k Kind) bool { return !strings.HasPrefix(k.String(), "service_key_") })
}

// Takes reports whether Quay's entries of the kind have a metadata field of the name. Where Quay's contract does not
// list them all, any name is taken.
func (k Kind) Takes(field string) bool {
	if !k.known() {
		return false
	}
	for name := range strings.FieldsSeq(kinds[k].fields + " " + oauth) {
		if name == field || name == "@"+field || name == "…" || name == "…who" && slices.Contains(strings.Fields(who), field) {
			return true
		}
	}
	return false
}

// tellsWho reports whether entries of the kind say by a field of the name who acts, or with what.
func (k Kind) tellsWho(field string) bool {
	if !k.known() {
		return false
	}
	fields := strings.Fields(kinds[k].fields)
	return slices.Contains(fields, "@"+field) || slices.Contains(fields, "…who") && k.Takes(field)
}

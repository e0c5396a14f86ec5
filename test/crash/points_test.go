//go:build e2e

package crash

// point is a place where the process dies.
type point struct {
	name   string
	likely operation // what the clients mostly do, so that the point is reached soon
	often  int       // a number of hits that the clients surely reach; which of them kills is random
	rules  []string  // what else happens meanwhile
}

// moments are those of a transaction.
func moments(transaction string, likely operation, often int) []point {
	var list []point
	for _, m := range []string{"begin", "before-commit", "after-commit"} {
		list = append(list, point{"db/" + transaction + "/" + m, likely, often, nil})
	}
	return list
}

// around is before and after a call of the file system.
func around(call string, likely operation, often int) []point {
	return []point{{"fs/" + call + "/before", likely, often, nil}, {"fs/" + call + "/after", likely, often, nil}}
}

// answer is before the first byte and after the last one of an answer.
func answer(request string, likely operation, often int) []point {
	return []point{{"http/" + request + "/before-answer", likely, often, nil}, {"http/" + request + "/after-answer", likely, often, nil}}
}

// late has the clock stand where a promise is renewed: more than half of its two hours are over.
func late(list []point) []point {
	for i := range list {
		list[i].rules = []string{"clock 90m"}
	}
	return list
}

// points lists all of them. New folders are made only once each, so their points come first.
func points() []point {
	var list []point
	for _, some := range [][]point{
		around("mkdir-folder", uploadWhole, 3),
		around("opendir-folder", uploadWhole, 3),
		around("syncdir-root", uploadWhole, 3),
		around("create-upload", uploadWhole, 8),
		around("write-upload", uploadChunks, 8),
		around("writeat-upload", uploadChunks, 12),
		around("writeat-rest-upload", uploadChunks, 12),
		around("rename-object", uploadWhole, 8),
		around("sync-upload", uploadTwo, 8),
		around("syncdir-folder", uploadTwo, 8),
		around("remove-upload", cancelUpload, 3),
		around("remove-object", uploadShared, 3),
		moments("start-upload", uploadTwo, 8),
		moments("save-upload", uploadChunks, 8),
		moments("finish-upload", uploadWhole, 8),
		moments("mount-blob", mountBlob, 5),
		moments("remove-blob-from-repository", deleteBlob, 3),
		moments("mark-upload-as-discarded", cancelUpload, 3),
		moments("remove-upload", cancelUpload, 3),
		moments("forget-object", uploadShared, 3),
		moments("push-manifest", pushImage, 6),
		moments("delete-tag", deleteTag, 3),
		moments("delete-manifest", deleteManifest, 3),
		moments("create-robot", changeRobot, 3),
		moments("regenerate-robot", changeRobot, 3),
		moments("delete-robot", changeRobot, 2),
		moments("grant-permission", changePermission, 3),
		moments("revoke-permission", changePermission, 2),
		moments("create-repository", changeRepository, 2),
		moments("delete-repository", changeRepository, 2),
		moments("change-repository", changeRepository, 2),
		moments("create-organization", changeOrganization, 3),
		moments("delete-organization", changeOrganization, 2),
		moments("store-session", changeSession, 3),
		moments("delete-session", changeSession, 2),
		moments("end-sessions", changeSession, 2),
		late(moments("lease-blob", leaseBlob, 3)),
		answer("POST-uploads", uploadWhole, 8),
		answer("PATCH-uploads", uploadChunks, 8),
		answer("PUT-uploads", uploadTwo, 8),
		answer("DELETE-uploads", cancelUpload, 3),
		answer("DELETE-blobs", deleteBlob, 3),
		answer("PUT-manifests", pushImage, 6),
		answer("DELETE-manifests", deleteTag, 3),
		answer("DELETE-tag", deleteTag, 2),
		answer("PUT-robots", changeRobot, 3),
		answer("POST-robots", changeRobot, 3),
		answer("DELETE-robots", changeRobot, 2),
		answer("PUT-permissions", changePermission, 3),
		answer("DELETE-permissions", changePermission, 2),
		answer("POST-repository", changeRepository, 2),
		answer("PUT-repository", changeRepository, 2),
		answer("DELETE-repository", changeRepository, 2),
		answer("POST-organization", changeOrganization, 3),
		answer("DELETE-organization", changeOrganization, 2),
		answer("POST-signin", changeSession, 2),
		answer("POST-signout", changeSession, 2),
	} {
		list = append(list, some...)
	}
	return list
}

// sqlitePoints are those of the commit that several transactions share.
func sqlitePoints() []point {
	return []point{{"db/batch/before-commit", pushImage, 30, nil}, {"db/batch/after-commit", pushImage, 30, nil}}
}

// postgresPoints are those of requests that several processes may compete for.
func postgresPoints() []point {
	return append(moments("claim-upload", uploadChunks, 8), moments("release-upload", uploadChunks, 3)...)
}

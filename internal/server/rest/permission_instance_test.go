package rest

// instancePermissions are the rows of what is about the registry itself.
var instancePermissions = []permitted{}

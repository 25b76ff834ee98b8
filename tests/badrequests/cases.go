package badrequests

import (
	"net/http"
	"slices"
	"strings"
)

const (
	typeJSON = "application/json"
	maxBody  = 64 << 10 // bytes
)

// Cases returns the table.
func Cases() []Case {
	return slices.Concat(paths(), mediaTypes(), sizes(), syntax(), fields(), types(), newUsers(), updates(), missing())
}

// post is a bad creation.
func post(name, body string, status int, errors ...Place) Case {
	return Case{name, http.MethodPost, "/api/users/", typeJSON, body, status, errors}
}

// put is a bad update with the id in the body.
func put(name, body string, status int, errors ...Place) Case {
	return Case{name, http.MethodPut, "/api/users/", typeJSON, body, status, errors}
}

// bare is a bad request without a body.
func bare(name, method, path string, status int, code string) Case {
	return Case{name, method, path, "", "", status, []Place{{code, ""}}}
}

// head is a bad HEAD request: the reply has no body to name a place.
func head(name, path string, status int) Case {
	return Case{name, http.MethodHead, path, "", "", status, nil}
}

func paths() []Case {
	return []Case{
		bare("root of the API", "GET", "/api/", 404, "no_such_path"),
		bare("misspelled collection", "GET", "/api/user/ada", 404, "no_such_path"),
		bare("upper-case path", "GET", "/API/users/ada", 404, "no_such_path"),
		bare("path below a user", "GET", "/api/users/ada/name", 404, "no_such_path"),
		bare("encoded slash between segments", "GET", "/api%2Fusers/ada", 404, "no_such_path"),
		bare("two trailing slashes", "GET", "/api/users/ada//", 404, "no_such_path"),
		bare("list", "GET", "/api/users/", 405, "method_not_allowed"),
		head("head of the list", "/api/users", 405),
		bare("delete everybody", "DELETE", "/api/users", 405, "method_not_allowed"),
		bare("post to a user", "POST", "/api/users/ada", 405, "method_not_allowed"),
		bare("patch", "PATCH", "/api/users/ada", 405, "method_not_allowed"),
		bare("unheard-of method", "BREW", "/api/users/ada/", 405, "method_not_allowed"),
		bare("options", "OPTIONS", "/api/users", 405, "method_not_allowed"),
		bare("lower-case method", "get", "/api/users/ada", 405, "method_not_allowed"),
		bare("id with a dot", "GET", "/api/users/ada.json", 400, "invalid_path_id"),
		bare("id with an encoded slash", "GET", "/api/users/a%2Fb", 400, "invalid_path_id"),
		bare("id with an encoded slash at its end", "GET", "/api/users/ada%2F", 400, "invalid_path_id"),
		bare("id with an encoded slash, then a slash", "GET", "/api/users/a%2Fb/", 400, "invalid_path_id"),
		bare("id escaped twice", "GET", "/api/users/%2561da", 400, "invalid_path_id"),
		bare("id with a plus", "GET", "/api/users/a+b", 400, "invalid_path_id"),
		bare("id with a space", "DELETE", "/api/users/ada%20", 400, "invalid_path_id"),
		bare("id with NUL", "DELETE", "/api/users/ada%00", 400, "invalid_path_id"),
		bare("id with bytes that are not UTF-8", "GET", "/api/users/%FF%FE", 400, "invalid_path_id"),
		bare("id with letters beyond ASCII", "GET", "/api/users/ad%C3%A4", 400, "invalid_path_id"),
		bare("id of 65 characters", "GET", "/api/users/"+strings.Repeat("a", 65), 400, "invalid_path_id"),
		head("head of a bad id", "/api/users/a.b", 400),
		{"update of a bad id", "PUT", "/api/users/a.b", typeJSON, `{"group":1}`, 400, []Place{{"invalid_path_id", ""}}},
	}
}

func mediaTypes() []Case {
	typed := func(name, method, mediaType, body string) Case {
		return Case{name, method, "/api/users", mediaType, body, 415, []Place{{"not_json", ""}}}
	}
	return []Case{
		typed("no media type", "POST", "", Stored),
		typed("no media type for an update", "PUT", "", Stored),
		typed("a form", "POST", "application/x-www-form-urlencoded", "id=ada&name=Ada"),
		typed("text", "POST", "text/plain", Stored),
		typed("text/json", "PUT", "text/json", Stored),
		typed("a JSON dialect", "PUT", "application/merge-patch+json", `{"id":"ada","group":1}`),
		typed("another charset", "POST", "application/json; charset=iso-8859-1", Stored),
		typed("a broken media type", "POST", "application/json; charset", Stored),
	}
}

func sizes() []Case {
	padded := func(size int) string { // a good update of ada, but for its size
		body := `{"id":"ada","group":1}`
		return body + strings.Repeat(" ", size-len(body))
	}
	return []Case{
		put("one byte too large", padded(maxBody+1), 413, Place{"body_too_large", ""}),
		post("far too large", `{"name":"`+strings.Repeat("a", 2*maxBody)+`"}`, 413, Place{"body_too_large", ""}),
		put("too large and not JSON", strings.Repeat("{", maxBody+1), 413, Place{"body_too_large", ""}),
		put("just not too large, but no object", strings.Repeat("[", maxBody), 400, Place{"not_an_object", ""}),
	}
}

func syntax() []Case {
	return []Case{
		bare("no body and no media type", "PUT", "/api/users", 400, "empty_body"),
		post("empty body", "", 400, Place{"empty_body", ""}),
		put("blank body", " \n\t", 400, Place{"empty_body", ""}),
		put("array", `[{"id":"ada","group":1}]`, 400, Place{"not_an_object", ""}),
		put("string", `"ada"`, 400, Place{"not_an_object", ""}),
		put("null instead of an object", `null`, 400, Place{"not_an_object", ""}),
		put("byte order mark", "\ufeff{}", 400, Place{"syntax", ""}),
		put("single quotes", `{'id':'ada'}`, 400, Place{"syntax", ""}),
		put("name without quotes", `{id:"ada"}`, 400, Place{"syntax", ""}),
		put("comment", `{"id":"ada",/* two */"group":2}`, 400, Place{"syntax", ""}),
		put("comma at the end", `{"id":"ada","group":2,}`, 400, Place{"syntax", ""}),
		put("missing comma", `{"id":"ada" "group":2}`, 400, Place{"syntax", ""}),
		put("missing colon", `{"id" "ada"}`, 400, Place{"syntax", "/id"}),
		put("missing value", `{"id":"ada","group":}`, 400, Place{"syntax", "/group"}),
		put("cut off in a value", `{"id":"ada","name":"Ad`, 400, Place{"syntax", "/name"}),
		put("cut off before the end", `{"id":"ada","group":2`, 400, Place{"syntax", ""}),
		put("control character not escaped", "{\"id\":\"ada\",\"name\":\"a\nb\"}", 400, Place{"syntax", "/name"}),
		put("unknown escape", `{"id":"ada","name":"a\qb"}`, 400, Place{"syntax", "/name"}),
		put("half a surrogate pair", `{"id":"ada","name":"\ud83d"}`, 400, Place{"syntax", "/name"}),
		put("leading zero", `{"id":"ada","group":01}`, 400, Place{"syntax", ""}),
		put("plus sign", `{"id":"ada","group":+1}`, 400, Place{"syntax", "/group"}),
		put("NaN", `{"id":"ada","group":NaN}`, 400, Place{"syntax", "/group"}),
		put("hexadecimal", `{"id":"ada","group":0x10}`, 400, Place{"syntax", ""}),
		put("trailing junk", `{"id":"ada","group":2}x`, 400, Place{"trailing_data", ""}),
		put("a second object", `{"id":"ada","group":2} {"id":"ada"}`, 400, Place{"trailing_data", ""}),
		put("bytes that are not UTF-8", "{\"id\":\"ada\",\"name\":\"a\xffb\"}", 400, Place{"invalid_utf8", "/name"}),
		put("Latin-1", "{\"id\":\"ada\",\"name\":\"Andr\xe9\"}", 400, Place{"invalid_utf8", "/name"}),
		put("surrogates as UTF-8", "{\"id\":\"ada\",\"name\":\"\xed\xa0\x80\"}", 400, Place{"invalid_utf8", "/name"}),
		put("a name that is not UTF-8", "{\"id\":\"ada\",\"\xff\":1}", 400, Place{"invalid_utf8", ""}),
	}
}

func fields() []Case {
	return []Case{
		put("unknown field", `{"id":"ada","phone":"1"}`, 400, Place{"unknown_field", "/phone"}),
		put("wrong case", `{"id":"ada","Name":"Ada"}`, 400, Place{"unknown_field", "/Name"}),
		put("upper case", `{"ID":"ada","group":2}`, 400, Place{"unknown_field", "/ID"}),
		put("empty field name", `{"id":"ada","":1}`, 400, Place{"unknown_field", "/"}),
		put("field name to escape", `{"id":"ada","a/b~c":1}`, 400, Place{"unknown_field", "/a~1b~0c"}),
		put("very long field name", `{"`+strings.Repeat("x", 60000)+`":1}`, 400, Place{"unknown_field", ""}),
		put("doubled field", `{"id":"ada","group":1,"group":2}`, 400, Place{"duplicate_field", "/group"}),
		put("doubled by an escape", `{"id":"ada","group":1,"\u0067roup":2}`, 400, Place{"duplicate_field", "/group"}),
		put("doubled id", `{"id":"ada","id":"bob","group":2}`, 400, Place{"duplicate_field", "/id"}),
		put("deep nesting in an unknown field", `{"id":"ada","x":`+strings.Repeat("[", 60000), 400, Place{"unknown_field", "/x"}),
	}
}

func types() []Case {
	return []Case{
		put("null name", `{"id":"ada","name":null}`, 400, Place{"null", "/name"}),
		put("null group", `{"id":"ada","group":null}`, 400, Place{"null", "/group"}),
		post("null id", `{"id":null,"name":"Bob","email":"bob@example.com","group":1}`, 400, Place{"null", "/id"}),
		put("id as a number", `{"id":7,"group":1}`, 400, Place{"wrong_type", "/id"}),
		put("name as a boolean", `{"id":"ada","name":true}`, 400, Place{"wrong_type", "/name"}),
		put("name as an object", `{"id":"ada","name":{"first":"Ada"}}`, 400, Place{"wrong_type", "/name"}),
		put("email as an array", `{"id":"ada","email":["a@example.com"]}`, 400, Place{"wrong_type", "/email"}),
		put("deep nesting in a name", `{"id":"ada","name":`+strings.Repeat("[", 60000), 400, Place{"wrong_type", "/name"}),
		put("group as a string", `{"id":"ada","group":"1"}`, 400, Place{"wrong_type", "/group"}),
		put("group with a fraction", `{"id":"ada","group":1.5}`, 400, Place{"not_an_integer", "/group"}),
		put("group with a fraction of zero", `{"id":"ada","group":1.0}`, 400, Place{"not_an_integer", "/group"}),
		put("group with an exponent", `{"id":"ada","group":1e2}`, 400, Place{"not_an_integer", "/group"}),
		put("negative zero", `{"id":"ada","group":-0}`, 400, Place{"not_an_integer", "/group"}),
	}
}

func newUsers() []Case {
	with := func(id, name, email, group string) string {
		return `{"id":` + id + `,"name":` + name + `,"email":` + email + `,"group":` + group + `}`
	}
	const id, name, email = `"bob"`, `"Bob"`, `"bob@example.com"`
	return []Case{
		post("nothing given", `{}`, 422, Place{"required", "/name"}, Place{"required", "/email"}, Place{"required", "/group"}),
		post("no group", `{"id":"bob","name":"Bob","email":"bob@example.com"}`, 422, Place{"required", "/group"}),
		post("everything wrong", with(`"b b"`, `""`, `"bob"`, `-1`), 422, Place{"bad_characters", "/id"},
			Place{"blank", "/name"}, Place{"invalid_email", "/email"}, Place{"out_of_range", "/group"}),
		post("empty id", with(`""`, name, email, `1`), 422, Place{"too_short", "/id"}),
		post("id with a slash", with(`"a/b"`, name, email, `1`), 422, Place{"bad_characters", "/id"}),
		post("id with an umlaut", with(`"bäb"`, name, email, `1`), 422, Place{"bad_characters", "/id"}),
		post("id with a line feed at its end", with(`"bob\n"`, name, email, `1`), 422, Place{"bad_characters", "/id"}),
		post("id of 65", with(`"`+strings.Repeat("b", 65)+`"`, name, email, `1`), 422, Place{"too_long", "/id"}),
		post("blank name", with(id, `" \t\u00a0\u3000"`, email, `1`), 422, Place{"blank", "/name"}),
		post("name of 201", with(id, `"`+strings.Repeat("é", 201)+`"`, email, `1`), 422, Place{"too_long", "/name"}),
		post("name with NUL", with(id, `"B\u0000b"`, email, `1`), 422, Place{"control_characters", "/name"}),
		post("name with DEL", with(id, `"B\u007fb"`, email, `1`), 422, Place{"control_characters", "/name"}),
		post("name with a C1 control", with(id, `"B\u0085b"`, email, `1`), 422, Place{"control_characters", "/name"}),
		post("email without an at", with(id, name, `"bob.example.com"`, `1`), 422, Place{"invalid_email", "/email"}),
		post("email with two ats", with(id, name, `"bob@home@example.com"`, `1`), 422, Place{"invalid_email", "/email"}),
		post("email with a display name", with(id, name, `"Bob <bob@example.com>"`, `1`), 422, Place{"invalid_email", "/email"}),
		post("email with a space", with(id, name, `"bob @example.com"`, `1`), 422, Place{"invalid_email", "/email"}),
		post("email with a header", with(id, name, `"bob@example.com\r\nBcc: eve@example.com"`, `1`), 422, Place{"invalid_email", "/email"}),
		post("email of 255 bytes", with(id, name, `"bb@`+strings.Repeat("example.", 31)+`a.de"`, `1`), 422, Place{"too_long", "/email"}),
		post("group too large", with(id, name, email, `2147483648`), 422, Place{"out_of_range", "/group"}),
		post("group beyond 64 bits", with(id, name, email, `1000000000000000000000000000000`), 422, Place{"out_of_range", "/group"}),
		post("id taken", strings.Replace(Stored, "7", "8", 1), 409, Place{"user_exists", ""}),
	}
}

func updates() []Case {
	onPath := func(name, body string, errors ...Place) Case {
		return Case{name, http.MethodPut, "/api/users/ada", typeJSON, body, 422, errors}
	}
	return []Case{
		put("no id", `{"group":1}`, 422, Place{"required", "/id"}),
		put("bad id and bad group", `{"id":"","group":-1}`, 422, Place{"too_short", "/id"}, Place{"out_of_range", "/group"}),
		put("blank name in an update", `{"id":"ada","name":" "}`, 422, Place{"blank", "/name"}),
		put("bad email in an update", `{"id":"ada","email":""}`, 422, Place{"invalid_email", "/email"}),
		onPath("another id in the body", `{"id":"bob","group":1}`, Place{"mismatch", "/id"}),
		onPath("an empty id in the body", `{"id":"","group":1}`, Place{"mismatch", "/id"}),
		onPath("another id and a bad group", `{"id":"bob","group":-1}`, Place{"mismatch", "/id"}, Place{"out_of_range", "/group"}),
		onPath("group below zero", `{"group":-1}`, Place{"out_of_range", "/group"}),
	}
}

func missing() []Case {
	return []Case{
		bare("read of nobody", "GET", "/api/users/nobody", 404, "user_not_found"),
		head("head of nobody", "/api/users/nobody/", 404),
		bare("delete of nobody", "DELETE", "/api/users/nobody", 404, "user_not_found"),
		bare("an id differs by case", "GET", "/api/users/Ada", 404, "user_not_found"),
		put("update of nobody", `{"id":"nobody","group":1}`, 404, Place{"user_not_found", ""}),
		{"update of nobody by path", "PUT", "/api/users/nobody/", typeJSON, `{"group":1}`, 404, []Place{{"user_not_found", ""}}},
	}
}

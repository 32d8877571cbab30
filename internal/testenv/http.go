package testenv

import "net/http"

// KeepConnections is for the TestMain of a package whose parallel tests share
// http.DefaultTransport. An httptest.Server that closes ends its idle connections, those
// of other tests included, and with them a request that was about to use one. It does so
// only where the transport offers it.
func KeepConnections() {
	http.DefaultTransport = struct{ http.RoundTripper }{http.DefaultTransport}
}

// The client of Go's standard library: one request, with the certificate verified (SSL_CERT_FILE names the anchor).
package main

import (
	"net/http"
	"os"
)

func main() {
	_, _ = http.Get("https://localhost:" + os.Args[1] + "/")
}

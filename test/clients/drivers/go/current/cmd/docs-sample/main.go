// Command docs-sample asks IMDS with net/http alone and reads every field of the answer as a
// string, as the Go sample in Microsoft's documentation of managed identities does.
package main

import (
	"encoding/json"
	"log"
	"net/http"
	"net/url"
	"strconv"

	"wimds-go-driver"
)

type answer struct {
	AccessToken string `json:"access_token"`
	ExpiresIn   string `json:"expires_in"`
	ExpiresOn   string `json:"expires_on"`
	NotBefore   string `json:"not_before"`
	Resource    string `json:"resource"`
	TokenType   string `json:"token_type"`
}

func main() {
	query := url.Values{"api-version": {"2018-02-01"}, "resource": {driver.Parse().Resource}}
	address := "http://169.254.169.254/metadata/identity/oauth2/token?" + query.Encode()
	request, err := http.NewRequest(http.MethodGet, address, nil)
	if err != nil {
		log.Fatal(err)
	}
	request.Header.Set("Metadata", "true")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		log.Fatal(err)
	}
	defer response.Body.Close()
	var token answer
	if err := json.NewDecoder(response.Body).Decode(&token); err != nil {
		log.Fatal(err)
	}
	expiresOn, err := strconv.ParseInt(token.ExpiresOn, 10, 64)
	driver.Print(token.AccessToken, expiresOn, err)
}

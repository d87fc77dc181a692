// Command adal gets a token with go-autorest, as every Go program did before azidentity.
package main

import (
	"context"
	"log"

	"github.com/Azure/go-autorest/autorest/adal"

	"wimds-go-driver"
)

func main() {
	arguments := driver.Parse()
	if !adal.MSIAvailable(context.Background(), nil) {
		log.Fatal("adal.MSIAvailable found no managed identity endpoint")
	}
	options := &adal.ManagedIdentityOptions{}
	switch arguments.Kind {
	case "client-id":
		options.ClientID = arguments.ID
	case "resource-id":
		options.IdentityResourceID = arguments.ID
	}
	principal, err := adal.NewServicePrincipalTokenFromManagedIdentity(arguments.Resource, options)
	if err != nil {
		log.Fatal(err)
	}
	err = principal.EnsureFresh()
	token := principal.Token()
	driver.Print(token.AccessToken, token.Expires().Unix(), err)
}

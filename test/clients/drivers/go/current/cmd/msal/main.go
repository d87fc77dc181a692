// Command msal gets a token from MSAL Go's managed identity client.
package main

import (
	"context"
	"log"

	mi "github.com/AzureAD/microsoft-authentication-library-for-go/apps/managedidentity"

	"wimds-go-driver"
)

func main() {
	arguments := driver.Parse()
	client, err := mi.New(identityFor(arguments))
	if err != nil {
		log.Fatal(err)
	}
	driver.PrintTokens(func() (string, int64, error) {
		result, err := client.AcquireToken(context.Background(), arguments.Resource)
		return result.AccessToken, result.ExpiresOn.Unix(), err
	})
}

func identityFor(arguments driver.Arguments) mi.ID {
	switch arguments.Kind {
	case "client-id":
		return mi.UserAssignedClientID(arguments.ID)
	case "object-id":
		return mi.UserAssignedObjectID(arguments.ID)
	case "resource-id":
		return mi.UserAssignedResourceID(arguments.ID)
	}
	return mi.SystemAssigned()
}

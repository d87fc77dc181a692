// Command azidentity gets a token from azidentity 1.1, which speaks to IMDS by itself.
package main

import (
	"context"
	"log"
	"os"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"wimds-go-driver"
)

func main() {
	arguments := driver.Parse()
	credential, err := credentialFor(arguments)
	if err != nil {
		log.Fatal(err)
	}
	options := policy.TokenRequestOptions{Scopes: []string{arguments.Resource + "/.default"}}
	driver.PrintTokens(func() (string, int64, error) {
		token, err := credential.GetToken(context.Background(), options)
		return token.Token, token.ExpiresOn.Unix(), err
	})
}

func credentialFor(arguments driver.Arguments) (azcore.TokenCredential, error) {
	if arguments.Variant == "default" {
		// DefaultAzureCredential takes a user-assigned identity only from the environment.
		if arguments.ID != "" {
			os.Setenv("AZURE_CLIENT_ID", arguments.ID)
		}
		return azidentity.NewDefaultAzureCredential(nil)
	}
	options := &azidentity.ManagedIdentityCredentialOptions{}
	switch arguments.Kind {
	case "client-id":
		options.ID = azidentity.ClientID(arguments.ID)
	case "resource-id":
		options.ID = azidentity.ResourceID(arguments.ID)
	}
	return azidentity.NewManagedIdentityCredential(options)
}

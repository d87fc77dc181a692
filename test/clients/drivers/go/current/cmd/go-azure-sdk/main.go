// Command go-azure-sdk gets a token for Resource Manager as Terraform's azurerm provider does.
package main

import (
	"context"
	"log"
	"os"

	"github.com/hashicorp/go-azure-sdk/sdk/auth"
	"github.com/hashicorp/go-azure-sdk/sdk/environments"

	"wimds-go-driver"
)

func main() {
	arguments := driver.Parse()
	// The provider's msi_endpoint, or ARM_MSI_ENDPOINT, sets this option.
	endpoint := ""
	if host := os.Getenv("AZURE_POD_IDENTITY_AUTHORITY_HOST"); host != "" {
		endpoint = host + "/metadata/identity/oauth2/token"
	}
	authorizer, err := auth.NewManagedIdentityAuthorizer(context.Background(), auth.ManagedIdentityAuthorizerOptions{
		Api:                           environments.AzurePublic().ResourceManager,
		ClientId:                      arguments.ID,
		CustomManagedIdentityEndpoint: endpoint,
	})
	if err != nil {
		log.Fatal(err)
	}
	token, err := authorizer.Token(context.Background(), nil)
	if err != nil {
		log.Fatal(err)
	}
	driver.Print(token.AccessToken, token.Expiry.Unix(), nil)
}

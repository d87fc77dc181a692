// Command go-azure-sdk gets a token as Terraform's azurerm provider does.
package main

import (
	"context"
	"log"

	"github.com/hashicorp/go-azure-sdk/sdk/auth"
	"github.com/hashicorp/go-azure-sdk/sdk/environments"

	"wimds-go-clients/driver"
)

func main() {
	arguments := driver.Parse()
	api := environments.ManagedHSMAPI("Vault", arguments.Resource, "", nil).WithResourceIdentifier(arguments.Resource)
	authorizer, err := auth.NewManagedIdentityAuthorizer(context.Background(), auth.ManagedIdentityAuthorizerOptions{
		Api:      api,
		ClientId: arguments.ID,
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

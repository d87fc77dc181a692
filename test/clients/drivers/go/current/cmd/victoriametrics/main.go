// Command victoriametrics runs azure_sd_configs of VictoriaMetrics with authentication_method
// ManagedIdentity, and prints the token that Resource Manager got.
package main

import (
	"github.com/VictoriaMetrics/VictoriaMetrics/lib/promscrape/discovery/azure"

	"wimds-go-driver"
)

func main() {
	arguments := driver.Parse()
	config := azure.SDConfig{
		AuthenticationMethod: "ManagedIdentity",
		SubscriptionID:       "55555555-5555-4555-8555-555555555555",
		ClientID:             arguments.ID,
	}
	_, err := config.GetLabels("")
	driver.PrintLast(err)
}

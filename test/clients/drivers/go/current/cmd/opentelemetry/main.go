// Command opentelemetry prints the attributes that the detector of Azure's virtual machines reports.
package main

import (
	"context"
	"encoding/json"
	"log"
	"os"

	"go.opentelemetry.io/contrib/detectors/azure/azurevm"
)

func main() {
	resource, err := azurevm.New().Detect(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	attributes := map[string]any{}
	for _, attribute := range resource.Attributes() {
		attributes[string(attribute.Key)] = attribute.Value.AsInterface()
	}
	if err := json.NewEncoder(os.Stdout).Encode(map[string]any{"attributes": attributes}); err != nil {
		log.Fatal(err)
	}
}

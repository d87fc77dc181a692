// Command prometheus runs azure_sd_configs of Prometheus with authentication_method ManagedIdentity, and prints
// the token that Resource Manager got.
package main

import (
	"context"
	"log"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/discovery"
	"github.com/prometheus/prometheus/discovery/azure"
	"github.com/prometheus/prometheus/discovery/targetgroup"

	"wimds-go-driver"
)

func main() {
	arguments := driver.Parse()
	config := azure.DefaultSDConfig
	config.AuthenticationMethod = "ManagedIdentity"
	config.SubscriptionID = "55555555-5555-4555-8555-555555555555"
	config.ClientID = arguments.ID
	config.RefreshInterval = model.Duration(time.Hour)
	registry := prometheus.NewRegistry()
	metrics := config.NewDiscovererMetrics(registry, discovery.NewRefreshMetrics(registry))
	discoverer, err := config.NewDiscoverer(discovery.DiscovererOptions{Metrics: metrics})
	if err != nil {
		log.Fatal(err)
	}
	ctx, stop := context.WithTimeout(context.Background(), 30*time.Second)
	defer stop()
	targets := make(chan []*targetgroup.Group)
	go discoverer.Run(ctx, targets)
	select {
	case <-targets:
		driver.PrintLast(nil)
	case <-ctx.Done():
		log.Fatal("no targets")
	}
}

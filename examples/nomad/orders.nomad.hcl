# Shows: a task with a sidecar and a redirect. Not run; Nomad's parser accepts the file.
# Run:   nomad job run examples/nomad/orders.nomad.hcl
# Check: nomad alloc exec -job -task wimds orders wimds doctor
#
# The servers need `oidc_issuer`, a URL that Entra ID can read. The identity needs a federated credential for that issuer and
# the subject `global:default:orders:orders:wimds:azure`: REGION:NAMESPACE:JOB:GROUP:TASK:IDENTITY.
job "orders" {
  group "orders" {
    # Tasks of the group share one network namespace.
    network {
      mode = "bridge"
    }

    task "wimds" {
      driver = "docker"

      lifecycle {
        hook    = "prestart"
        sidecar = true
      }

      identity {
        name        = "azure"
        aud         = ["api://AzureADTokenExchange"]
        ttl         = "1h"
        file        = true
        change_mode = "noop"
      }

      config {
        image   = "registry.example.com/wimds:0.1.0"
        args    = ["serve"]
        # The image permits Node to read files here.
        volumes = ["secrets:/var/run/secrets/nomad"]
      }

      env {
        AZURE_CLIENT_ID            = "11111111-1111-4111-8111-111111111111"
        AZURE_TENANT_ID            = "22222222-2222-4222-8222-222222222222"
        AZURE_FEDERATED_TOKEN_FILE = "/var/run/secrets/nomad/nomad_azure.jwt"
      }

      resources {
        cpu    = 50
        memory = 128
      }
    }

    # SDKs that read AZURE_POD_IDENTITY_AUTHORITY_HOST do not need this task. NET_ADMIN must be in `allow_caps` of the
    # Nomad client.
    task "redirect" {
      driver = "docker"

      lifecycle {
        hook = "prestart"
      }

      config {
        image   = "registry.example.com/wimds-redirect:0.1.0"
        args    = ["redirect", "--mode=loopback", "--wait=60"]
        cap_add = ["net_admin"]
      }

      resources {
        cpu    = 50
        memory = 64
      }
    }

    task "orders" {
      driver = "docker"

      config {
        image = "registry.example.com/shop/orders:1.4.2"
      }
    }
  }
}

# Shows: federated credentials from the plan of `wimds trust` (docs/tasks/trust.md). Credentials that exist are imported.
# Needs: Terraform 1.7 or later, and azurerm 4.65 or later, which writes the credentials of an identity one after another.
# Run:   the steps of README.md.
locals {
  plan = jsondecode(file("${path.module}/plan.json"))
  credentials = merge([
    for identity in local.plan.identities : {
      for credential in identity.credentials :
      "${identity.clientId}/${credential.name}" => merge(credential, { identity = identity.resourceId })
    } if identity.kind == "managed-identity" && !identity.isOverLimit && can(identity.resourceId)
  ]...)
}

import {
  for_each = { for key, credential in local.credentials : key => credential if contains(["present", "different"], credential.state) }
  to       = azurerm_federated_identity_credential.wimds[each.key]
  id       = "${each.value.identity}/federatedIdentityCredentials/${each.value.name}"
}

resource "azurerm_federated_identity_credential" "wimds" {
  for_each                  = local.credentials
  name                      = each.value.name
  user_assigned_identity_id = each.value.identity
  issuer                    = each.value.issuer
  subject                   = each.value.subject
  audience                  = [each.value.audience]
}

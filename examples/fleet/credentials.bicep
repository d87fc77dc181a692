// Shows: federated credentials of one resource group from the plan of `wimds trust` (docs/tasks/trust.md).
// Run:   the steps of README.md.
var plan = loadJsonContent('plan.json')
var group = toLower('/resourceGroups/${resourceGroup().name}/')
var identities = filter(
  plan.identities,
  identity =>
    identity.kind == 'managed-identity' && !identity.isOverLimit && contains(toLower(identity.?resourceId ?? ''), group)
)
var credentials = flatten(map(
  identities,
  identity =>
    map(identity.credentials, credential => {
      path: '${last(split(identity.resourceId, '/'))}/${credential.name}'
      issuer: credential.issuer
      subject: credential.subject
      audience: credential.audience
    })
))

// Azure rejects concurrent writes to one identity.
@batchSize(1)
resource federated 'Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials@2023-01-31' = [
  for credential in credentials: {
    name: credential.path
    properties: {
      issuer: credential.issuer
      subject: credential.subject
      audiences: [credential.audience]
    }
  }
]

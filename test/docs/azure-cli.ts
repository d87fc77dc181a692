/** The commands of the Azure CLI that the pages and the comments of examples/ have. */
import { findCloud } from '../../src/exchange/clouds.ts'
import { missing, type Verbs } from './verbs.ts'

export const AZURE_CLI: Verbs = {
  login: {},
  'identity federated-credential create': {
    flags: {
      name: 'value',
      'identity-name': 'value',
      'resource-group': 'value',
      issuer: 'value',
      subject: 'value',
      audiences: 'value',
    },
    mistakes: ({ flags }) => [
      ...(/^https:\/\/[\w.-]+/.test(flags.value('issuer') ?? '') ? [] : ['the issuer is no URL']),
      ...(/^system:serviceaccount:[\w-]+:[\w-]+$/.test(flags.value('subject') ?? '')
        ? []
        : ['the subject is no ServiceAccount’s']),
      ...(flags.value('audiences') === findCloud('login.microsoftonline.com')?.audience
        ? []
        : ['the audience is not the public cloud’s']),
    ],
  },
  'storage blob upload': {
    flags: {
      'account-name': 'value',
      'container-name': 'value',
      'content-type': 'value',
      file: 'value',
      name: 'value',
    },
    mistakes: ({ flags, directory }) => missing(directory, [flags.value('file')]),
  },

  'aks identity-binding create': {
    flags: {
      name: 'value',
      'resource-group': 'value',
      'cluster-name': 'value',
      'managed-identity-resource-id': 'value',
    },
  },
  'cosmosdb sql role assignment create': {
    flags: {
      'account-name': 'value',
      'principal-id': 'value',
      'resource-group': 'value',
      'role-definition-id': 'value',
      scope: 'value',
    },
  },
  'role assignment create': {
    flags: {
      'assignee-object-id': 'value',
      'assignee-principal-type': 'value',
      role: 'value',
      scope: 'value',
    },
    mistakes: ({ flags }) =>
      flags.value('assignee-principal-type') === 'ServicePrincipal'
        ? []
        : ['identities are service principals'],
  },
  ...Object.fromEntries(
    ['identity show', 'keyvault show', 'storage account show'].map((verb) => [
      verb,
      { flags: { name: 'value', 'resource-group': 'value', query: 'value', output: 'value' } },
    ]),
  ),
}

/** The Go clients. */
import { type Client, IMDS_MODES } from './client.ts'

const program =
  (name: string): Client['command'] =>
  (workspace) => [`${workspace}/${name}`]

const current = { language: 'Go', workspace: 'go-current' } as const
const legacy = { language: 'Go', workspace: 'go-legacy' } as const

export const GO_CLIENTS: readonly Client[] = [
  {
    ...current,
    name: 'azidentity ManagedIdentityCredential',
    version: '1.15.0',
    command: program('azidentity'),
    modes: [...IMDS_MODES, 'app-service-2019', 'app-service-2017', 'cloud-shell'],
  },
  {
    ...current,
    name: 'azidentity DefaultAzureCredential',
    version: '1.15.0',
    command: program('azidentity'),
    variant: 'default',
    modes: ['system', 'client-id', 'app-service-2019'],
  },
  {
    ...legacy,
    name: 'azidentity ManagedIdentityCredential',
    version: '1.1.0',
    command: program('azidentity'),
    modes: ['system', 'client-id', 'resource-id', 'app-service-2019', 'cloud-shell'],
  },
  {
    ...legacy,
    name: 'azidentity DefaultAzureCredential',
    version: '1.1.0',
    command: program('azidentity'),
    variant: 'default',
    modes: ['system', 'client-id', 'app-service-2019'],
  },
  {
    ...current,
    name: 'microsoft-authentication-library-for-go',
    version: '1.10.1',
    command: program('msal'),
    modes: [...IMDS_MODES, 'app-service-2019', 'app-service-2017', 'cloud-shell'],
  },
  {
    ...current,
    name: 'go-autorest/adal',
    version: '0.9.24',
    command: program('adal'),
    modes: ['system', 'client-id', 'resource-id', 'app-service-2017', 'cloud-shell'],
  },
  {
    ...current,
    name: 'hashicorp/go-azure-sdk (Terraform)',
    version: '0.20260811',
    command: program('go-azure-sdk'),
    resource: 'https://management.azure.com',
    hostOption: 'msi_endpoint',
    modes: ['system', 'client-id', 'host-override'],
  },
  {
    ...current,
    name: "net/http, as in Microsoft's documentation",
    version: '',
    command: program('docs-sample'),
    modes: ['system'],
  },
]
